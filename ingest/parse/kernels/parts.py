"""The parts of access lines: fields by `split`, numbers by kernels, the rest by rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels import rules, urls
from ingest.parse.kernels.columns import Codes, DictionaryColumn, Mask
from ingest.parse.kernels.layout import QUOTED, REST, TOKEN, Field, layouts
from ingest.parse.kernels.parameters import SESSION, as_words, decoded
from ingest.parse.kernels.split import NOT_PLAIN, split
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.times import read_clf_times
from ingest.parse.kernels.urls import VERSIONS, doubt_escapes, read_parameters, read_referrers
from ingest.parse.kernels.values import read_numbers, read_statuses, read_tails
from ingest.parse.kernels.words import Bytes, Flags, Positions
from ingest.parse.model import Lines
from ingest.settings import ParseSettings

SERVER, CLIENT, USER, TIME, REQUEST, STATUS, SIZE, REFERRER, AGENT, TAIL = range(10)
_SLOTS: Final = 10
_HEAD = (
    Field(CLIENT, TOKEN, b" - "),
    Field(USER, TOKEN, b" ["),
    Field(TIME, TOKEN, b'] "'),
    Field(REQUEST, QUOTED, b'" '),
    Field(STATUS, TOKEN, b" "),
)
_COMMON = (*_HEAD, Field(SIZE, REST))
_COMBINED = (
    *_HEAD,
    Field(SIZE, TOKEN, b' "'),
    Field(REFERRER, QUOTED, b'" "'),
    Field(AGENT, QUOTED, b'"'),
    Field(TAIL, REST),
)
_SERVER = Field(SERVER, TOKEN, b" ")
_LAYOUTS = layouts(_COMBINED, _COMMON, (_SERVER, *_COMBINED), (_SERVER, *_COMMON))
# Lines up to this long overflow no column, except those that are checked one by one.
LONGEST_LINE: Final = 4096
# Rows of the table of positions are this much longer than needed, so that the items of one line do
# not all fall into the same set of the processor's cache.
PADDING: Final = 40
_VERSIONS = pa.array(VERSIONS)

Span = tuple[Positions, Positions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was read of the lines numbered `rows`; numbers are -1 where there is none.

    `texts` are where the texts of columns begin and stop in `buffer`, an item per line of the
    piece; all else has an item per row. `seconds` since 1970 are UTC, `zoned` those that say so.
    `versions` are -1 for a bad request line. `rare` are columns that most logs leave empty,
    `extra` is the JSON of that column by its one key.
    """

    rows: Positions
    buffer: Bytes
    texts: dict[str, Span]
    seconds: npt.NDArray[np.int64]
    zoned: Mask
    versions: Codes
    statuses: Codes
    sizes: npt.NDArray[np.int64]
    durations: npt.NDArray[np.int64]
    dictionaries: dict[str, DictionaryColumn]
    shop: dict[str, DictionaryColumn]
    rare: dict[str, DictionaryColumn]
    extra: dict[str, DictionaryColumn]

    def has_one_extra(self) -> Mask:
        """Return which rows have at most one key of `extra`: more would have to be one object."""
        counts = sum(
            (texts.codes >= 0).astype(np.int8) for texts in self.extra.values() if len(texts.values)
        )
        return np.asarray(counts <= np.int8(1))

    def keep(self, valid: Mask) -> Parts:
        """Return the parts of only the rows that are true in `valid`."""
        if valid.all():
            return self
        kept: dict[str, Any] = {name: getattr(self, name)[valid] for name in _ARRAYS}
        for name in _TABLES:
            kept[name] = {key: texts.keep(valid) for key, texts in getattr(self, name).items()}
        return replace(self, **kept)


_ARRAYS = ("rows", "seconds", "zoned", "versions", "statuses", "sizes", "durations")
_TABLES = ("dictionaries", "shop", "rare", "extra")


def read_parts(lines: Lines, settings: ParseSettings, names: dict[str, str]) -> Parts:
    """Return the parts of the lines of a usual shape; `names` are URL parameters by column."""
    reader = _Reader(lines, settings)
    seconds, zoned = reader.times()
    statuses, sizes = reader.counts()
    request = reader.request()
    referrer = reader.referrer()
    tail = reader.tail(referrer.sure)
    shop = reader.parameters(request.query, referrer.query, names)
    texts = {
        "url_original": request.target,
        "url_path": request.path,
        "url_query": request.query,
        "referrer": reader.spans[REFERRER],
        SESSION: shop.pop(SESSION),
    }
    rows = np.flatnonzero(reader.plain).astype(np.uint32)
    encoder = _Encoder(reader, rows)
    parts = Parts(
        rows=rows,
        buffer=lines.buffer,
        texts=texts,
        seconds=seconds[rows],
        zoned=zoned[rows] != 0,
        versions=request.versions[rows],
        statuses=statuses[rows],
        sizes=sizes[rows],
        durations=tail.numbers[rows],
        dictionaries={
            **encoder.clients(),
            "user_name": encoder.asked(reader.spans[USER], rules.user_of),
            "http_method": encoder.asked(request.method, rules.method_of),
            "http_version": DictionaryColumn(request.versions[rows], _VERSIONS),
            "referrer_domain": encoder.asked(referrer.origin, rules.host_of),
            "user_agent": rules.unescaped(encoder.texts(reader.spans[AGENT])),
            "forwarded_for": encoder.asked(tail.quoted, rules.list_of),
        },
        shop={name: decoded(encoder.texts(span)) for name, span in shop.items()},
        rare={
            "server_name": encoder.asked(reader.spans[SERVER], rules.server_of),
            "url_scheme": encoder.asked(request.origin, rules.scheme_of),
            "url_domain": encoder.asked(request.origin, rules.host_of),
        },
        extra={
            "server_port": rules.ports(encoder.texts(reader.spans[SERVER])),
            "request_line": encoder.asked(request.odd, rules.bad_request_of),
            "tail": rules.tails(encoder.texts(tail.rest)),
        },
    )
    return parts.keep(encoder.valid & parts.has_one_extra())


class _Request(NamedTuple):
    method: Span
    target: Span
    origin: Span
    path: Span
    query: Span
    odd: Span
    versions: Codes


class _Referrer(NamedTuple):
    origin: Span
    query: Span
    sure: Mask


class _Tail(NamedTuple):
    quoted: Span
    rest: Span
    numbers: npt.NDArray[np.int64]


class _Reader:
    """Finds and reads the fields of lines; each step clears `plain` where it is not sure."""

    def __init__(self, lines: Lines, settings: ParseSettings) -> None:
        size = lines.starts.size
        table = np.empty((2, _SLOTS, size + PADDING), dtype=np.uint32)
        self._buffer = lines.buffer
        self._size = size
        self._settings = settings
        self.plain: Flags = np.empty(size, dtype=np.uint8)
        self.spans: list[Span] = [
            (table[0, slot, :size], table[1, slot, :size]) for slot in range(_SLOTS)
        ]
        longest = np.uint64(min(LONGEST_LINE, settings.max_line_bytes))
        starts, ends = lines.starts, lines.ends
        split(self._buffer, starts, ends, _LAYOUTS, table[0], table[1], self.plain, longest)
        doubt_escapes(self._buffer, *self.spans[REFERRER], self.plain)

    @property
    def buffer(self) -> Bytes:
        """The bytes of the lines."""
        return self._buffer

    def times(self) -> tuple[npt.NDArray[np.int64], Flags]:
        """Return the UTC seconds, and which times name their zone."""
        seconds, zoned = np.empty(self._size, dtype=np.int64), np.ones(self._size, dtype=np.uint8)
        read_clf_times(self._buffer, *self.spans[TIME], self.plain, seconds, zoned)
        if self._settings.timezone != "UTC":
            self._doubt(zoned == 0)
        return seconds, zoned

    def counts(self) -> tuple[Codes, npt.NDArray[np.int64]]:
        """Return statuses and bytes."""
        statuses, sizes = np.empty(self._size, dtype=np.int32), np.empty(self._size, dtype=np.int64)
        read_statuses(self._buffer, *self.spans[STATUS], self.plain, statuses)
        read_numbers(self._buffer, *self.spans[SIZE], self.plain, sizes)
        return statuses, sizes

    def request(self) -> _Request:
        """Return the parts of the requests."""
        begins, stops = self.spans[REQUEST]
        parts = np.empty((urls.PARTS, self._size + PADDING), dtype=np.uint32)
        versions = np.empty(self._size, dtype=np.int32)
        urls.read_requests(self._buffer, begins, stops, self.plain, parts, versions)
        rows = list(parts[:, : self._size])
        return _Request(
            method=(begins, rows[urls.METHOD_STOP]),
            target=(rows[urls.TARGET], rows[urls.TARGET_STOP]),
            origin=(rows[urls.TARGET], rows[urls.ORIGIN_STOP]),
            path=(rows[urls.PATH], rows[urls.PATH_STOP]),
            query=(rows[urls.QUERY], rows[urls.QUERY_STOP]),
            odd=(begins, rows[urls.ODD_STOP]),
            versions=versions,
        )

    def referrer(self) -> _Referrer:
        """Return the parts of the referrers."""
        begins, stops = self.spans[REFERRER]
        origin, query, end = self._positions(3)
        sure = np.empty(self._size, dtype=np.uint8)
        read_referrers(self._buffer, begins, stops, self.plain, origin, query, end, sure)
        return _Referrer((begins, origin), (query, end), sure != 0)

    def tail(self, sure: Mask) -> _Tail:
        """Return what follows the agent; before a quoted text the referrer has to be `sure`."""
        quoted, quoted_stop, rest, rest_stop = self._positions(4)
        numbers = np.empty(self._size, dtype=np.int64)
        read_tails(
            self._buffer, *self.spans[TAIL], self.plain,
            quoted, quoted_stop, rest, rest_stop, numbers,
        )  # fmt: skip
        self._doubt((quoted != self.spans[TAIL][0]) & ~sure)
        if self._settings.client_from != "host":
            self._doubt(quoted != quoted_stop)
        return _Tail((quoted, quoted_stop), (rest, rest_stop), numbers)

    def parameters(self, query: Span, referrer: Span, names: dict[str, str]) -> dict[str, Span]:
        """Return the values of the parameters `names`, by column."""
        begins, stops = np.zeros((2, len(names), self._size + PADDING), dtype=np.uint32)
        read_parameters(
            self._buffer, self.plain, *query, *referrer, as_words(*names.items()), begins, stops
        )
        return {
            name: (begins[index, : self._size], stops[index, : self._size])
            for index, name in enumerate(names)
        }

    def _doubt(self, lines: Mask) -> None:
        self.plain[lines] = NOT_PLAIN

    def _positions(self, count: int) -> Iterator[Positions]:
        return iter(np.empty((count, self._size + PADDING), dtype=np.uint32)[:, : self._size])


class _Encoder:
    """Makes dictionary columns of `rows`; `valid` are those whose texts all rules know."""

    def __init__(self, reader: _Reader, rows: Positions) -> None:
        self._buffer = reader.buffer
        self._client = reader.spans[CLIENT]
        self._rows = rows
        self.valid: Mask = np.ones(rows.size, dtype=np.bool_)

    def texts(self, span: Span) -> DictionaryColumn:
        """Return the texts at `span` as they are."""
        return encode(self._buffer, *span, self._rows)

    def asked(self, span: Span, rule: Callable[[str], str | None]) -> DictionaryColumn:
        """Return what `rule` makes of the texts at `span`; see `rules.ask`."""
        texts, known = rules.ask(self.texts(span), rule)
        self.valid &= known
        return texts

    def clients(self) -> dict[str, DictionaryColumn]:
        """Return address and token of the clients."""
        tokens = self.texts(self._client)
        addresses, known = rules.read_clients(tokens)
        self.valid &= known
        return {"client_ip": addresses, "client_address": tokens}
