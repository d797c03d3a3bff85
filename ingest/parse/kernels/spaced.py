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

from ingest.contract import EVENTS
from ingest.parse.fields.times import SECOND
from ingest.parse.kernels import rules
from ingest.parse.kernels.columns import DictionaryColumn, Mask, column, constant, null_column
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.declared import Field, Spaced, Value
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
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.readers import (
    LONGEST_LINE,
    PADDING,
    Encoder,
    Referrer,
    Request,
    Span,
    read_parameters,
    read_referrer,
    unread_request,
    version_column,
)
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN
from ingest.parse.kernels.times import read_clf_times, read_iso_times
from ingest.parse.kernels.urls import doubt_escapes
from ingest.parse.kernels.values import read_numbers, read_ports, read_seconds, read_statuses
from ingest.parse.kernels.walk import walk
from ingest.parse.kernels.words import Bytes, Flags, Positions
from ingest.parse.lines import equal_parts
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

# Above it, a duration needs a warning.
_MAX_MILLISECONDS = 10**12
_COLUMNS = frozenset(EVENTS.names)
_DICTIONARIES = frozenset(c.name for c in EVENTS.columns if c.dictionary)
_DURATIONS = (Value.SECONDS, Value.MILLISECONDS)
_NUMBERS = (Value.COUNT, Value.STATUS)
_SERVER = "server_name"
# The fields of so many bytes of lines are read while the lines are in the second-level cache.
_BLOCK_BYTES = 1 << 20

Numbers = npt.NDArray[np.int64]


def parse_spaced(
    lines: Lines, identity: Identity, settings: ParseSettings, shape: Spaced
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
    shape: Spaced,
) -> tuple[Positions, pa.Table]:
    piece = _Piece(lines, settings, shape)
    piece.read_fields()
    request, referrer = piece.request, piece.referrer()
    values = read_parameters(lines.buffer, piece.plain, request.query, referrer.query, names)
    rows = piece.rows()
    encoder = Encoder(lines.buffer, rows)
    columns = place_columns(rows, lines, identity, settings)
    kinds = piece.kinds(encoder, request)
    bad = piece.bad_requests(request, kinds, encoder, rows)
    columns |= time_columns(piece.micros[rows], identity, settings, bad_request=bad)
    columns |= piece.texts(encoder, rows) | piece.numbers(rows) | piece.url(request, encoder, rows)
    columns["referrer_domain"] = encoder.asked(referrer.origin, rules.host_of).column()
    columns[SESSION] = cut(lines.buffer, *values.pop(SESSION), rows)
    shop = {name: decoded(encoder.texts(span)) for name, span in values.items()}
    columns |= shop_columns(shop, kinds)
    columns["extra"], sure = piece.extra_column(rows)
    keep = encoder.valid & sure
    without = rows_without_path_session(columns["url_path"], settings)
    keep = keep if without is None else keep & without
    table = table_of(columns, rows.size)
    return (rows, table) if keep.all() else (rows[keep], table.filter(pa.array(keep)))


@lru_cache(maxsize=16)
def _plan(shape: Spaced) -> Plan:
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
    elif field.target is not None and field.target not in _COLUMNS:
        kinds = {Value.TEXT: TEXT, **dict.fromkeys(_NUMBERS, NUMBER)}
        yield Item(field.target, kinds.get(field.value, MILLISECONDS), slot)


class _Piece:
    """The fields of some lines; each step clears `plain` where it is not sure.

    Positions and numbers are in the row of their field; of the host and the URL the numbers are
    ports. Two more rows of positions are the surplus and bad requests.
    """

    def __init__(self, lines: Lines, settings: ParseSettings, shape: Spaced) -> None:
        size, count = lines.starts.size, len(shape.fields)
        self._buffer: Bytes = lines.buffer
        self._size = size
        self._shape = shape
        self._places = np.empty((2, count + 2, size + PADDING), dtype=np.uint32)
        self._numbers = np.empty((count, size + PADDING), dtype=np.int64)
        self._hosts = np.empty(size, dtype=np.uint32)
        self.micros: Numbers = np.empty(size, dtype=np.int64)
        self.plain: Flags = np.empty(size, dtype=np.uint8)
        self.request: Request = unread_request(self._span(self._request_field()[0]))
        begins, stops = self._places
        self._walk = partial(
            walk, self._buffer, lines.starts, lines.ends,
            np.array([field.written for field in shape.fields], dtype=np.uint64),
            begins, stops, self.plain,
            np.uint64(sum(1 << width for width in shape.widths)),
            np.uint64(min(LONGEST_LINE, settings.max_line_bytes)),
        )  # fmt: skip

    def _doubt(self, lines: Mask) -> None:
        self.plain[lines] = NOT_PLAIN

    def _span(self, slot: int) -> Span:
        begins, stops = self._places[:, slot, : self._size]
        return begins, stops

    def _fields(self, *values: Value) -> Iterator[tuple[int, Field]]:
        return ((i, f) for i, f in enumerate(self._shape.fields) if f.value in values)

    def read_fields(self) -> None:
        """Find the fields, read all but texts, and doubt texts that do not fit their columns."""
        size = self._size
        for first, after in equal_parts(0, size, -(-self._buffer.size // _BLOCK_BYTES)):
            self._walk(np.uint64(first), np.uint64(after))
            if not self._shape.escapes:
                block = self.plain[first:after]
                block[block & ESCAPED != 0] = NOT_PLAIN
            self._read_values(first, after)
        self._check_texts()

    def _read_values(self, first: int, after: int) -> None:
        """Read numbers, times, ports and requests of the lines [first, after)."""
        plain, micros = self.plain[first:after], self.micros[first:after]
        for slot, field in enumerate(self._shape.fields):
            begins, stops = self._places[:, slot, first:after]
            numbers = self._numbers[slot, first:after]
            fields = self._buffer, begins, stops, plain
            match field.value:
                case Value.COUNT:
                    read_numbers(*fields, numbers)
                case Value.STATUS:
                    statuses = np.empty(after - first, dtype=np.int32)
                    read_statuses(*fields, statuses)
                    numbers[:] = statuses
                case Value.SECONDS:
                    read_seconds(*fields, numbers)
                case Value.MILLISECONDS:
                    read_numbers(*fields, numbers)
                    plain[numbers >= _MAX_MILLISECONDS] = NOT_PLAIN
                    np.multiply(numbers, 1000, out=numbers, where=numbers > 0)
                case Value.ISO_TIME:
                    read_iso_times(*fields, micros)
                case Value.CLF_TIME:
                    zoned = np.ones(after - first, dtype=np.uint8)
                    read_clf_times(*fields, micros, zoned)
                    plain[zoned == 0] = NOT_PLAIN
                    micros *= SECOND
                case Value.HOST_PORT:
                    read_ports(*fields, self._hosts[first:after], numbers)
                case Value.REQUEST:
                    self.request.read(self._buffer, self._span(slot), self.plain, first, after)

    def _check_texts(self) -> None:
        for slot, field in enumerate(self._shape.fields):
            span = begins, stops = self._span(slot)
            if field.value in (Value.HOST_PORT, Value.CLIENT):
                self._check_width("client_address", span)
            elif field.value is Value.TEXT:
                self._check_text(field, span)
            elif field.value is Value.REQUEST and field.event_type is not None:
                self._doubt(begins == stops)  # which may have that type too

    def _check_text(self, field: Field, span: Span) -> None:
        begins, stops = span
        if field.required:
            self._doubt(begins == stops)
        if field.target in _COLUMNS:
            self._check_width(field.target, span)
            if field.target not in _DICTIONARIES:
                doubt_escapes(self._buffer, *span, self.plain)

    def _check_width(self, name: str, span: Span) -> None:
        width = EVENTS.column(name).width or 0
        if width < LONGEST_LINE:
            self._doubt(span[1] - span[0] > width)

    def _request_field(self) -> tuple[int, Field]:
        (found,) = self._fields(Value.REQUEST)
        return found

    def bad_requests(
        self, request: Request, kinds: DictionaryColumn | None, encoder: Encoder, rows: Positions
    ) -> Mask:
        """Return which requests need a warning; notes what of them goes to `extra`."""
        encoder.check(request.odd, rules.is_bad_request)
        begins, stops = request.odd[0][rows], request.odd[1][rows]
        bad = request.versions[rows] < 0
        if not self._shape.needs_request:
            bad &= begins != stops
        if kinds is not None and self._request_field()[1].event_type is not None:
            bad &= kinds.codes < 0
        self._places[:, -1, rows] = begins, np.where(bad, stops, begins)
        return bad

    def referrer(self) -> Referrer:
        """Return the parts of the referrers, nothing where lines have none."""
        for slot, field in self._fields(Value.TEXT):
            if field.target == "referrer":
                return read_referrer(self._buffer, self._span(slot), self.plain)
        nowhere = np.zeros(self._size, dtype=np.uint32)
        nothing = (nowhere, nowhere)
        return Referrer(nothing, nothing, np.ones(self._size, dtype=np.bool_))

    def rows(self) -> Positions:
        """Return which lines are still plain: called when all kernels have run."""
        return np.flatnonzero(self.plain).astype(np.uint32)

    def texts(self, encoder: Encoder, rows: Positions) -> Columns:
        """Return the columns of texts but the server's, which the URL may name."""
        columns = self._clients(encoder, rows)
        for slot, field in self._fields(Value.TEXT):
            span = self._span(slot)
            if field.check is not None:
                encoder.check(span, field.check)
            if field.target in _DICTIONARIES:
                columns[field.target] = self._unescaped(encoder.texts(span)).column()
            elif field.target in _COLUMNS and field.target != _SERVER:
                columns[field.target] = cut(self._buffer, *span, rows)
        return columns

    def _unescaped(self, texts: DictionaryColumn) -> DictionaryColumn:
        return rules.unescaped(texts) if self._shape.escapes else texts

    def _clients(self, encoder: Encoder, rows: Positions) -> Columns:
        ((slot, field),) = self._fields(Value.CLIENT, Value.HOST_PORT)
        begins, stops = span = self._span(slot)
        host = (begins, self._hosts) if field.value is Value.HOST_PORT else span
        addresses, known = rules.read_clients(encoder.texts(host), rules.client_alone)
        encoder.valid &= known | (begins == stops)[rows]
        return {"client_ip": addresses.column(), "client_address": encoder.texts(span).column()}

    def numbers(self, rows: Positions) -> Columns:
        """Return the columns of numbers."""
        columns = {"bytes_scope": constant(self._shape.bytes_scope, rows.size)}
        for slot, field in self._fields(*_NUMBERS):
            if field.target in _COLUMNS:
                numbers = self._numbers[slot][rows]
                kind = SCHEMA.field(field.target).type.to_pandas_dtype()
                columns[field.target] = column(numbers.astype(kind), numbers < 0)
        return columns | self._duration(rows)

    def _duration(self, rows: Positions) -> Columns:
        durations = [self._numbers[slot][rows] for slot, _ in self._fields(*_DURATIONS)]
        if not durations:
            return {}
        unknown = np.logical_or.reduce([micros < 0 for micros in durations])
        return {"duration_ms": column(sum(durations) / 1000, unknown)}

    def url(self, request: Request, encoder: Encoder, rows: Positions) -> Columns:
        """Return the columns of the requests, and the servers; notes the ports."""
        slot, _ = self._request_field()
        origins = encoder.texts(request.origin)
        self._numbers[slot, rows] = rules.url_ports(origins)
        domains = encoder.ask(origins, rules.host_of)
        return {
            "http_method": encoder.asked(request.method, rules.method_of).column(),
            "http_version": version_column(request.versions[rows]).column(),
            "url_original": cut(self._buffer, *request.target, rows),
            "url_scheme": encoder.ask(origins, rules.scheme_of).texts(),
            "url_domain": domains.texts(),
            "url_path": cut(self._buffer, *request.path, rows),
            "url_query": cut(self._buffer, *request.query, rows),
            _SERVER: self._servers(encoder, domains).texts(),
        }

    def _servers(self, encoder: Encoder, domains: DictionaryColumn) -> DictionaryColumn:
        servers = null_column(domains.codes.size)
        for slot, field in self._fields(Value.TEXT):
            if field.target == _SERVER:
                servers = encoder.texts(self._span(slot))
        return servers.or_else(domains) if self._shape.server_is_host else servers

    def kinds(self, encoder: Encoder, request: Request) -> DictionaryColumn | None:
        """Return the types of events that no parameter replaces, None without any."""
        for slot, field in enumerate(self._shape.fields):
            if field.event_type is not None:
                is_request = field.value is Value.REQUEST
                texts = encoder.texts(request.odd if is_request else self._span(slot))
                return rules.ask(texts, field.event_type)[0]
        return None

    def extra_column(self, rows: Positions) -> tuple[pa.StringArray, Mask]:
        """Return the column `extra`, and which rows of it are sure; called last."""
        plan = _plan(self._shape)
        return write_extra(self._buffer, self._places, self._numbers, rows, self.plain, plan)
