"""Lines that Docker wrapped in JSON: taken out, and read by the fast path of what they are."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.fields.extra import encoded
from ingest.parse.fields.ids import event_ids
from ingest.parse.format import FastPath
from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.compiled import (
    BYTES,
    FLAGS,
    OFFSETS,
    POSITIONS,
    TABLE,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.events import SCHEMA, in_order, read_pieces
from ingest.parse.kernels.readers import LONGEST_LINE, PADDING
from ingest.parse.kernels.scan import NOWHERE, unescaped
from ingest.parse.kernels.split import NOT_PLAIN, PLAIN, closing_quote, look_at
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.words import (
    EIGHT,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    find,
    low_bytes,
    word,
    word_at,
)
from ingest.parse.lines import READ_AHEAD
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

_LOG: Final = word(b'{"log":"')
_STREAM: Final = (word(b'","strea'), word(b'm":"'))
_TIME: Final = word(b'","time"')
_QUOTE: Final = np.uint64(ord('"'))
_BACKSLASH: Final = np.uint64(ord("\\"))
_FOUR: Final = np.uint64(4)
_STREAM_BYTES: Final = np.uint64(len(b'","stream":"'))
_TIME_BYTES: Final = np.uint64(len(b'","time":"'))
# Docker has two; with more of them nobody knows soon which lines were cut.
_MOST_STREAMS: Final = 8


@helper
def _unwrap(
    buffer: Bytes,
    start: np.uint64,
    end: np.uint64,
    line: np.uint64,
    places: npt.NDArray[np.uint32],
    texts: Flags,
    used: np.uint64,
) -> np.uint64:
    """Write the line inside to `texts`, and return where it ends; NOWHERE for another object."""
    begin = start + EIGHT
    stop = closing_quote(buffer, begin, end)
    stream = stop + _STREAM_BYTES
    if word_at(buffer, start) != _LOG or stop < begin + TWO or stream >= end:
        return NOWHERE
    is_whole = buffer[stop - TWO] == _BACKSLASH and buffer[stop - ONE] == ord("n")
    if not is_whole or word_at(buffer, stop) != _STREAM[0]:
        return NOWHERE
    stream_stop = find(buffer, stream, end, _QUOTE)
    time = stream_stop + _TIME_BYTES
    if word_at(buffer, stop + EIGHT) & low_bytes(_FOUR) != _STREAM[1] or time >= end:
        return NOWHERE
    time_stop = find(buffer, time, end, _QUOTE)
    has_time = word_at(buffer, stream_stop) == _TIME and buffer[time - TWO] == ord(":")
    if not has_time or buffer[time - ONE] != _QUOTE or time_stop + TWO != end:
        return NOWHERE
    if buffer[end - ONE] != ord("}") or find(buffer, stream, end, _BACKSLASH) != end:
        return NOWHERE
    if stream == stream_stop or time == time_stop:
        return NOWHERE
    places[0, line], places[1, line] = stream, stream_stop
    places[2, line], places[3, line] = time, time_stop
    return unescaped(buffer, begin, stop - TWO, texts, used)


@kernel(BYTES, OFFSETS, OFFSETS, WORD, FLAGS, TABLE, POSITIONS, FLAGS)
def unwrap(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    longest: np.uint64,
    plain: Flags,
    places: npt.NDArray[np.uint32],
    stops: Positions,
    texts: Flags,
) -> None:
    """Write the lines inside one behind the other into `texts`, and note where each stops.

    Rows of `places` are where stream and time begin and stop. Other lines than Docker writes are
    not `plain`, and those whose line inside has no line break at its end.
    """
    used = ZERO
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        plain[line] = NOT_PLAIN
        if end - start <= longest and look_at(buffer, start, end, False) != NOT_PLAIN:
            behind = _unwrap(buffer, start, end, line, places, texts, used)
            if behind != NOWHERE:
                plain[line] = PLAIN
                used = behind
        stops[line] = used


class _Streams:
    """Knows which lines may be the rest of a line that Docker cut: the first of their stream."""

    def __init__(self, cut_before: bool) -> None:
        self._was_cut = cut_before
        self._seen: set[str] = set()

    def doubt(self, plain: Flags, names: pa.StringArray, codes: npt.NDArray[np.int32]) -> None:
        """Clear `plain` for lines behind those that are not plain; `codes` are those of `plain`."""
        rows, odd = np.flatnonzero(plain), np.flatnonzero(plain == NOT_PLAIN)
        if len(names) > _MOST_STREAMS:
            self._was_cut, self._seen = True, set()
            plain[:] = NOT_PLAIN
            return
        seen = set() if odd.size else set(self._seen)
        for code, name in enumerate(names.to_pylist()):
            own = rows[codes == code]
            behind = np.searchsorted(own, odd)
            plain[own[behind[behind < own.size]]] = NOT_PLAIN
            if self._was_cut and name not in self._seen:
                plain[own[0]] = NOT_PLAIN
            if not odd.size or own[-1] > odd[-1]:
                seen.add(name)
        self._was_cut |= odd.size > 0
        self._seen = seen


def parse_wrapped(
    lines: Lines,
    identity: Identity,
    settings: ParseSettings,
    *,
    cut_streams: Set[str],
    access: FastPath,
    objects: FastPath | None,
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines inside that `access` or `objects` take; see `read_pieces`.

    `cut_streams` are those of which the last line before was cut.
    """
    read = partial(
        _read_piece,
        identity=identity,
        settings=settings,
        streams=_Streams(bool(cut_streams)),
        paths=(access, objects),
    )
    return read_pieces(lines, settings, read)


def _read_piece(
    lines: Lines,
    _names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    streams: _Streams,
    paths: tuple[FastPath, FastPath | None],
) -> tuple[Positions, pa.Table]:
    size = lines.starts.size
    plain: Flags = np.empty(size, dtype=np.uint8)
    places = np.empty((4, size + PADDING), dtype=np.uint32)
    stops = np.empty(size, dtype=np.uint32)
    texts = np.empty(lines.buffer.size + READ_AHEAD, dtype=np.uint8)
    longest = np.uint64(min(LONGEST_LINE, settings.max_line_bytes))
    unwrap(lines.buffer, lines.starts, lines.ends, longest, plain, places, stops, texts)
    stream, time = (places[0, :size], places[1, :size]), (places[2, :size], places[3, :size])
    named = encode(lines.buffer, *stream, np.flatnonzero(plain).astype(np.uint32))
    streams.doubt(plain, named.values, named.codes)
    starts = np.concatenate([np.zeros(1, dtype=np.uint32), stops[:-1]])
    rows, table = in_order(
        list(_inside(texts, starts, stops, np.flatnonzero(plain), identity, settings, paths))
    )
    relays = pc.binary_join_element_wise(
        cut(lines.buffer, *time, rows), cut(lines.buffer, *stream, rows), " "
    )
    extra, is_sure = _with_relays(table["extra"], relays)
    table = _placed(table, lines, rows, identity).set_column(
        SCHEMA.get_field_index("extra"), SCHEMA.field("extra"), extra
    )
    return rows[is_sure], table.filter(pa.array(is_sure))


def _inside(
    texts: Bytes,
    starts: Positions,
    stops: Positions,
    rows: npt.NDArray[np.int64],
    identity: Identity,
    settings: ParseSettings,
    paths: tuple[FastPath, FastPath | None],
) -> Iterator[tuple[Positions, pa.Table]]:
    """Yield which of `rows` each of the paths takes, and their events."""
    first = texts[starts[rows]]
    is_object = np.isin(first, np.frombuffer(b"{[", dtype=np.uint8))
    for path, some in zip(paths, (rows[~is_object], rows[is_object]), strict=True):
        if path is None or not some.size:
            continue
        inner = Lines(
            buffer=texts,
            starts=starts[some].astype(np.int64),
            ends=stops[some].astype(np.int64),
            offset=0,
            first_line=None,
            nuls=None,
        )
        table, handled = path(inner, identity, settings)
        yield some[handled].astype(np.uint32), table


def _placed(table: pa.Table, lines: Lines, rows: Positions, identity: Identity) -> pa.Table:
    """Return `table` with the places of the lines `rows` around its events."""
    offsets = lines.starts[rows] + lines.offset
    places = {
        "event_id": event_ids(identity.source_file, offsets),
        "source_offset": pa.array(offsets),
    }
    if lines.first_line is not None:
        places["source_line"] = pa.array(rows + np.int64(lines.first_line))
    for name, values in places.items():
        table = table.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), values)
    return table


def _with_relays(extra: pa.ChunkedArray, relays: pa.StringArray) -> tuple[pa.StringArray, Mask]:
    """Return `extra` with what Docker says, and in which rows nothing else is in its place."""
    alone = pc.binary_join_element_wise('{"relay":"', relays, '"}', "")
    is_sure = np.ones(len(relays), dtype=np.bool_)
    if extra.null_count == len(extra):
        return alone, is_sure
    written = alone.to_pylist()
    for row, text in enumerate(extra.to_pylist()):
        if text is not None:
            members = orjson.loads(text)
            is_sure[row] = "relay" not in members
            written[row] = encoded(members | {"relay": relays[row].as_py()}).decode()
    return pa.array(written, pa.string()), is_sure
