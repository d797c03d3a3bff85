"""The parts of an access line that it must have: `prefix [time] "request" status bytes`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingest.parse.fields.quotes import read_quoted
from ingest.parse.fields.times import is_time_text

_AFTER_TIME = '] "'
_COUNTS = re.compile(r" ([0-9]{3}|0|-1|-) ([0-9]+|-)(?= |\Z)")
_BRACKETS = re.compile(r"\[([^\[\]]{1,64})\]")


class Head(NamedTuple):
    """The parts as logged; `end` is where the bytes end."""

    prefix: str
    time: str
    request: str
    status: str
    size: str
    end: int


def read_head(text: str, begin: int) -> Head | None:
    """Return the parts of `text` from `begin` on, None when it has not this shape.

    The time is the last bracket before the request: earlier ones are part of the prefix.
    """
    bracket = _time_bracket(text, begin)
    if bracket is None:
        return None
    opening, closing = bracket
    request = read_quoted(text, closing + 2)
    counts = _COUNTS.match(text, request.end) if request.closed else None
    prefix, time = text[begin:opening].strip(" "), text[opening + 1 : closing]
    # Fields between the time and the request are outside the grammar.
    if counts is None or (_has_time(prefix) and not is_time_text(time)):
        return None
    return Head(prefix, time, request.text, counts[1], counts[2], counts.end())


def _time_bracket(text: str, begin: int) -> tuple[int, int] | None:
    """Return the positions of the brackets of the time, None without any."""
    start, closing = begin, text.find(_AFTER_TIME, begin)
    while closing >= 0:
        opening = text.rfind("[", start, closing)
        if opening > begin and text[opening - 1] == " " and "]" not in text[opening:closing]:
            return opening, closing
        start, closing = closing + 1, text.find(_AFTER_TIME, closing + 1)
    return None


def _has_time(prefix: str) -> bool:
    return "[" in prefix and any(is_time_text(bracket[1]) for bracket in _BRACKETS.finditer(prefix))
