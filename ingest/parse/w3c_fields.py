"""What the fields of web requests mean that are named as in W3C's extended log format.

CloudFront's logs (sections 4.6 to 4.8 of the format specification) and those of IIS share most
names; a dialect says where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ingest.parse.fields.addresses import read_client
from ingest.parse.fields.extra import key_of
from ingest.parse.fields.text import value
from ingest.parse.fields.times import BadTime, read_epoch, read_utc
from ingest.parse.fields.urls import NO_URL, Url, is_method
from ingest.parse.verdict import Event
from ingest.parse.web import (
    finish_request,
    put_bad_request,
    put_client,
    put_logged_port,
    put_path,
    put_server,
    put_split_request,
    read_count,
    read_milliseconds,
    read_status,
    read_version,
)
from ingest.settings import ParseSettings

# What is logged -> what was sent; what cannot be decoded is added to the warnings.
Decoder = Callable[[str, set[str]], str]
_ALIASES = {
    "cs-host": "cs(host)",
    "cs-user-agent": "cs(user-agent)",
    "cs-referer": "cs(referer)",
    "cs-cookie": "cs(cookie)",
    "cs(x-forwarded-for)": "x-forwarded-for",
    "cs-version": "cs-protocol-version",
}
TEXTS = {
    "cs(referer)": "referrer",
    "cs(user-agent)": "user_agent",
    "cs(cookie)": "cookie",
    "x-forwarded-for": "forwarded_for",
    "x-edge-request-id": "native_id",
    "cs-username": "user_name",
}
COUNTS = {"sc-bytes": "response_bytes", "cs-bytes": "request_bytes"}
# The first that is logged counts: a time in milliseconds says more.
_EPOCHS = {"timestamp(ms)": "ms", "timestamp": "s"}
# Longer names stay out of the cache.
_MAX_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one producer writes the fields.

    `duration_unit` is that of its durations, in milliseconds; `extras` names the keys of `extra`
    that have a spelling of their own. `stem_has_query`: the query is logged behind the path.
    """

    duration_unit: float
    decoders: Mapping[str, Decoder]
    extras: Mapping[str, str] = field(default_factory=dict)
    stem_has_query: bool = False


@dataclass(slots=True)
class _Record:
    """The fields of a record that were not taken yet; what is null is not among them."""

    rest: dict[str, str]
    declared: frozenset[str]
    dialect: Dialect
    warnings: set[str]

    def take(self, name: str) -> str | None:
        """Return the field `name` as it was sent, None when nothing is logged."""
        text = self.rest.pop(name, None)
        return None if text is None else self.decoded(name, text)

    def decoded(self, name: str, text: str) -> str | None:
        decoder = self.dialect.decoders.get(name)
        return (text if decoder is None else decoder(text, self.warnings)) or None


def put_fields(
    event: Event, fields: Mapping[str, str], settings: ParseSettings, dialect: Dialect
) -> None:
    """Store a web request of which `fields` are the names, in lower case, and texts as logged.

    Null texts are among them: a request that is declared but not logged is a bad one. Raises
    BadTime.
    """
    named = {canonical(name, fields): text for name, text in fields.items()}
    logged = {name: text for name, text in named.items() if value(text) is not None}
    record = _Record(logged, frozenset(named), dialect, event.warnings)
    event.values["bytes_scope"] = "total"
    _put_time(event, record)
    for name, column in TEXTS.items():
        event.values[column] = record.take(name)
    for name, column in COUNTS.items():
        event.values[column] = read_count(event, record.take(name) or "")
    event.values["status_code"] = read_status(event, record.take("sc-status") or "")
    event.values["duration_ms"] = _duration(event, record, "time-taken")
    event.put_extra("ttfb_ms", _duration(event, record, "time-to-first-byte"))
    _put_ends(event, record, settings)
    url = _put_request(event, record)
    _put_protocol(event, record)
    _put_rest(event, record)
    finish_request(event, url, settings)


def canonical(name: str, fields: Mapping[str, str]) -> str:
    """Return the usual name of a field among `fields`."""
    known = _ALIASES.get(name)
    return name if known is None or known in fields else known


def _put_time(event: Event, record: _Record) -> None:
    epochs = [(name, record.take(name)) for name in _EPOCHS]
    field, epoch = next(filter(lambda logged: logged[1], epochs), ("date", None))
    date, time = record.take("date"), record.take("time")
    logged = epoch or f"{date} {time}"
    try:
        if epoch is not None:
            event.values["event_time"] = read_epoch(epoch, unit=_EPOCHS[field])
        elif date is not None and time is not None:
            event.values["event_time"] = read_utc(logged, event.warnings)
    except BadTime as error:
        raise BadTime(logged, field) from error
    if epoch is None and (date is None or time is None):
        event.warnings.add("no_timestamp")
        event.put_extra("date", date)
        event.put_extra("time", time)


def _duration(event: Event, record: _Record, name: str) -> float | None:
    text = record.take(name) or ""
    return read_milliseconds(event, text, unit=record.dialect.duration_unit)


def _put_ends(event: Event, record: _Record, settings: ParseSettings) -> None:
    """Store who asked, and which server; forwarded_for is stored already."""
    put_client(event, read_client(record.take("c-ip") or ""), settings)
    # With the setting client_from the port is not that of the client.
    own = "c_port" if "peer_address" in event.extra else "client_port"
    for name, key in (("c-port", own), ("s-port", "server_port")):
        port = record.take(name)
        if port is not None:
            put_logged_port(event, key, port)
    for name, key in record.dialect.extras.items():
        event.put_extra(key, record.rest.get(name))
    server = record.take("x-host-header") or record.take("cs(host)")
    if server is not None:
        put_server(event, server)
    for name in record.dialect.extras:
        record.rest.pop(name, None)


def _put_request(event: Event, record: _Record) -> Url:
    method, path, query = _request(record)
    if "cs-uri-stem" not in record.declared:
        if method is not None and not is_method(method):
            return put_bad_request(event, method)
        event.values["http_method"] = method
        return NO_URL
    if path is None or not path.startswith("/") or not (method is None or is_method(method)):
        target = path if path is None or query is None else f"{path}?{query}"
        return put_split_request(event, method, target)
    event.values["http_method"] = method
    return put_path(event, path, query)


def _request(record: _Record) -> tuple[str | None, str | None, str | None]:
    """Take method, path and query, decoded.

    A query that differs from the one behind the path stays in the record.
    """
    stem, query = record.rest.pop("cs-uri-stem", ""), record.rest.pop("cs-uri-query", "")
    if record.dialect.stem_has_query:
        stem, _, behind = stem.partition("?")
        if behind and query not in ("", behind):
            record.rest["cs-uri-query"] = query
        query = behind or query
    return (
        record.take("cs-method"),
        record.decoded("cs-uri-stem", stem),
        record.decoded("cs-uri-query", query),
    )


def _put_protocol(event: Event, record: _Record) -> None:
    scheme = record.take("cs-protocol")
    if scheme is not None:
        event.values["url_scheme"] = scheme.lower()
    name = "cs-protocol-version"
    version = read_version(record.rest.get(name, ""))
    if version is not None:
        del record.rest[name]
        event.values["http_version"] = version


def _put_rest(event: Event, record: _Record) -> None:
    """Keep all other fields in `extra`; where a key of ours is already, in `unplaced`."""
    unplaced = {}
    for name, text in record.rest.items():
        key = _key(name) if len(name) <= _MAX_NAME else key_of(name)
        if key in event.extra or not key:
            unplaced[name] = text
        else:
            event.extra[key] = text
    if unplaced:
        event.warnings.add("unplaced_text")
        event.put_extra("unplaced", unplaced)


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    return key_of(name)
