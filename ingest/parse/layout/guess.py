"""Proposes a log_format string for sample lines of an unknown layout. It is never used unseen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.parse.fields.addresses import read_client
from ingest.parse.fields.quotes import closing_quote
from ingest.parse.fields.relay import relay_end
from ingest.parse.fields.text import value
from ingest.parse.fields.times import is_iso_time, is_time_text
from ingest.parse.fields.urls import read_request
from ingest.parse.layout.compiled import Layout, compile_layout
from ingest.parse.layout.cut import Cut
from ingest.parse.layout.record import read_line

_ENDS = {'"': '"', "[": "]", "{": "}"}
# What examples of nginx write before times and statuses of upstreams, in quotes or not.
_LABELS = {
    "rt=": "request_time",
    "uct=": "upstream_connect_time",
    "uht=": "upstream_header_time",
    "urt=": "upstream_response_time",
    "us=": "upstream_status",
}
_OPENING = re.compile(rf'(?:{"|".join(_LABELS)})?["\[{{]?')
# TAB as a string has it. Where all lines have one, spaces are part of values.
_TAB = r"\t"
_STATUS = re.compile("[1-5][0-9]{2}|000").fullmatch
_COUNT = re.compile("[0-9]+").fullmatch
_SECONDS = re.compile(r"[0-9]+\.[0-9]{3}").fullmatch
_MSEC = re.compile(r"[0-9]{10}\.[0-9]{3}").fullmatch
_TIMES = re.compile(r"[0-9.,: -]+").fullmatch
_ID = re.compile("[0-9a-f]{32}").fullmatch
_WORD = re.compile("[^ ]+").fullmatch
_FIVE = re.compile("[+-]?[0-9]+(?:/[+-]?[0-9]+){4}").fullmatch


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


def _are_upstreams(text: str) -> bool:
    clients = [read_client(entry.strip(" ")) for entry in text.split(",")]
    return all(client.ip is not None and client.port is not None for client in clients)


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
    _Rule("upstream_addr", '"', _are_upstreams),
    _Rule("http_x_forwarded_for", '"', _is_list),
    _Rule("http_referer", '"', _is_url),
    _Rule("http_user_agent", '"', lambda text: "/" in text),
    _Rule("status", "", _STATUS),
    _Rule("body_bytes_sent", "", _COUNT),
    _Rule("request_time", "", _SECONDS),
    _Rule("upstream_response_time", "", _SECONDS),
    _Rule("upstream_addr", "", _are_upstreams),
    _Rule("request_id", "", _ID),
)
# Between TABs these are written without quotes.
_TABBED_RULES = (
    *_RULES,
    _Rule("request", "", read_request),
    _Rule("http_user_agent", "", lambda text: text.startswith("Mozilla/")),
)
# The fields of HAProxy's HTTP log, by the names of its manual but for the times: `$tr` is two.
_HAPROXY = (
    _Rule("remote_addr", "", _is_client),
    _Rule("time_local", "[", is_time_text),
    _Rule("frontend", "", _WORD),
    _Rule("backend/$server", "", re.compile("[^/]+/.+").fullmatch),
    _Rule("receive_ms/$queue_ms/$connect_ms/$response_ms/$request_time_ms", "", _FIVE),
    _Rule("status", "", re.compile("-1|[0-9]{3}").fullmatch),
    _Rule("bytes_sent", "", _COUNT),
    _Rule("captured_request_cookie", "", _WORD),
    _Rule("captured_response_cookie", "", _WORD),
    _Rule("termination_state", "", re.compile("[A-Za-z-]{4}").fullmatch),
    _Rule("actconn/$feconn/$beconn/$srv_conn/$retries", "", _FIVE),
    _Rule("srv_queue/$backend_queue", "", re.compile("[0-9]+/[0-9]+").fullmatch),
)
# A number in front of the status may be anything: a day, a process, a time.
_BEHIND = {"body_bytes_sent": "$status"}
# What follows a client: its identity, which no server knows, and its user.
_CLIENT, _USER = "remote_addr", "remote_user"
_UNKNOWN = "$field_"


def guess(lines: Sequence[str]) -> Guess | None:
    """Return a log format of most of `lines`, None when they have none in which a value is known.

    What no rule tells is `$field_N`, for the reader to name; there is none when no rule tells any.
    """
    filled = [line[relay_end(line) :] for line in lines if line.strip(" ")]
    is_tabbed = bool(filled) and all("\t" in line for line in filled)
    shapes = {line: _cells(line) if is_tabbed else _fields(line) for line in filled}
    counts = Counter(_shape(fields) for fields in shapes.values())
    if not counts:
        return None
    usual, _ = counts.most_common(1)[0]
    rows = [fields for fields in shapes.values() if _shape(fields) == usual]
    columns = list(zip(*rows, strict=True))
    named = _names(columns, _TABBED_RULES if is_tabbed else _RULES)
    if all(name.startswith(_UNKNOWN) for name in named):
        return None
    string = _string(columns, named, separator=_TAB if is_tabbed else " ")
    layout = compile_layout(string)
    fitting = sum(_fits(layout, line) for line in lines)
    return Guess(string, fitting) if fitting else None


def _fits(layout: Layout, line: str) -> bool:
    cut = read_line(layout, line.encode(errors="replace"), set()).cut
    return isinstance(cut, Cut) and cut.closed and not cut.tail


def _cells(line: str) -> list[_Field]:
    """Return what is between TABs; a cell is quoted when a quote begins and ends it."""
    fields = []
    for cell in line.split("\t"):
        opening = cell[:1] if len(cell) > 1 and _ENDS.get(cell[:1]) == cell[-1] else ""
        fields.append(_Field(opening, cell[1:-1] if opening else cell))
    return fields


def _fields(line: str) -> list[_Field]:
    fields, at = [], 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        found = _OPENING.match(line, at)
        opening = "" if found is None else found[0]
        end = _end(line, at + len(opening), opening)
        if end < 0:
            opening, end = "", _end(line, at, "")
        fields.append(_Field(opening, line[at + len(opening) : end]))
        at = end + len(_closing(opening))
    return fields


def _closing(opening: str) -> str:
    return _ENDS.get(opening[-1:], "")


def _end(line: str, at: int, opening: str) -> int:
    """Return where the text at `at` ends; -1 when what opens it is not closed."""
    closing = _closing(opening)
    if closing == '"':
        return closing_quote(line, at)
    end = line.find(closing or " ", at)
    return len(line) if end < 0 and not closing else end


def _shape(fields: Sequence[_Field]) -> tuple[str, ...]:
    return tuple(field.opening for field in fields)


def _names(columns: Sequence[tuple[_Field, ...]], rules: Sequence[_Rule]) -> list[str]:
    named = _names_of_haproxy(columns)
    for column in columns[len(named) :]:
        named.append(_name(column, named, rules))
    return named


def _names_of_haproxy(columns: Sequence[tuple[_Field, ...]]) -> list[str]:
    """Return the variables of the first columns if all are HAProxy's, none otherwise."""
    is_haproxy = len(columns) >= len(_HAPROXY) and all(
        field.opening == rule.opening and rule.fits(field.text)
        for rule, column in zip(_HAPROXY, columns, strict=False)
        for field in column
    )
    return [f"${rule.variable}" for rule in _HAPROXY] if is_haproxy else []


def _string(columns: Sequence[tuple[_Field, ...]], named: Sequence[str], *, separator: str) -> str:
    return separator.join(
        f"{column[0].opening}{name}{_closing(column[0].opening)}"
        for column, name in zip(columns, named, strict=True)
    )


def _name(column: Sequence[_Field], before: Sequence[str], rules: Sequence[_Rule]) -> str:
    """Return the variable of `column`, or `-` where the identity of a client would be."""
    opening, texts = column[0].opening, [field.text for field in column]
    known = [text for text in texts if value(text) is not None]
    unknown = f"{_UNKNOWN}{len(before) + 1}"
    label = _LABELS.get(opening.rstrip('"['))
    if label is not None:
        return f"${label}" if all(map(_TIMES, known)) else unknown
    if not opening and before[-1:] == [f"${_CLIENT}"] and not known:
        return "-"
    if not opening and before[-2:] == [f"${_CLIENT}", "-"]:
        return f"${_USER}"
    if opening == '"' and before[-1:] == ["$body_bytes_sent"] and not known:
        return "$http_referer"
    for rule in rules if known else ():
        is_free = f"${rule.variable}" not in before
        is_in_place = _BEHIND.get(rule.variable) in (None, *before)
        fits = rule.opening == opening and all(map(rule.fits, known))
        if is_free and is_in_place and fits:
            return f"${rule.variable}"
    return unknown
