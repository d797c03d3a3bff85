"""Stores the values of a line in the columns that the table of section 4.2 names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ingest.parse.fields.text import logged, unescape, value
from ingest.parse.fields.times import BadTime, read_time
from ingest.parse.fields.urls import NO_URL, Url
from ingest.parse.layout.compiled import Layout
from ingest.parse.layout.meanings import COLUMNS, ONLY_TOTAL, TOTAL, Meaning
from ingest.parse.layout.places import PARTS
from ingest.parse.layout.times import read_formatted
from ingest.parse.verdict import Event
from ingest.parse.web import (
    finish_request,
    last_status,
    put_logged_client,
    put_logged_port,
    put_request,
    put_server,
    put_split_request,
    put_version,
    read_count,
    read_milliseconds,
    read_status,
    total_milliseconds,
    with_args,
)
from ingest.settings import ParseSettings

_SECOND_MS = 1000
_UNKNOWN = "-1"  # of a duration


class _Found(NamedTuple):
    """A value as logged, and what it means."""

    raw: str
    meaning: Meaning


_Chosen = dict[str, _Found]


def put_values(
    event: Event, layout: Layout, values: Sequence[str], settings: ParseSettings
) -> None:
    """Store the first `values` of `layout`, of which the rest is not known; raises BadTime."""
    found, others = _choose(layout, values)
    _put_time(event, found.pop("event_time", None), settings)
    event.values["bytes_scope"] = scope_of(layout)
    _put_client(event, found, settings)
    url = _put_request(event, layout, found)
    for target, (raw, meaning) in found.items():
        _PUTTERS.get(target, _put_text)(event, raw, meaning)
    for raw, meaning in others:
        _put_other(event, meaning.key, raw)
    finish_request(event, url, settings)


def _choose(layout: Layout, values: Sequence[str]) -> tuple[_Chosen, list[_Found]]:
    """Return what counts for each target, and the other values for one, to be kept in `extra`."""
    known = list(zip(layout.directives, values, strict=False))
    found: _Chosen = {}
    others = []
    for directive, raw in sorted(known, key=lambda pair: pair[0].meaning.rank):
        meaning = directive.meaning
        if value(raw) is None:
            continue
        if meaning.target not in found:
            found[meaning.target] = _Found(raw, meaning)
        elif found[meaning.target].raw != raw:
            others.append(_Found(raw, meaning))
    return found, others


def _put_other(event: Event, key: str, raw: str) -> None:
    """Keep a value that has no column of its own under `key`, or under one beside it."""
    number = 2
    free = key
    while free in event.extra and event.extra[free] != logged(raw):
        free = f"{key}_{number}"
        number += 1
    event.put_extra(free, logged(raw))


def _put_time(event: Event, found: _Found | None, settings: ParseSettings) -> None:
    if found is None:
        event.warnings.add("no_timestamp")
        return
    form, zone = found.meaning.time, settings.timezone
    try:
        if form is None:
            time = read_time(found.raw, event.warnings, timezone=zone)
        else:
            time = read_formatted(form, found.raw, event.warnings, timezone=zone)
    except BadTime as error:
        raise BadTime(found.raw) from error
    event.values["event_time"] = time


def scope_of(layout: Layout) -> str | None:
    """Return what the bytes that a layout logs are, None when it logs none."""
    if layout.has(ONLY_TOTAL):
        return "total"
    return "body" if layout.has("response_bytes") else None


def _put_client(event: Event, found: _Chosen, settings: ParseSettings) -> None:
    """Store the client; where it is a list itself, another list is no column's."""
    client, forwarded = found.pop("client", None), found.pop("forwarded_for", None)
    if forwarded is not None and client is not None and "," in client.raw:
        _put_other(event, forwarded.meaning.key, forwarded.raw)
    elif forwarded is not None:
        event.values["forwarded_for"] = logged(forwarded.raw)
    put_logged_client(event, client and logged(client.raw), settings)


def _put_request(event: Event, layout: Layout, found: _Chosen) -> Url:
    """Store the request line, or the request of its parts; return its URL."""
    parts = {part: found.pop(part) for part in PARTS if part in found}
    if layout.has("request"):
        raw = found.pop("request").raw if "request" in found else ""
        url = put_request(event, unescape(raw), logged=raw)
        _put_repeated(event, parts)
        return url
    text = {part: unescape(one.raw) for part, one in parts.items()}
    url = NO_URL
    if layout.has("url"):
        url = put_split_request(event, text.get("http_method"), _target(event, parts, text))
    elif "http_method" in text:
        event.values["http_method"] = text["http_method"]
    if "args" in text and "url" not in text:
        event.put_extra("args", text["args"])
    if "http_version" in text:
        put_version(event, text["http_version"])
    return url


def _put_repeated(event: Event, parts: Mapping[str, _Found]) -> None:
    """Keep the parts of a request whose request line is logged too, where they differ from it."""
    seen = {event.values.get(name) for name in ("http_method", "url_original", "url_path")}
    seen |= {event.values.get("url_query"), f"HTTP/{event.values.get('http_version')}"}
    for raw, meaning in parts.values():
        if unescape(raw).removeprefix("?") not in seen:
            _put_other(event, meaning.key, raw)


def _target(event: Event, parts: Mapping[str, _Found], text: Mapping[str, str]) -> str | None:
    """Return the target of a request that was logged in parts."""
    target, args = text.get("url"), text.get("args", "").removeprefix("?")
    if target is None or not args:
        return target
    target, other = with_args(target, args)
    if other is not None:
        _put_other(event, parts["args"].meaning.key, parts["args"].raw)
    return target


def _put_text(event: Event, raw: str, meaning: Meaning) -> None:
    if meaning.target in COLUMNS:
        event.values[meaning.target] = logged(raw)
    else:
        _put_other(event, meaning.target, raw)


def _put_scheme(event: Event, raw: str, _meaning: Meaning) -> None:
    if event.values.get("url_scheme") is None:  # an absolute URL says it too
        event.values["url_scheme"] = raw.lower()


def _put_bytes(event: Event, raw: str, _meaning: Meaning) -> None:
    event.values["response_bytes"] = read_count(event, raw)


def _put_request_bytes(event: Event, raw: str, _meaning: Meaning) -> None:
    event.values["request_bytes"] = read_count(event, raw)


def _put_total(event: Event, raw: str, _meaning: Meaning) -> None:
    event.put_extra(TOTAL, read_count(event, raw))


def _put_status(event: Event, raw: str, _meaning: Meaning) -> None:
    event.values["status_code"] = read_status(event, raw)


def _put_backend_status(event: Event, raw: str, _meaning: Meaning) -> None:
    event.put_extra("backend_status", last_status(event, raw))


def _put_duration(event: Event, raw: str, meaning: Meaning) -> None:
    """Store a duration, or keep what is none, such as decimals: they tell of another unit."""
    is_other = meaning.unit < _SECOND_MS and "." in raw
    duration = None if is_other else read_milliseconds(event, raw, unit=meaning.unit)
    event.values["duration_ms"] = duration
    if duration is None and raw != _UNKNOWN:
        event.warnings.add("invalid_number")
        _put_other(event, meaning.key, raw)


def _put_target_duration(event: Event, raw: str, meaning: Meaning) -> None:
    event.put_extra(meaning.target, total_milliseconds(event, raw, unit=meaning.unit))


def _put_server(event: Event, raw: str, _meaning: Meaning) -> None:
    put_server(event, unescape(raw))


def _put_port(event: Event, raw: str, meaning: Meaning) -> None:
    put_logged_port(event, meaning.target, raw)


_PUTTERS: Mapping[str, Callable[[Event, str, Meaning], None]] = {
    "url_scheme": _put_scheme,
    "response_bytes": _put_bytes,
    ONLY_TOTAL: _put_bytes,
    TOTAL: _put_total,
    "request_bytes": _put_request_bytes,
    "status_code": _put_status,
    "backend_status": _put_backend_status,
    "duration_ms": _put_duration,
    "target_duration_ms": _put_target_duration,
    "server_name": _put_server,
    "server_port": _put_port,
    "client_port": _put_port,
}
