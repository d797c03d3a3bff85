"""The parts of an access line that it must have: `prefix [time] "request" status bytes`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.quotes import read_quoted
from ingest.parse.fields.times import is_time_text
from ingest.parse.place import Misfit, parts, walk

# Neither bracket is within it, so a search never looks at a character more than twice.
_TIME = re.compile(r' \[([^\[\]]*)\] "')
_COUNTS = re.compile(r" ([0-9]{3}|0|-1|-) ([0-9]+|-)(?= |\Z)")
# Shorter ones hold no time, so that a line of `[]` is no work.
_BRACKETS = re.compile(r"\[([0-9]{1,4}[/-][^\[\]]{14,60})\]")
_EACH_COUNT = parts(
    a_space=" ",
    a_status_of_three_digits="(?:[0-9]{3}|0|-1|-) ",
    a_number_of_bytes=r"(?:[0-9]+|-)(?= |\Z)",
)


class Head(NamedTuple):
    """The parts as logged; `time_at` is where the time begins, `end` where the bytes end."""

    prefix: str
    time: str
    request: str
    status: str
    size: str
    time_at: int
    end: int


def read_head(text: str, begin: int) -> Head | Misfit:
    """Return the parts of `text` from `begin` on, or where it stops having this shape.

    The time is the last bracket before the request: earlier ones are part of the prefix.
    """
    time = _TIME.search(text, begin)
    if time is None:
        return _without_time(text, begin)
    opening = time.end() - 1
    request = read_quoted(text, opening)
    if not request.closed:
        return Misfit(opening, "a request whose quote is closed, with a space behind it")
    counts = _COUNTS.match(text, request.end)
    if counts is None:
        misfit = walk(text, request.end, _EACH_COUNT)
        assert isinstance(misfit, Misfit)  # noqa: S101  it is _COUNTS in parts
        return misfit
    prefix = text[begin : time.start()].strip(" ")
    # Fields between the time and the request are outside the grammar.
    between = None if is_time_text(time[1]) else _time_in(text, begin, time.start())
    if between is not None:
        return Misfit(between.end(), "the request behind the time")
    return Head(prefix, time[1], request.text, counts[1], counts[2], time.start(1), counts.end())


def _time_in(text: str, begin: int, end: int) -> re.Match[str] | None:
    """Return the first bracket with a time in text[begin:end], None without one.

    Behind `MOST_SURPLUS` brackets the next one that looks like a time is taken for one.
    """
    brackets = enumerate(_BRACKETS.finditer(text, begin, end))
    times = (one for number, one in brackets if number >= MOST_SURPLUS or is_time_text(one[1]))
    return next(times, None)


def _without_time(text: str, begin: int) -> Misfit:
    """Return where a line goes wrong that has no time in brackets before a quote."""
    time = _time_in(text, begin, len(text))
    if time is None:
        quote = text.find('"', begin)
        return Misfit(len(text) if quote < 0 else quote, "a [time] in front of the request")
    if time.start() == begin or text[time.start() - 1] != " ":
        return Misfit(time.start(), "a client and a space before the time")
    return Misfit(time.end(), "a space and the request in quotes")
