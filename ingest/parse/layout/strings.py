"""Cuts a LogFormat or log_format string into literal texts and directives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingest.errors import SettingsError
from ingest.parse.layout.caret import pointed
from ingest.parse.layout.meanings import Meaning, directive, time_items, variable
from ingest.parse.layout.times import RepeatedCode

# Conditions, redirects and the argument of an Apache directive come in any order.
_DIRECTIVE = re.compile(r"%((?:[!<>,0-9]|\{[^}]*\})*)(\^[A-Za-z]{2}|[A-Za-z%])?")
_MODIFIERS = re.compile(r"(?:!?[0-9]{3}(?:,[0-9]{3})*)?")
_ARGUMENT = re.compile(r"\{([^}]*)\}")
# `$is_args` is the question mark before `$args`, or nothing.
_VARIABLE = re.compile(r"\$(is_args\$)?(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))?")
_ANY_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_ANY_DIRECTIVE = re.compile(r"%(?:[!<>,0-9]|\{[^}]*\})*[A-Za-z]")
_QUERIES = ("args", "query_string")
# Much more than any server logs.
_MOST_CHARACTERS, _MOST_VALUES = 16_384, 256
# As in the configuration of the server, from which strings are copied.
_ESCAPE = re.compile(r"""\\(["'\\tn])""")
_ESCAPED = {"t": "\t"}


class LayoutError(SettingsError):
    """A log format string is wrong; shows where."""

    def __init__(self, problem: str, string: str, at: int) -> None:
        """`at` is the character of `string` that the problem is about."""
        super().__init__(f"log_format: {problem}\n{pointed(string, at)}")
        self.at = at


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive or variable as it is `written` at character `at`; `items` of Apache's times."""

    written: str
    at: int
    meaning: Meaning
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal:
    """Text between directives, without escapes."""

    text: str


Piece = Literal | Directive


def problems_of(compiles: Callable[[str], object], string: str) -> list[str]:
    """Return what is wrong with `string`, nothing when it `compiles`."""
    try:
        compiles(string)
    except LayoutError as error:
        return [str(error)]
    return []


def check_length(string: str) -> None:
    """Raise LayoutError when `string` is too long to be a log format string."""
    if len(string) > _MOST_CHARACTERS:
        problem = f"is longer than {_MOST_CHARACTERS:,} characters"
        raise LayoutError(problem, string, _MOST_CHARACTERS)


def pieces_of(string: str) -> list[Piece]:
    """Return the pieces of `string`, in order; raises LayoutError."""
    check_length(string)
    of_nginx, of_apache = _ANY_VARIABLE.search(string), _ANY_DIRECTIVE.search(string)
    if of_nginx is not None and of_apache is not None:
        at = max(of_nginx.start(), of_apache.start())
        raise LayoutError(
            "use either Apache's %directives or nginx's $variables, not both", string, at
        )
    if of_nginx is None and of_apache is None:
        raise LayoutError("contains neither an Apache %directive nor an nginx $variable", string, 0)
    pieces = list(_joined(string, _apache(string) if of_nginx is None else _nginx(string)))
    directives = [piece for piece in pieces if isinstance(piece, Directive)]
    if len(directives) > _MOST_VALUES:
        raise LayoutError(
            f"has more than {_MOST_VALUES} values", string, directives[_MOST_VALUES].at
        )
    return pieces


def _joined(string: str, pieces: Iterator[Piece | tuple[int, int]]) -> Iterator[Piece]:
    """Yield the pieces; neighbouring literals, given as (start, end) or unescaped, are one."""
    text = ""
    for piece in pieces:
        if isinstance(piece, tuple):
            text += _unescaped(string, *piece)
        elif isinstance(piece, Literal):
            text += piece.text
        else:
            if text:
                yield Literal(text)
            text = ""
            yield piece
    if text:
        yield Literal(text)


def _unescaped(string: str, start: int, end: int) -> str:
    def undone(match: re.Match[str]) -> str:
        if match[1] == "n":
            at = start + match.start()
            raise LayoutError("a record is one line: remove the line break", string, at)
        return _ESCAPED.get(match[1], match[1])

    return _ESCAPE.sub(undone, string[start:end])


def _apache(string: str) -> Iterator[Piece | tuple[int, int]]:
    at = 0
    for match in _DIRECTIVE.finditer(string):
        yield at, match.start()
        yield Literal("%") if match[0] == "%%" else _directive(string, match)
        at = match.end()
    yield at, len(string)


def _directive(string: str, match: re.Match[str]) -> Directive:
    start, written = match.start(), match[0]
    arguments = _ARGUMENT.findall(match[1])
    others = _ARGUMENT.sub("", match[1])
    condition = others.strip("<>")
    if match[2] is None and string.startswith("{", match.end()):
        raise LayoutError(f"the brace after `{written}` is never closed", string, start)
    if match[2] is None or len(arguments) > 1 or not _MODIFIERS.fullmatch(condition):
        raise LayoutError(f"`{written}` is not a directive; write % as %%", string, start)
    argument = arguments[0] if arguments else None
    try:
        meaning = directive(match[2], argument, others.replace(condition, ""))
        items = time_items(argument) if match[2] == "t" else ()
    except KeyError as error:
        raise LayoutError(f"unknown code {error.args[0]} in a time", string, start) from None
    except RepeatedCode as error:
        raise LayoutError(f"a time has what {error} stands for only once", string, start) from None
    if meaning is None:
        raise LayoutError(f"unknown directive `{written}`", string, start)
    return Directive(written, start, meaning, items)


def _nginx(string: str) -> Iterator[Piece | tuple[int, int]]:
    at = 0
    for match in _VARIABLE.finditer(string):
        yield at, match.start()
        yield _variable(string, match)
        at = match.end()
    yield at, len(string)


def _variable(string: str, match: re.Match[str]) -> Directive:
    name = match[2] or match[3]
    if name is None:
        raise LayoutError("`$` must be followed by the name of a variable", string, match.start())
    if match[1] is None:
        return Directive(match[0], match.start(), variable(name))
    if name not in _QUERIES:
        raise LayoutError("`$is_args` must be directly before `$args`", string, match.start())
    return Directive(match[0], match.start(), directive("q", None) or variable(name))
