"""The parts of access lines: fields by `split`, numbers by kernels, the rest by rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels import rules
from ingest.parse.kernels.columns import Codes, DictionaryColumn, Mask
from ingest.parse.kernels.layout import QUOTED, REST, TOKEN, Field, layouts
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.readers import (
    LONGEST_LINE,
    PADDING,
    Encoder,
    Span,
    read_parameters,
    read_referrer,
    read_request,
    version_column,
)
from ingest.parse.kernels.split import NOT_PLAIN, split
from ingest.parse.kernels.times import read_clf_times
from ingest.parse.kernels.urls import doubt_escapes
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
    buffer, plain = lines.buffer, reader.plain
    seconds, zoned = reader.times()
    statuses, sizes = reader.counts()
    request = read_request(buffer, reader.spans[REQUEST], plain)
    referrer = read_referrer(buffer, reader.spans[REFERRER], plain)
    tail = reader.tail(referrer.sure)
    shop = read_parameters(buffer, plain, request.query, referrer.query, names)
    texts = {
        "url_original": request.target,
        "url_path": request.path,
        "url_query": request.query,
        "referrer": reader.spans[REFERRER],
        SESSION: shop.pop(SESSION),
    }
    rows = np.flatnonzero(reader.plain).astype(np.uint32)
    encoder = Encoder(buffer, rows)
    addresses, tokens = _clients(encoder, reader.spans[CLIENT])
    agents = encoder.texts(reader.spans[AGENT])
    if tail.odd[rows].any():
        encoder.valid &= rules.ask(agents, rules.agent_of)[1] | ~tail.odd[rows]
    parts = Parts(
        rows=rows,
        buffer=buffer,
        texts=texts,
        seconds=seconds[rows],
        zoned=zoned[rows] != 0,
        versions=request.versions[rows],
        statuses=statuses[rows],
        sizes=sizes[rows],
        durations=tail.numbers[rows],
        dictionaries={
            "client_ip": addresses,
            "client_address": tokens,
            "user_name": encoder.asked(reader.spans[USER], rules.user_of),
            "http_method": encoder.asked(request.method, rules.method_of),
            "http_version": version_column(request.versions[rows]),
            "referrer_domain": encoder.asked(referrer.origin, rules.host_of),
            "user_agent": rules.unescaped(agents),
            "forwarded_for": encoder.asked(tail.quoted, rules.list_of),
        },
        shop={name: decoded(encoder.texts(span)) for name, span in shop.items()},
        rare={
            "server_name": encoder.asked(reader.spans[SERVER], rules.server_of),
            "url_scheme": encoder.asked(request.origin, rules.portless_scheme_of),
            "url_domain": encoder.asked(request.origin, rules.host_of),
        },
        extra={
            "server_port": rules.ports(encoder.texts(reader.spans[SERVER])),
            "request_line": encoder.asked(request.odd, rules.bad_request_of),
            "tail": encoder.asked(tail.rest, rules.tail_of),
        },
    )
    return parts.keep(encoder.valid & parts.has_one_extra())


def _clients(encoder: Encoder, span: Span) -> tuple[DictionaryColumn, DictionaryColumn]:
    """Return address and token of the clients."""
    tokens = encoder.texts(span)
    addresses, known = rules.read_clients(tokens, rules.client_of)
    encoder.valid &= known
    return addresses, tokens


class _Tail(NamedTuple):
    """What is behind the agent; `odd` are lines whose `rest` begins with a quoted text."""

    quoted: Span
    rest: Span
    numbers: npt.NDArray[np.int64]
    odd: Mask


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

    def tail(self, sure: Mask) -> _Tail:
        """Return what follows the agent; before a quoted text the referrer has to be `sure`."""
        quoted, quoted_stop, rest, rest_stop = self._positions(4)
        numbers = np.empty(self._size, dtype=np.int64)
        read_tails(
            self._buffer, *self.spans[TAIL], self.plain,
            quoted, quoted_stop, rest, rest_stop, numbers,
        )  # fmt: skip
        is_quoted = quoted != self.spans[TAIL][0]
        self._doubt(is_quoted & ~sure)
        if self._settings.client_from != "host":
            self._doubt(quoted != quoted_stop)
        odd = is_quoted & (rest < quoted) & (rest < rest_stop)
        return _Tail((quoted, quoted_stop), (rest, rest_stop), numbers, odd)

    def _doubt(self, lines: Mask) -> None:
        self.plain[lines] = NOT_PLAIN

    def _positions(self, count: int) -> Iterator[Positions]:
        return iter(np.empty((count, self._size + PADDING), dtype=np.uint32)[:, : self._size])
