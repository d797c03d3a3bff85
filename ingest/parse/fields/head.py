"""The parts of an access line that it must have: `prefix [time] "request" status bytes`."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.quotes import read_quoted
from ingest.parse.fields.times import is_time_text

# Neither bracket is within it, so a search never looks at a character more than twice.
_TIME = re.compile(r' \[([^\[\]]*)\] "')
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
    time = _TIME.search(text, begin)
    if time is None:
        return None
    request = read_quoted(text, time.end() - 1)
    counts = _COUNTS.match(text, request.end) if request.closed else None
    prefix = text[begin : time.start()].strip(" ")
    # Fields between the time and the request are outside the grammar.
    if counts is None or (not is_time_text(time[1]) and _has_time(prefix)):
        return None
    return Head(prefix, time[1], request.text, counts[1], counts[2], counts.end())


def _has_time(prefix: str) -> bool:
    """Return whether a bracket of `prefix` is a time, or may be: there are very many."""
    brackets = list(islice(_BRACKETS.finditer(prefix), MOST_SURPLUS + 1)) if "[" in prefix else []
    return len(brackets) > MOST_SURPLUS or any(is_time_text(bracket[1]) for bracket in brackets)
