"""Cuts a line into the values of its layout, from left to right and never back.

Each value is looked for from where the last one ended, so that the time is linear in the length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.fields.quotes import closing_quote, read_quoted
from ingest.parse.fields.times import time_text_end
from ingest.parse.layout.compiled import Ends, Layout, Step
from ingest.parse.layout.strings import Directive
from ingest.parse.place import Misfit
from ingest.terminal.text import printable


@dataclass(frozen=True, slots=True)
class Cut:
    """The values of a line, in the order of the layout's directives, and the text after them.

    When the line ends within a quoted value, or text follows its quote, it is not `closed`: only
    the first `complete` values are beyond doubt then.
    """

    values: tuple[str, ...]
    complete: int
    tail: str = ""
    closed: bool = True


class _Stopped(Exception):
    """The line has not the layout from `misfit` on; never leaves this module."""

    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.misfit = Misfit(at, expected)


def cut_line(layout: Layout, text: str, begin: int = 0) -> Cut | Misfit:
    """Return the values of the line `text`, which begins at `begin`; outer spaces do not count."""
    stripped = text.rstrip(" ")
    begin = len(stripped) - len(stripped[begin:].lstrip(" "))
    try:
        return _cut(layout, stripped, begin)
    except _Stopped as stopped:
        return stopped.misfit


def _cut(layout: Layout, text: str, begin: int) -> Cut:
    first = layout.first.pattern.match(text, begin)
    if first is None:
        raise _Stopped(begin, f"`{layout.first.text}` at the beginning")
    at = first.end()
    values: list[str] = []
    for number, step in enumerate(layout.steps, 1):
        end = _end(step, text, at, is_last=number == len(layout.steps))
        if end is None:
            open_values = _open_value(step, text, at)
            return Cut((*values, *open_values), len(values), closed=False)
        values += _values(step, text, at, end)
        gap = step.gap.pattern.match(text, end)
        if gap is None:
            raise _Stopped(end, _what_follows(step))
        at = gap.end()
    if text[at : at + 1] not in ("", " "):
        raise _Stopped(at, "a space or the end of the line")
    return Cut(tuple(values), len(values), text[at:].strip(" "))


def _end(step: Step, text: str, at: int, *, is_last: bool) -> int | None:
    """Return where the values of `step` end; None when a quoted one does not end as it should."""
    limit = _limit(step, text, at)
    if limit is None:
        return None
    if step.ends is Ends.QUOTE:
        is_glued = is_last and step.gap.text == '"' and text[limit + 1 : limit + 2] not in ("", " ")
        return None if is_glued else limit
    if step.ends is Ends.BRACKET:
        return limit
    end = _inner_end(step, text, at)
    if end > limit:
        raise _Stopped(limit, _what_follows(step))
    return end


def _limit(step: Step, text: str, at: int) -> int | None:
    """Return where the quote or bracket around `step` is closed, the end of `text` without one.

    None for a quote that is not closed.
    """
    if not step.closing:
        return len(text)
    if step.closing == '"':
        limit = closing_quote(text, at)
        return None if limit < 0 else limit
    limit = text.find(step.closing, at)
    if limit < 0:
        raise _Stopped(len(text), f"`{step.closing}` after {_named(step)}")
    return limit


def _inner_end(step: Step, text: str, at: int) -> int:
    meaning = step.directives[-1].meaning
    if step.ends is Ends.LINE:
        return len(text)
    if step.ends is Ends.WORD:
        return _found(text.find(" ", at), text)
    if step.ends is Ends.LIST and meaning.list_shape is not None:
        found = meaning.list_shape.match(text, at)
        return at if found is None else found.end()
    if step.ends is Ends.TIME:
        end = _time_end(step, text, at)
        if end is not None:
            return end
    gap = step.gap.pattern.search(text, at)
    if gap is None:
        raise _Stopped(at if step.gap.text.strip(" ") else len(text), _what_follows(step))
    return gap.start()


def _found(at: int, text: str) -> int:
    return len(text) if at < 0 else at


def _time_end(step: Step, text: str, at: int) -> int | None:
    form = step.directives[-1].meaning.time
    if form is None:
        return time_text_end(text, at)
    match = form.pattern.match(text, at)
    if match is None:
        raise _Stopped(at, f"a time as {_named(step)} writes it")
    return match.end()


def _values(step: Step, text: str, at: int, end: int) -> Iterator[str]:
    """Yield the values of `step`, which are text[at:end]; each has to look like what it is."""
    for directive, following in pairwise((*step.directives, None)):
        assert directive is not None  # noqa: S101  only the last of the pairs has None
        stop = end if following is None else _begin_of(following, text, at, end)
        value = text[at:stop]
        fits = directive.meaning.fits
        if fits is not None and not fits(value):
            raise _Stopped(at, f"a value of `{printable(directive.written)}`")
        yield value
        at = stop


def _begin_of(following: Directive, text: str, at: int, end: int) -> int:
    found = text.find(following.meaning.begins, at, end)
    if found < 0 and not following.meaning.optional:
        raise _Stopped(end, f"`{following.meaning.begins}` of `{following.written}`")
    return end if found < 0 else found


def _open_value(step: Step, text: str, at: int) -> list[str]:
    """Return the quoted value at `at` as far as it can be told, none of several."""
    is_one = step.ends is Ends.QUOTE and len(step.directives) == 1
    return [read_quoted(text, at - 1).text] if is_one and text[at - 1] == '"' else []


def _what_follows(step: Step) -> str:
    return f"`{step.gap.text}` after {_named(step)}" if step.gap.text else "nothing more"


def _named(step: Step) -> str:
    return f"`{printable(step.directives[-1].written)}`"
