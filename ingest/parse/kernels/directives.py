"""The fast path of log format strings: their usual lines, by what the string says.

What it handles comes out exactly as from the reference parser, `layout.record`, which is its oracle
and gets all other lines.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.contract import EVENTS
from ingest.parse.fields.prefix import is_user
from ingest.parse.fields.text import unescape
from ingest.parse.kernels import rules
from ingest.parse.kernels.answers import merged
from ingest.parse.kernels.columns import DictionaryColumn, column, constant, holds
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.events import (
    SCHEMA,
    Columns,
    place_columns,
    read_pieces,
    shop_columns,
    table_of,
    time_columns,
)
from ingest.parse.kernels.laid_out import Numbers, Values
from ingest.parse.kernels.members import members_column
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.readers import Encoder, Request, Span, read_parameters, version_column
from ingest.parse.kernels.requests import rows_without_session
from ingest.parse.kernels.words import Positions
from ingest.parse.layout.meanings import COLUMNS, ONLY_TOTAL
from ingest.parse.layout.put import scope_of
from ingest.parse.layout.reading import Reading
from ingest.parse.model import Identity, Lines
from ingest.parse.verdict import Event
from ingest.parse.web import last_status, put_server, read_version
from ingest.settings import ParseSettings

_DICTIONARIES: Final = frozenset(c.name for c in EVENTS.columns if c.dictionary)
# Targets that are texts of a column, but not of that name as they are logged.
_OTHERS: Final = frozenset(
    (
        "event_time", "http_method", "http_version", "url_scheme", "server_name", "status_code",
        "request_bytes", "response_bytes", "duration_ms",
    )
)  # fmt: skip
# With another text in front of it the time may be elsewhere.
_GATEWAY_USER: Final = re.compile(r'[^"\[]*')
_PEOPLE: Final = ("ident", "user_name")
_NONE: Final = -1


def parse_layout(
    lines: Lines, identity: Identity, settings: ParseSettings, *, reading: Reading
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of a usual shape; see `read_pieces`."""
    read = partial(_read, identity=identity, settings=settings, reading=reading)
    return read_pieces(lines, settings, read)


def _read(
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    reading: Reading,
) -> tuple[Positions, pa.Table]:
    values = Values(lines, settings, reading)
    micros, zoned = values.times()
    counts = values.counts()
    request, referrer = values.request(), values.referrer()
    parameters = read_parameters(values.buffer, values.plain, request.query, referrer.query, names)
    values.settle_members(request)
    if settings.timezone != "UTC":
        values.doubt(~zoned)
    if settings.client_from != "host":
        begins, stops = values.span("forwarded_for")
        values.doubt(begins != stops)
    rows = np.flatnonzero(values.plain).astype(np.uint32)
    encoder = Encoder(values.buffer, rows)
    bad = _bad_requests(values, request, encoder)
    columns = place_columns(rows, lines, identity, settings)
    columns |= time_columns(micros[rows], identity, settings, bad_request=bad, no_zone=~zoned[rows])
    columns |= _texts(values, encoder) | _numbers(values, counts, rows)
    columns |= _url(values, request, encoder, counts)
    columns["referrer_domain"] = encoder.asked(referrer.origin, rules.host_of).column()
    columns[SESSION] = cut(values.buffer, *parameters.pop(SESSION), rows)
    columns |= shop_columns(
        {name: decoded(encoder.texts(span)) for name, span in parameters.items()}
    )
    members = {name: found for name, found in counts.items() if name not in COLUMNS}
    members.pop(ONLY_TOTAL, None)
    columns["extra"], sure = members_column(values, members, rows)
    keep = encoder.valid & sure & rows_without_session(columns, settings)
    if not settings.keep_cookie:
        columns.pop("cookie", None)
    table = table_of(columns, rows.size)
    return (rows, table) if keep.all() else (rows[keep], table.filter(pa.array(keep)))


def _bad_requests(
    values: Values, request: Request, encoder: Encoder
) -> npt.NDArray[np.bool_] | bool:
    """Return which requests need a warning; notes what of them goes to `extra`."""
    if "request" not in values.slots:
        return False
    encoder.check(request.odd, rules.is_bad_request)
    begins, stops = request.odd
    values.places[:, values.odd, : values.size] = begins, stops
    bad: npt.NDArray[np.bool_] = request.versions[encoder.rows] < 0
    return bad


def _texts(values: Values, encoder: Encoder) -> Columns:
    """Return the columns of texts that stand alone, and of the clients."""
    columns = _clients(values, encoder)
    for slot, directive in enumerate(values.directives):
        if values.reading.of_gateway and directive.meaning.target in _PEOPLE:
            encoder.check(values.at(slot), _GATEWAY_USER.fullmatch)
        elif directive.meaning.fits is is_user:
            encoder.check(values.at(slot), is_user)
    for target in values.slots.keys() & COLUMNS - _OTHERS:
        span = values.span(target)
        columns[target] = _text(values, encoder, target, span)
    return columns


def _text(values: Values, encoder: Encoder, name: str, span: Span) -> pa.Array:
    if name in _DICTIONARIES:
        return rules.unescaped(encoder.texts(span)).column()
    texts = cut(values.buffer, *span, encoder.rows)
    if not holds(texts, b"\\"):
        return texts
    return rules.unescaped(encoder.texts(span)).texts()


def _clients(values: Values, encoder: Encoder) -> Columns:
    tokens = encoder.texts(values.span("client"))
    addresses, known = rules.read_clients(tokens, rules.client_alone)
    if values.reading.of_gateway:
        encoder.valid &= known & (addresses.codes >= 0)
    else:
        encoder.valid &= known | (tokens.codes < 0)
    return {"client_ip": addresses.column(), "client_address": tokens.column()}


def _numbers(values: Values, counts: dict[str, Numbers], rows: Positions) -> Columns:
    """Return the columns of numbers."""
    columns = {}
    scope = scope_of(values.reading.layouts[0])
    if scope is not None:
        columns["bytes_scope"] = constant(scope, rows.size)
    for target, found in counts.items():
        name = "response_bytes" if target == ONLY_TOTAL else target
        if name in COLUMNS:
            taken = found[rows]
            kind = SCHEMA.field(name).type.to_pandas_dtype()
            numbers = taken / 1000 if name == "duration_ms" else taken.astype(kind, copy=False)
            columns[name] = column(numbers, taken < 0)
    return columns


def _url(values: Values, request: Request, encoder: Encoder, counts: dict[str, Numbers]) -> Columns:
    """Return the columns of requests and servers; adds the numbers of `extra` to `counts`."""
    origins = encoder.texts(request.origin)
    _add(values, counts, "url_port", rules.url_ports(origins), encoder)
    _add(values, counts, "backend_status", _backend_statuses(values, encoder), encoder)
    schemes = [encoder.ask(origins, rules.scheme_of), _own_schemes(values, encoder)]
    return {
        "http_method": _methods(values, request, encoder).column(),
        "http_version": _versions(values, request, encoder).column(),
        "url_original": cut(values.buffer, *request.target, encoder.rows),
        "url_scheme": merged(schemes).texts(),
        "url_domain": encoder.ask(origins, rules.host_of).texts(),
        "url_path": cut(values.buffer, *request.path, encoder.rows),
        "url_query": cut(values.buffer, *request.query, encoder.rows),
        "server_name": _servers(values, encoder, counts).texts(),
    }


def _add(
    values: Values, counts: dict[str, Numbers], name: str, found: Numbers, encoder: Encoder
) -> None:
    """Add a number of each row to `counts`, where there is one; doubt those that have another."""
    if not found.size or found.max() < 0:
        return
    numbers = counts.setdefault(name, np.full(values.size, _NONE, dtype=np.int64))
    encoder.valid &= (numbers[encoder.rows] < 0) | (found < 0)
    numbers[encoder.rows] = np.maximum(numbers[encoder.rows], found)


def _own_schemes(values: Values, encoder: Encoder) -> DictionaryColumn:
    return encoder.texts(values.span("url_scheme")).map(
        lambda sent: [text.lower() for text in sent]
    )


def _methods(values: Values, request: Request, encoder: Encoder) -> DictionaryColumn:
    if values.slots.keys() & {"request", "url"}:
        return encoder.asked(request.method, rules.method_of)
    return encoder.texts(request.method)


def _versions(values: Values, request: Request, encoder: Encoder) -> DictionaryColumn:
    if "request" in values.slots:
        return version_column(request.versions[encoder.rows])
    return encoder.asked(values.span("http_version"), read_version)


def _backend_statuses(values: Values, encoder: Encoder) -> Numbers:
    """Return the last status of each list; doubts those that need a warning."""
    texts = encoder.texts(values.span("backend_status"))
    events = [Event() for _ in range(len(texts.values))]
    pairs = zip(events, texts.values.to_pylist(), strict=True)
    found = [last_status(event, text) for event, text in pairs]
    return _numbers_of(texts, found, events, encoder)


def _servers(values: Values, encoder: Encoder, counts: dict[str, Numbers]) -> DictionaryColumn:
    """Return the hosts that were asked for; adds their ports to `counts`."""
    texts = encoder.texts(values.span("server_name"))
    events = [Event() for _ in range(len(texts.values))]
    for event, text in zip(events, texts.values.to_pylist(), strict=True):
        put_server(event, unescape(text))
    found = [event.extra.get("server_port") for event in events]
    ports = _numbers_of(texts, found, events, encoder)
    _add(values, counts, "server_port", ports, encoder)
    return texts.map(lambda _: [event.values["server_name"] for event in events])


def _numbers_of(
    texts: DictionaryColumn, found: list[int | None], events: list[Event], encoder: Encoder
) -> Numbers:
    """Return the number that was `found` of each row's text; doubts those that need a warning."""
    warned = np.array([*(bool(event.warnings) for event in events), False])
    encoder.valid &= ~warned[texts.codes]
    numbers = [_NONE if number is None else number for number in [*found, None]]
    return np.array(numbers, dtype=np.int64)[texts.codes]
