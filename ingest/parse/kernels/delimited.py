"""The fast path of formats with a blank between fields: their usual lines, by what they declare.

What it handles comes out exactly as from the format's reference parser, which is its oracle and
gets all other lines: those that need a warning beside those of times, a text that JSON escapes, or
what a kernel is not sure of.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels import rules
from ingest.parse.kernels.columns import DictionaryColumn, Mask, column, constant, null_column
from ingest.parse.kernels.declared import Field, Shape, Value
from ingest.parse.kernels.events import (
    SCHEMA,
    Columns,
    place_columns,
    read_pieces,
    rows_without_path_session,
    shop_columns,
    table_of,
    time_columns,
)
from ingest.parse.kernels.extra import (
    MILLISECONDS,
    NUMBER,
    TEXT,
    TEXTS,
    Item,
    Plan,
    plan_of,
    write_extra,
)
from ingest.parse.kernels.fields import COLUMNS, DICTIONARIES, Fields
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.readers import (
    Encoder,
    Request,
    read_parameters,
    version_column,
)
from ingest.parse.kernels.texts import cut
from ingest.parse.kernels.words import Positions
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

_DURATIONS = (Value.SECONDS, Value.MILLISECONDS)
_NUMBERS = (Value.COUNT, Value.STATUS)
_SERVER = "server_name"


def parse_delimited(
    lines: Lines, identity: Identity, settings: ParseSettings, shape: Shape
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of `shape`; see `read_pieces`."""
    read = partial(_read, identity=identity, settings=settings, shape=shape)
    return read_pieces(lines, settings, read)


def _read(
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    shape: Shape,
) -> tuple[Positions, pa.Table]:
    fields = Fields(lines, settings, shape)
    fields.read()
    request, referrer = fields.request(), fields.referrer()
    values = read_parameters(lines.buffer, fields.plain, request.query, referrer.query, names)
    events = _Events(fields, request)
    rows, encoder, kinds = events.rows, events.encoder, events.kinds()
    bad = events.bad_requests(kinds)
    columns = place_columns(rows, lines, identity, settings)
    columns |= time_columns(fields.micros[rows], identity, settings, bad_request=bad)
    columns |= events.texts() | events.numbers() | events.url()
    columns["referrer_domain"] = encoder.asked(referrer.origin, rules.host_of).column()
    columns[SESSION] = cut(lines.buffer, *values.pop(SESSION), rows)
    shop = {name: decoded(encoder.texts(span)) for name, span in values.items()}
    columns |= shop_columns(shop, kinds)
    columns["extra"], sure = events.extra_column()
    keep = encoder.valid & sure
    without = rows_without_path_session(columns["url_path"], settings)
    keep = keep if without is None else keep & without
    table = table_of(columns, rows.size)
    return (rows, table) if keep.all() else (rows[keep], table.filter(pa.array(keep)))


@lru_cache(maxsize=16)
def _plan(shape: Shape) -> Plan:
    """Return what of the lines of `shape` goes to `extra`."""
    items = [item for slot, field in enumerate(shape.fields) for item in _items(slot, field)]
    count = len(shape.fields)
    more = (Item("extra_fields", TEXTS, count), Item("request_line", TEXT, count + 1))
    return plan_of([*items, *more])


def _items(slot: int, field: Field) -> Iterator[Item]:
    if field.value is Value.HOST_PORT:
        yield Item("client_port", NUMBER, slot)
    elif field.value is Value.REQUEST:
        yield Item("url_port", NUMBER, slot)
    elif field.target is not None and field.target not in COLUMNS:
        kinds = {Value.TEXT: TEXT, **dict.fromkeys(_NUMBERS, NUMBER)}
        yield Item(field.target, kinds.get(field.value, MILLISECONDS), slot)


class _Events:
    """The columns of the lines that are still plain when all kernels have run."""

    def __init__(self, fields: Fields, request: Request) -> None:
        self._fields = fields
        self._request = request
        self.rows = fields.rows()
        self.encoder = Encoder(fields.buffer, self.rows)

    def bad_requests(self, kinds: DictionaryColumn | None) -> Mask:
        """Return which requests need a warning; notes what of them goes to `extra`."""
        self.encoder.check(self._request.odd, rules.is_bad_request)
        begins, stops = self._request.odd[0][self.rows], self._request.odd[1][self.rows]
        bad = self._request.versions[self.rows] < 0
        if not self._fields.shape.needs_request:
            bad &= begins != stops
        if kinds is not None and self._fields.request_field()[1].event_type is not None:
            bad &= kinds.codes < 0
        self._fields.places[:, -1, self.rows] = begins, np.where(bad, stops, begins)
        return bad

    def texts(self) -> Columns:
        """Return the columns of texts but the server's, which the URL may name."""
        columns = self._clients()
        for slot, field in self._fields.of(Value.TEXT):
            span = self._fields.span(slot)
            if field.check is not None:
                self.encoder.check(span, field.check)
            if field.target in DICTIONARIES:
                columns[field.target] = self._unescaped(self.encoder.texts(span)).column()
            elif field.target in COLUMNS and field.target != _SERVER:
                columns[field.target] = cut(self._fields.buffer, *span, self.rows)
        return columns

    def _unescaped(self, texts: DictionaryColumn) -> DictionaryColumn:
        return rules.unescaped(texts) if self._fields.shape.escapes else texts

    def _clients(self) -> Columns:
        ((slot, field),) = self._fields.of(Value.CLIENT, Value.HOST_PORT)
        begins, stops = span = self._fields.span(slot)
        host = (begins, self._fields.hosts) if field.value is Value.HOST_PORT else span
        addresses, known = rules.read_clients(self.encoder.texts(host), rules.client_alone)
        self.encoder.valid &= known | (begins == stops)[self.rows]
        tokens = self.encoder.texts(span)
        return {"client_ip": addresses.column(), "client_address": tokens.column()}

    def numbers(self) -> Columns:
        """Return the columns of numbers."""
        columns = {"bytes_scope": constant(self._fields.shape.bytes_scope, self.rows.size)}
        for slot, field in self._fields.of(*_NUMBERS):
            if field.target in COLUMNS:
                numbers = self._fields.numbers[slot][self.rows]
                kind = SCHEMA.field(field.target).type.to_pandas_dtype()
                columns[field.target] = column(numbers.astype(kind), numbers < 0)
        return columns | self._duration()

    def _duration(self) -> Columns:
        slots = [slot for slot, _ in self._fields.of(*_DURATIONS)]
        durations = [self._fields.numbers[slot][self.rows] for slot in slots]
        if not durations:
            return {}
        unknown = np.logical_or.reduce([micros < 0 for micros in durations])
        return {"duration_ms": column(sum(durations) / 1000, unknown)}

    def url(self) -> Columns:
        """Return the columns of the requests, and the servers; notes the ports."""
        slot, _ = self._fields.request_field()
        origins = self.encoder.texts(self._request.origin)
        self._fields.numbers[slot, self.rows] = rules.url_ports(origins)
        domains = self.encoder.ask(origins, rules.host_of)
        return {
            "http_method": self.encoder.asked(self._request.method, rules.method_of).column(),
            "http_version": version_column(self._request.versions[self.rows]).column(),
            "url_original": cut(self._fields.buffer, *self._request.target, self.rows),
            "url_scheme": self.encoder.ask(origins, rules.scheme_of).texts(),
            "url_domain": domains.texts(),
            "url_path": cut(self._fields.buffer, *self._request.path, self.rows),
            "url_query": cut(self._fields.buffer, *self._request.query, self.rows),
            _SERVER: self._servers(domains).texts(),
        }

    def _servers(self, domains: DictionaryColumn) -> DictionaryColumn:
        servers = null_column(domains.codes.size)
        for slot, field in self._fields.of(Value.TEXT):
            if field.target == _SERVER:
                servers = self.encoder.texts(self._fields.span(slot))
        return servers.or_else(domains) if self._fields.shape.server_is_host else servers

    def kinds(self) -> DictionaryColumn | None:
        """Return the types of events that no parameter replaces, None without any."""
        for slot, field in enumerate(self._fields.shape.fields):
            if field.event_type is not None:
                is_request = field.value is Value.REQUEST
                span = self._request.odd if is_request else self._fields.span(slot)
                return rules.ask(self.encoder.texts(span), field.event_type)[0]
        return None

    def extra_column(self) -> tuple[pa.StringArray, Mask]:
        """Return the column `extra`, and which rows of it are sure; called last."""
        fields = self._fields
        return write_extra(
            fields.buffer, fields.places, fields.numbers, self.rows, fields.plain,
            _plan(fields.shape),
        )  # fmt: skip
