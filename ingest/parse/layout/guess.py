"""Proposes a log_format string for sample lines of an unknown layout. It is never used unseen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.parse.fields.addresses import read_client
from ingest.parse.fields.quotes import closing_quote
from ingest.parse.fields.text import value
from ingest.parse.fields.times import is_iso_time, is_time_text
from ingest.parse.fields.urls import read_request
from ingest.parse.layout.compiled import Layout, compile_layout
from ingest.parse.layout.cut import Cut, cut_line

_ENDS = {'"': '"', "[": "]"}
_STATUS = re.compile("[1-5][0-9]{2}|000").fullmatch
_COUNT = re.compile("[0-9]+").fullmatch
_SECONDS = re.compile(r"[0-9]+\.[0-9]{3}").fullmatch
_MSEC = re.compile(r"[0-9]{10}\.[0-9]{3}").fullmatch
_ID = re.compile("[0-9a-f]{32}").fullmatch


class Guess(NamedTuple):
    """A log format, and how many of the lines are read by it to their ends."""

    string: str
    fitting: int


class _Field(NamedTuple):
    """A field of a line: the quote or bracket that opens it, if any, and its text."""

    opening: str
    text: str


class _Rule(NamedTuple):
    """A field that is opened like that, all of whose texts fit, may be `variable`."""

    variable: str
    opening: str
    fits: Callable[[str], object]


def _is_client(text: str) -> bool:
    return read_client(text).ip is not None


def _is_list(text: str) -> bool:
    return all(_is_client(entry.strip(" ")) for entry in text.split(","))


def _is_url(text: str) -> bool:
    return "://" in text or text.startswith("/")


# In the order in which web servers write them: each is given once, to the first that fits.
_RULES = (
    _Rule("remote_addr", "", _is_client),
    _Rule("msec", "", _MSEC),
    _Rule("time_iso8601", "", is_iso_time),
    _Rule("time_iso8601", "[", is_iso_time),
    _Rule("time_local", "[", is_time_text),
    _Rule("request", '"', read_request),
    _Rule("http_x_forwarded_for", '"', _is_list),
    _Rule("http_referer", '"', _is_url),
    _Rule("http_user_agent", '"', lambda text: "/" in text),
    _Rule("status", "", _STATUS),
    _Rule("body_bytes_sent", "", _COUNT),
    _Rule("request_time", "", _SECONDS),
    _Rule("upstream_response_time", "", _SECONDS),
    _Rule("request_id", "", _ID),
)
# What follows a client: its identity, which no server knows, and its user.
_CLIENT, _USER = "remote_addr", "remote_user"


def guess(lines: Sequence[str]) -> Guess | None:
    """Return a log format of most of `lines`, None when they have no common one.

    What no rule tells is `$field_N`, for the reader to name; there is none when no rule tells any.
    """
    shapes = {line: _fields(line) for line in lines if line.strip(" ")}
    counts = Counter(_shape(fields) for fields in shapes.values())
    if not counts:
        return None
    usual, _ = counts.most_common(1)[0]
    rows = [fields for fields in shapes.values() if _shape(fields) == usual]
    string = _string(list(zip(*rows, strict=True)))
    if not any(f"${rule.variable}" in string for rule in _RULES):
        return None
    layout = compile_layout(string)
    fitting = sum(_fits(layout, line) for line in lines)
    return Guess(string, fitting) if fitting else None


def _fits(layout: Layout, line: str) -> bool:
    cut = cut_line(layout, line)
    return isinstance(cut, Cut) and cut.closed and not cut.tail


def _fields(line: str) -> list[_Field]:
    fields, at = [], 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        opening = line[at] if line[at] in _ENDS else ""
        end = _end(line, at, opening)
        if end < 0:
            opening, end = "", _end(line, at, "")
        fields.append(_Field(opening, line[at + len(opening) : end]))
        at = end + len(opening)
    return fields


def _end(line: str, at: int, opening: str) -> int:
    """Return where the field at `at` ends; -1 when what opens it is not closed."""
    if opening == '"':
        return closing_quote(line, at + 1)
    end = line.find(_ENDS.get(opening, " "), at)
    return len(line) if end < 0 and not opening else end


def _shape(fields: Sequence[_Field]) -> tuple[str, ...]:
    return tuple(field.opening for field in fields)


def _string(columns: Sequence[tuple[_Field, ...]]) -> str:
    named: list[str] = []
    for column in columns:
        named.append(_name(column, named))
    parts = [
        f"{column[0].opening}{name}{_ENDS.get(column[0].opening, '')}"
        for column, name in zip(columns, named, strict=True)
    ]
    return " ".join(parts)


def _name(column: Sequence[_Field], before: Sequence[str]) -> str:
    """Return the variable of `column`, or `-` where the identity of a client would be."""
    opening, texts = column[0].opening, [field.text for field in column]
    known = [text for text in texts if value(text) is not None]
    if not opening and before[-1:] == [f"${_CLIENT}"] and not known:
        return "-"
    if not opening and before[-2:] == [f"${_CLIENT}", "-"]:
        return f"${_USER}"
    for rule in _RULES if known else ():
        is_free = f"${rule.variable}" not in before
        if is_free and rule.opening == opening and all(map(rule.fits, known)):
            return f"${rule.variable}"
    return f"$field_{len(before) + 1}"
