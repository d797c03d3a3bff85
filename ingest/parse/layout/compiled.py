"""Compiles a log format string: what is read, in which order, and where each value ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import pairwise

from ingest.parse.fields.extra import key_of
from ingest.parse.layout.meanings import ONLY_TOTAL, TOTAL, Meaning
from ingest.parse.layout.strings import Directive, LayoutError, Literal, Piece, pieces_of
from ingest.parse.layout.times import time_format

_CLOSING = {'"': '"', "[": "]"}
_BLANKS = re.compile(" +")
_MARKS = re.compile(r'["\[\]]')
_BRACKET = re.compile(r"[\[\]]")
# What separates time directives that are one time; quotes and brackets enclose values.
_WITHIN_TIME = re.compile(r'[^"\[\]]*')


class Ends(Enum):
    """What a value ends at."""

    QUOTE = "the next quote that is not escaped"
    BRACKET = "the next `]`"
    LITERAL = "the text that follows it"
    LIST = "the end of a list"
    TIME = "the end of a time"
    WORD = "the next space"
    LINE = "the end of the line"


@dataclass(frozen=True, slots=True)
class Gap:
    """Literal `text` between values: `pattern` matches it, with any number of spaces for one."""

    text: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Step:
    """Reads the values of `directives`, which are more than one only where none separates them.

    `closing` is the quote or bracket that encloses them, empty without one: they do not reach
    beyond it. `gap` follows.
    """

    directives: tuple[Directive, ...]
    ends: Ends
    closing: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class Layout:
    """A compiled string: the text at the beginning of a line, then the values."""

    string: str
    first: Gap
    steps: tuple[Step, ...]

    @property
    def directives(self) -> tuple[Directive, ...]:
        """All directives, in their order."""
        return tuple(one for step in self.steps for one in step.directives)

    def has(self, target: str) -> bool:
        """Return whether lines say what belongs to `target`."""
        return any(one.meaning.target == target for one in self.directives)


@lru_cache(maxsize=256)
def compile_layout(string: str) -> Layout:
    """Return the layout of `string`, an Apache LogFormat or an nginx log_format.

    Raises LayoutError, which shows the place.
    """
    string = string.strip(" ")
    pieces = _with_joined_times(string, pieces_of(string))
    directives = [piece for piece in pieces if isinstance(piece, Directive)]
    _check_brackets(string, directives)
    pieces = [_resolved(string, piece, directives) for piece in pieces]
    first = pieces.pop(0) if isinstance(pieces[0], Literal) else Literal("")
    return Layout(string, _gap(_text(first)), tuple(_steps(string, _text(first), pieces)))


def _check_brackets(string: str, directives: Sequence[Directive]) -> None:
    """Raise LayoutError when a bracket of `string`, outside of quotes, is never closed."""
    text = string
    for one in directives:
        end = one.at + len(one.written)
        text = text[: one.at] + " " * len(one.written) + text[end:]
    opened: list[int] = []
    is_quoted = False
    for mark in _MARKS.finditer(text):
        if mark[0] == '"':
            is_quoted = not is_quoted
        elif mark[0] == "[" and not is_quoted:
            opened.append(mark.start())
        elif opened and not is_quoted:
            opened.pop()
    if opened:
        raise LayoutError("this bracket is never closed", string, opened[0])


def _text(piece: Piece) -> str:
    return piece.text if isinstance(piece, Literal) else ""


def _with_joined_times(string: str, pieces: Sequence[Piece]) -> list[Piece]:
    """Return `pieces` with neighbouring times of Apache as one, and `%t` in its brackets."""
    done: list[Piece] = []
    for piece in pieces:
        between = done.pop() if _may_be_within_time(done, piece) else Literal("")
        last = done[-1] if done else None
        if isinstance(piece, Directive) and isinstance(last, Directive) and _are_one(last, piece):
            done[-1] = _joined(string, last, _text(between), piece)
        else:
            done += [between, piece] if _text(between) else [piece]
    return list(_with_brackets(done))


def _may_be_within_time(done: Sequence[Piece], piece: Piece) -> bool:
    return (
        isinstance(piece, Directive)
        and len(done) > 1
        and isinstance(done[-1], Literal)
        and _WITHIN_TIME.fullmatch(done[-1].text) is not None
    )


def _are_one(first: Directive, second: Directive) -> bool:
    """Return whether both are parts of one time: what is in both is a time of its own."""
    is_same = bool(first.items and second.items) and first.meaning.key == second.meaning.key
    return is_same and _fields(first).isdisjoint(_fields(second))


def _fields(time: Directive) -> frozenset[str]:
    return time_format(time.items).fields


def _joined(string: str, first: Directive, between: str, second: Directive) -> Directive:
    items = (*first.items, between, *second.items)
    written = string[first.at : second.at + len(second.written)]
    meaning = replace(first.meaning, time=time_format(items))
    return Directive(written, first.at, meaning, items)


def _with_brackets(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Yield `pieces` with the brackets around `%t`, which are not in the string."""
    opened = ""
    for piece in pieces:
        if isinstance(piece, Literal):
            opened += piece.text
            continue
        brings_brackets = bool(piece.items) and piece.meaning.time is None
        text = opened + ("[" if brings_brackets else "")
        if text:
            yield Literal(text)
        yield piece
        opened = "]" if brings_brackets else ""
    if opened:
        yield Literal(opened)


def _resolved(string: str, piece: Piece, directives: Sequence[Directive]) -> Piece:
    """Return `piece` as it is to be read beside all the other `directives`."""
    if isinstance(piece, Literal):
        return piece
    meaning = piece.meaning
    if meaning.target == TOTAL and not _any(directives, "response_bytes"):
        return replace(piece, meaning=replace(meaning, target=ONLY_TOTAL))
    if meaning.time is None or meaning.time.is_complete:
        return piece
    if not any(_says_when(one.meaning) for one in directives):
        raise LayoutError(
            f"`{piece.written}` is only part of a time: date and hour are missing", string, piece.at
        )
    return replace(piece, meaning=Meaning(target=key_of(piece.written), key=meaning.key))


def _any(directives: Sequence[Directive], target: str) -> bool:
    return any(one.meaning.target == target for one in directives)


def _says_when(meaning: Meaning) -> bool:
    is_time = meaning.target == "event_time"
    return is_time and (meaning.time is None or meaning.time.is_complete)


def _steps(string: str, first: str, pieces: Sequence[Piece]) -> Iterator[Step]:
    """Yield the steps of `pieces`, which the text `first` precedes."""
    enclosing = _Enclosing(string, first + "".join(map(_text, pieces)))
    enclosing.pass_over(first)
    at = 0
    while at < len(pieces):
        end = next((i for i in range(at, len(pieces)) if _text(pieces[i])), len(pieces))
        directives = tuple(one for one in pieces[at:end] if isinstance(one, Directive))
        for left, right in pairwise(directives):
            if not right.meaning.begins:
                problem = f"nothing separates `{right.written}` from `{left.written}`"
                raise LayoutError(problem, string, right.at)
        text = _text(pieces[end]) if end < len(pieces) else ""
        closing = enclosing.closing
        yield Step(directives, _ends(directives[-1].meaning, text, closing), closing, _gap(text))
        enclosing.pass_over(text)
        at = end + 1
    enclosing.check()


def _ends(meaning: Meaning, text: str, closing: str) -> Ends:
    """Return where the value of the last directive before the literal `text` ends."""
    if closing and text.startswith(closing):
        return Ends.QUOTE if closing == '"' else Ends.BRACKET
    if meaning.target == "event_time" and meaning.fits is None:
        return Ends.TIME
    begins_list = text.lstrip(" ")[:1] in (",", ":")
    if meaning.list_shape is not None and text[:1] in ("", " ") and not begins_list:
        return Ends.LIST
    if text:
        return Ends.LITERAL
    return Ends.LINE if meaning.is_text else Ends.WORD


def _gap(text: str) -> Gap:
    """Return `text` as it is matched: a run of spaces begins where there is none before it.

    Else a search for it would look at a long run from each of its spaces.
    """
    before = "(?<! )" if text.startswith(" ") else ""
    escaped = " +".join(map(re.escape, _BLANKS.split(text)))
    return Gap(text, re.compile(before + escaped))


class _Enclosing:
    """Follows the quotes and brackets of a string through its literal texts, all of `texts`."""

    def __init__(self, string: str, texts: str) -> None:
        self._string = string
        self._texts = texts
        self._at = 0
        self.closing = ""

    def pass_over(self, text: str) -> None:
        """Take in the literal `text`."""
        for at, character in enumerate(text, self._at):
            if self.closing:
                if character == self.closing:
                    self.closing = ""
            elif character == '"' or (character == "[" and self._is_closed(at)):
                self.closing = _CLOSING[character]
        self._at += len(text)

    def check(self) -> None:
        """Raise LayoutError when a quote is open."""
        if self.closing:
            raise LayoutError("this quote is never closed", self._string, self._string.rfind('"'))

    def _is_closed(self, at: int) -> bool:
        """Return whether the bracket at `at` is closed before the next one opens."""
        following = _BRACKET.search(self._texts, at + 1)
        return following is not None and following[0] == "]"
