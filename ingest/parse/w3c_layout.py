"""How kernels read the fields of web requests that `w3c_fields` gives their meaning.

A kernel or one of the functions below takes each field that `put_fields` takes; where fields depend
on each other in another way than in the logs that there are, kernels read none of the lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ingest.contract import EVENTS
from ingest.parse.fields.addresses import read_client
from ingest.parse.fields.extra import WIDTH, key_of
from ingest.parse.fields.percent import decode_percent
from ingest.parse.fields.text import is_wider
from ingest.parse.fields.urls import is_method
from ingest.parse.separated import (
    MOST_COLUMNS,
    Asked,
    AskedClient,
    Count,
    Encoded,
    Member,
    Milliseconds,
    PortMember,
    Reader,
    Role,
    SecondsMember,
    Separated,
    Text,
    Unsure,
)
from ingest.parse.verdict import Event
from ingest.parse.w3c_fields import COUNTS, TEXTS, Decoder, Dialect, canonical
from ingest.parse.web import put_server, read_status, read_version
from ingest.settings import ParseSettings

_TIMES = {
    "date": Role.DATE,
    "time": Role.CLOCK,
    "timestamp(ms)": Role.EPOCH_MS,
    "timestamp": Role.EPOCH_S,
}
_EPOCHS = ("timestamp(ms)", "timestamp")
_ROLES = {
    "cs-uri-stem": Role.PATH,
    "cs-uri-query": Role.QUERY,
    "cs(referer)": Role.REFERRER,
    "cs(cookie)": Role.COOKIE,
}
_HOSTS = ("x-host-header", "cs(host)")
_PORTS = {"c-port": "client_port", "s-port": "server_port"}
_FIRST_BYTE = "time-to-first-byte"
_SERVER_BYTES = EVENTS.column("server_name").width or 0
# Of JSON around a member.
_MEMBER_BYTES = 8


def fast_layout(
    names: Sequence[str], widths: frozenset[int], settings: ParseSettings, dialect: Dialect
) -> Separated | None:
    """Return how kernels read lines with the columns `names`, None when they cannot.

    A line has all of them, or as many as one of `widths` says. The delimiter is still to be set.
    """
    if len(names) > MOST_COLUMNS:
        return None
    declared = dict.fromkeys(names, "")
    slots = {canonical(name, declared): slot for slot, name in enumerate(names)}
    if not _can_be_read(slots, dialect):
        return None
    # The first host that is logged counts, whatever the order of the columns.
    if dialect.stem_has_query:
        slots.setdefault("cs-uri-query", len(names))
    in_order = sorted(slots, key=lambda name: name != _HOSTS[0])
    readers = tuple(
        (slots[name], reader) for name in in_order for reader in _readers(name, settings, dialect)
    )
    if not _fits_extra(readers):
        return None
    return Separated(
        delimiter="",
        width=len(names),
        widths=frozenset(width for width in (*widths, len(names)) if width <= len(names)),
        readers=readers,
        path_has_query=dialect.stem_has_query,
        usual={"bytes_scope": "total"},
    )


def _can_be_read(slots: Mapping[str, int], dialect: Dialect) -> bool:
    has_time = any(map(slots.__contains__, _EPOCHS)) or {"date", "time"} <= slots.keys()
    has_half = ("date" in slots) != ("time" in slots)
    # Which of these counts depends on which is logged.
    has_two = "timestamp" in slots and not slots.keys().isdisjoint(_TIMES.keys() - {"timestamp"})
    # Both hosts: the second is text of `extra`, unless it is the only one that is logged.
    has_hosts = set(_HOSTS) <= slots.keys() and _HOSTS[1] not in dialect.extras
    has_other_time = _FIRST_BYTE in slots and dialect.duration_unit != 1000
    is_odd = has_half or has_two or has_hosts or has_other_time
    return has_time and "cs-uri-stem" in slots and not is_odd


def _fits_extra(readers: Sequence[tuple[int, Reader]]) -> bool:
    """Return whether the keys of `extra` differ, and all that a line says fits."""
    keys = [r.key for _, r in readers if isinstance(r, Member | PortMember | SecondsMember)]
    size = sum(len(key) + _MEMBER_BYTES for key in keys)
    # All that a line says takes less than the other half.
    return len(set(keys)) == len(keys) and all(keys) and size <= WIDTH // 2


def _readers(name: str, settings: ParseSettings, dialect: Dialect) -> Iterator[Reader]:
    """Yield what reads the field `name`."""
    decoder = dialect.decoders.get(name)
    if name in _TIMES:
        yield _TIMES[name]
    elif name in _ROLES and decoder in (None, decode_percent):
        yield _ROLES[name] if decoder is None else Encoded(_ROLES[name])
    elif name in COUNTS:
        yield Count(COUNTS[name])
    elif name in TEXTS and decoder is None and name not in _PUTS:
        yield Text(TEXTS[name])
    elif name == "time-taken":
        yield Milliseconds("duration_ms", int(dialect.duration_unit))
    elif name == _FIRST_BYTE:
        yield SecondsMember("ttfb_ms")
    elif name in _PORTS:
        yield PortMember(_PORTS[name])
    elif name in TEXTS:
        yield Asked(partial(_PUTS.get(name, _put_text), TEXTS[name], decoder, settings))
    elif name == "c-ip":
        yield AskedClient(_put_client)
    elif name in _ASKED:
        yield Asked(_ASKED[name])
    elif name not in dialect.extras:
        yield Member(key_of(name))
    if name in dialect.extras:
        yield Member(dialect.extras[name])


def _put_text(
    column: str, decoder: Decoder | None, _settings: ParseSettings, event: Event, text: str
) -> None:
    event.values[column] = text if decoder is None else decoder(text, event.warnings)


def _put_forwarded(
    column: str, decoder: Decoder | None, settings: ParseSettings, event: Event, text: str
) -> None:
    if settings.client_from != "host":
        raise Unsure
    _put_text(column, decoder, settings, event, text)


def _put_cookie(
    column: str, decoder: Decoder | None, settings: ParseSettings, event: Event, text: str
) -> None:
    if settings.session_parameter in text:
        raise Unsure
    if settings.keep_cookie:
        _put_text(column, decoder, settings, event, text)


def _put_client(event: Event, text: str) -> None:
    event.put_client(read_client(text))


def _put_status(event: Event, text: str) -> None:
    event.values["status_code"] = read_status(event, text)


def _put_method(event: Event, text: str) -> None:
    if not is_method(text):
        raise Unsure
    event.values["http_method"] = text


def _put_scheme(event: Event, text: str) -> None:
    event.values["url_scheme"] = text.lower()


def _put_version(event: Event, text: str) -> None:
    version = read_version(text)
    if version is None:
        raise Unsure
    event.values["http_version"] = version


def _put_server(event: Event, text: str) -> None:
    put_server(event, text)
    # One that is cut warns, unless another host is taken.
    if not event.values["server_name"] or is_wider(text, _SERVER_BYTES):
        raise Unsure


_PUTS = {"x-forwarded-for": _put_forwarded, "cs(cookie)": _put_cookie}
_ASKED = {
    "sc-status": _put_status,
    "cs-method": _put_method,
    "cs-protocol": _put_scheme,
    "cs-protocol-version": _put_version,
    **dict.fromkeys(_HOSTS, _put_server),
}
