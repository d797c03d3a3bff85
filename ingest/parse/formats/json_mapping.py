"""Any JSON lines, by a table of where each column is: `json_mapping`, section 4.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ingest.contract import EVENT_TYPES, EVENTS
from ingest.parse.fields.parameters import shop_counts
from ingest.parse.fields.urls import NO_URL, Url, domain_of
from ingest.parse.format import ParserOfLines
from ingest.parse.json_keys import (
    Found,
    Key,
    Keys,
    find,
    finish_with,
    put_client,
    put_found,
)
from ingest.parse.json_lines import EMPTY, Shape, json_format, shape_parser
from ingest.parse.json_object import Members, Path, path_of
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.parse.separated import Unsure
from ingest.parse.verdict import Event
from ingest.parse.web import put_request, put_split_request, put_url
from ingest.settings import ParseSettings

GRAMMAR = r"""
The setting `mapping` says where in the object each column is: `column = "path"`. A path is the
names of members joined by dots; `\.` is a dot in a name, a number the index of an array.

column          any column of the event but those that the job fills itself
request         METHOD target HTTP/1.1
url             a URL or a request target, which fills url_*
extra.KEY       a key of extra

Values are in the unit of their column; the setting `time_unit` (auto, s, ms, us) is that of
event_time. Members that are not mapped are kept in extra.""".strip()
_EXTRA = "extra."
_TARGETS = ("request", "url")
# What the job fills itself, and what follows from other columns.
_FILLED = frozenset(
    (
        "event_id", "batch_id", "event_date", "ingest_time", "source_format", "source_file",
        "source_offset", "source_line", "parse_status", "parse_warnings", "referrer_domain",
        "extra",
    )
)  # fmt: skip
_CLIENTS = ("client_address", "client_ip")
_COLUMNS = tuple(column.name for column in EVENTS.columns if column.name not in _FILLED)
# What other formats know from other parts of the event.
_UNUSUAL = frozenset(
    ("bytes_scope", "purchase_count", "view_count", "url_original", "url_path", "url_query")
)
_CHOICES = {"event_type": EVENT_TYPES, "bytes_scope": frozenset(("body", "total"))}


@dataclass(frozen=True, slots=True)
class _Table:
    """A mapping as it is read: the places of texts, and of values that go to `extra`."""

    keys: Keys
    extra: dict[str, Path]


@cache
def _table(settings: ParseSettings) -> _Table:
    mapping = dict(settings.mapping or ())
    unit = None if settings.time_unit == "auto" else settings.time_unit
    places = {name: path_of(path) for name, path in mapping.items()}
    client = [Key((places[name],)) for name in _CLIENTS if name in places]
    keys: dict[str, Sequence[Key]] = {
        name: (Key((path,), unit if name == "event_time" else None),)
        for name, path in places.items()
        if name not in _CLIENTS and not name.startswith(_EXTRA)
    }
    extra = {
        name.removeprefix(_EXTRA): path for name, path in places.items() if name.startswith(_EXTRA)
    }
    return _Table({**keys, **({"client": client} if client else {})}, extra)


def problems(settings: ParseSettings) -> list[str]:
    """Return what is wrong with the mapping."""
    if settings.mapping is None:
        return ['json_mapping needs `mapping`: where each column is, such as event_time = "ts"']
    wrong = [repr(name) for name, _ in settings.mapping if not _is_target(name)]
    if not wrong:
        return []
    targets = ", ".join((*_TARGETS, "extra.KEY", *_COLUMNS))
    return [f"mapping: {', '.join(wrong)} cannot be mapped; use {targets}"]


def _is_target(name: str) -> bool:
    return name in (*_COLUMNS, *_TARGETS) or name.removeprefix(_EXTRA) not in ("", name)


def put(event: Event, members: Members, settings: ParseSettings) -> None:
    """Store one object of the user's own format."""
    table = _table(settings)
    found = _taken(event, members, table)
    _keep_unknown(event, found)
    if {"client", "forwarded_for"} & table.keys.keys():
        put_client(event, found, settings)
    url = _put_request(event, found, table)
    put_found(event, found, settings)
    _put_bytes_scope(event, found)
    _finish(event, url, settings, found=found)


def _taken(event: Event, members: Members, table: _Table) -> dict[str, Found]:
    """Take away the texts of all targets, and keep what is mapped to `extra`."""
    sent = {name: members.kept(path) for name, path in table.extra.items()}
    found = find(members, table.keys)
    for name, path in table.extra.items():
        if sent[name] is not None:
            event.put_extra(name, sent[name])
            members.drop(path)
    return found


def take(event: Event, members: Members, settings: ParseSettings) -> dict[str, Found] | None:
    """Take what is mapped as other formats log it, else return None."""
    table = _table(settings)
    found = _taken(event, members, table)
    if "request" in table.keys:
        is_usual = "request" in found
    else:
        is_usual = "http_method" not in found or "url" in found
    if not is_usual or _UNUSUAL & found.keys():
        return None
    _put_bytes_scope(event, found)
    return found


def finish(event: Event) -> None:
    """Store the type of an event that is no web request; raises Unsure for an unknown one."""
    event_type = event.values.setdefault("event_type", "other")
    if event_type not in EVENT_TYPES:
        raise Unsure
    event.values |= shop_counts(event_type)


def _keep_unknown(event: Event, found: dict[str, Found]) -> None:
    """Keep in `extra` what is not in the closed list of its column."""
    for name, choices in _CHOICES.items():
        if name in found and found[name].text not in choices:
            event.put_extra(name, found.pop(name).text)


def _put_request(event: Event, found: dict[str, Found], table: _Table) -> Url:
    text = {name: one.text for name, one in found.items()}
    if "request" in table.keys:
        return put_request(event, text.get("request", ""))
    if {"url", "http_method"} <= table.keys.keys():
        return put_split_request(event, text.get("http_method"), text.get("url"))
    event.values["http_method"] = text.get("http_method")
    if "url" in text:
        return put_url(event, text["url"])
    path, query = text.get("url_path"), text.get("url_query")
    return Url(path=path, query=query) if path or query else NO_URL


def _put_bytes_scope(event: Event, found: dict[str, Found]) -> None:
    if "bytes_scope" not in found and {"request_bytes", "response_bytes"} & found.keys():
        event.values["bytes_scope"] = "body"


def _finish(event: Event, url: Url, settings: ParseSettings, *, found: dict[str, Found]) -> None:
    if event.values.get("http_method") is not None:
        finish_with(event, url, settings, found=found)
        return
    event_type = event.values.setdefault("event_type", "other")
    event.values = {**shop_counts(event_type), **event.values}
    event.values["referrer_domain"] = domain_of(event.values.get("referrer"))
    if not settings.keep_cookie:
        event.values["cookie"] = None


def _any(_value: dict[str, Any]) -> bool:
    return True


_SHAPE = Shape(
    name="json_mapping", rank=9, fits=_any, put=put, take=take, finish=finish, nulls=EMPTY
)


def own_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object, whose events have the name that the user chose."""
    return shape_parser(replace(_SHAPE, name=settings.format), identity, settings)


_FORMAT = json_format(
    _SHAPE,
    description="any JSON lines, by your own table of columns and places",
    grammar=GRAMMAR,
    reads=frozenset(("mapping", "time_unit")),
    problems=problems,
    named_by="mapping",
)
register(replace(_FORMAT, parser=own_parser))
