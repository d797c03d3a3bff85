"""Cuts content into chunks of physical lines: section 3.1 of the format specification.

A line ends at LF only; one CR directly before the LF or the end of the content is taken off. NUL
bytes at its start are passed over (7.9): it begins at its first other byte. NULs alone, without
an LF behind them, are no line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.parse.model import Lines

# Large enough to make the cost per chunk vanish, small enough for many tasks on one machine.
CHUNK_BYTES = 8 << 20
# Kept of a refused line: their base64 has 64,000 characters, the width of its column.
RAW_BYTES = 48_000
# Of shorter lines a chunk holds fewer bytes: each line may become a Python object of 3 KB.
CHUNK_LINES = 1 << 16
# A chunk's buffer goes on after its last line where more follows: the fast path reads up to this
# many bytes after a line without checking where the buffer ends.
READ_AHEAD = 80
_BLOCK_BYTES = 1 << 19  # searched at once: fits into the second-level cache
_MANY_LINES = 1 << 20  # of which the positions are handed on at once
LF, CR = 10, 13


@dataclass(frozen=True, slots=True, kw_only=True)
class LongLine:
    """A line over the limit: only its first bytes are kept. `length` without the line end."""

    offset: int
    number: int | None
    length: int
    head: bytes


@dataclass(slots=True)
class _Open:
    """A line over the limit whose end has not come yet; `length` counts all bytes so far."""

    head: bytes
    length: int
    ends_in_cr: bool

    def extend(self, piece: bytes) -> None:
        if piece:
            self.head += piece[: RAW_BYTES - len(self.head)]
            self.length += len(piece)
            self.ends_in_cr = piece[-1] == CR


class _Found(NamedTuple):
    """Where the lines of `buffer` are, and how many NULs were passed over before each."""

    buffer: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    nuls: npt.NDArray[np.int64]


class Cutter:
    """Takes content piece by piece and gives its lines back in chunks.

    What it keeps is bounded by a chunk, or by a few times `max_line_bytes`, however long a line
    or a hole of NULs is. The content has to begin at the first byte of a line.
    """

    def __init__(
        self, *, offset: int, first_line: int | None, max_line_bytes: int, after_bom: bool = False
    ) -> None:
        """`offset` is that of the first byte; `after_bom` puts the first line at offset 0."""
        self._offset = offset
        self._number = first_line
        self._limit = max_line_bytes
        self._after_bom = after_bom
        self._nuls = 0  # passed over before the first byte that is waiting
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._wanted = CHUNK_BYTES
        self._open: _Open | None = None

    @property
    def waits_from(self) -> int:
        """Content offset up to which all lines were given back: where the next one begins.

        NULs that will be passed over are before that line, and lie behind this offset.
        """
        return 0 if self._after_bom else self._offset - self._nuls

    def feed(self, piece: bytes) -> Iterator[Lines | LongLine]:
        """Take the next piece; yield lines when there are enough of them."""
        if self._open is not None:
            end = piece.find(b"\n")
            self._open.extend(piece if end < 0 else piece[:end])
            if end < 0:
                return
            yield self._closed(self._open)
            piece = piece[end + 1 :]
        self._parts.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes >= self._wanted:
            yield from self._cut()

    def finish(self, *, ends: bool = True) -> Iterator[Lines | LongLine]:
        """Yield what is left. Unless the content `ends` here, a last line without LF is not."""
        yield from self._cut()
        if not ends:
            return
        if self._open is not None:
            yield self._closed(self._open)
        elif self._waiting_bytes:
            rest = np.frombuffer(self._parts[0], dtype=np.uint8)
            yield from self._lines(rest, np.array([len(rest)], dtype=np.int64))

    def _cut(self) -> Iterator[Lines | LongLine]:
        """Yield all complete lines that are waiting, and keep the beginning of the next."""
        data = b"".join(self._parts)
        self._parts = []  # not held while the lines are parsed
        buffer = np.frombuffer(data, dtype=np.uint8)
        begin = 0
        for newlines in _newlines(buffer):
            yield from self._lines(buffer[begin:], newlines - begin)
            begin = int(newlines[-1]) + 1
        data = data[begin:]
        if not self._after_bom:
            data = self._without_nuls(data)
        self._parts, self._waiting_bytes = [data], len(data)
        # Twice the rest, so that a long line within the limit is not joined again at every piece.
        self._wanted = max(CHUNK_BYTES, 2 * self._waiting_bytes)
        if self._waiting_bytes > self._limit:
            self._open = _Open(data[:RAW_BYTES], len(data), data[-1] == CR)
            self._parts, self._waiting_bytes = [], 0

    def _without_nuls(self, data: bytes) -> bytes:
        """Return the beginning `data` of a line without the NULs at its start, which are passed."""
        rest = data.lstrip(b"\0")
        self._offset += len(data) - len(rest)
        self._nuls += len(data) - len(rest)
        return rest

    def _closed(self, line: _Open) -> LongLine:
        closed = self._long(0, line.length - int(line.ends_in_cr), line.head, number=self._number)
        self._passed(line.length + 1, 1)
        self._open = None
        return closed

    def _long(self, start: int, length: int, head: bytes, *, number: int | None) -> LongLine:
        offset = 0 if self._after_bom else self._offset + start
        self._after_bom = False
        return LongLine(offset=offset, number=number, length=length, head=head[:length])

    def _lines(
        self, buffer: npt.NDArray[np.uint8], stops: npt.NDArray[np.int64]
    ) -> Iterator[Lines | LongLine]:
        """Yield the lines of `buffer` whose LF, or end of content, is at `stops`."""
        found = self._found(buffer, stops)
        long = stops - found.starts > self._limit
        alone = {0} if self._after_bom else set()
        done = 0
        for index in sorted(alone | set(np.flatnonzero(long).tolist())):
            yield from self._chunks(found, done, index)
            if long[index]:
                start, end = int(found.starts[index]), int(found.ends[index])
                head = buffer[start : min(end, start + RAW_BYTES)].tobytes()
                yield self._long(start, end - start, head, number=self._numbered(index))
            else:
                yield from self._chunks(found, index, index + 1)
            done = index + 1
        yield from self._chunks(found, done, len(stops))
        self._passed(int(stops[-1]) + 1, len(stops))

    def _found(self, buffer: npt.NDArray[np.uint8], stops: npt.NDArray[np.int64]) -> _Found:
        starts = np.concatenate([np.zeros(1, dtype=np.int64), stops[:-1] + 1])
        nuls = _leading_nuls(buffer, starts, stops)
        if self._after_bom:
            nuls[0] = 0
        starts += nuls
        nuls[0] += self._nuls
        ends = stops - ((stops > starts) & (buffer[stops - 1] == CR))
        return _Found(buffer, starts, ends, nuls)

    def _chunks(self, found: _Found, begin: int, end: int) -> Iterator[Lines]:
        """Yield the lines [begin, end) of `found`, of which none is over the limit."""
        for first, after in equal_parts(begin, end, -(-(end - begin) // CHUNK_LINES)):
            base = int(found.starts[first])
            offset = 0 if self._after_bom else self._offset + base
            self._after_bom = False
            nuls = found.nuls[first:after]
            yield Lines(
                buffer=found.buffer[base : found.ends[after - 1] + READ_AHEAD],
                starts=found.starts[first:after] - base,
                ends=found.ends[first:after] - base,
                offset=offset,
                first_line=self._numbered(first),
                nuls=nuls if nuls.any() else None,
            )

    def _numbered(self, index: int) -> int | None:
        return None if self._number is None else self._number + index

    def _passed(self, size: int, lines: int) -> None:
        self._offset += size
        self._nuls = 0
        if self._number is not None:
            self._number += lines


def equal_parts(begin: int, end: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield [begin, end) in at most `count` parts of the same size, but for the last."""
    size = -(-(end - begin) // max(count, 1))
    for first in range(begin, end, max(size, 1)):
        yield first, min(first + size, end)


def part_of(lines: Lines, first: int, after: int) -> Lines:
    """Return the lines numbered [first, after) of `lines`, at least one, without copying them."""
    starts, ends = lines.starts[first:after], lines.ends[first:after]
    begin = int(starts[0])
    return Lines(
        buffer=lines.buffer[begin : int(ends[-1]) + READ_AHEAD],
        starts=starts - begin,
        ends=ends - begin,
        offset=lines.offset + begin,
        first_line=None if lines.first_line is None else lines.first_line + first,
        nuls=None if lines.nuls is None else lines.nuls[first:after],
    )


def _leading_nuls(
    buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return how many NULs each line begins with; a line reaches from its start to its stop."""
    counts = np.zeros(len(starts), dtype=np.int64)
    for index in np.flatnonzero(buffer[starts] == 0):
        line = buffer[starts[index] : stops[index]]
        first = int(np.argmax(line != 0))
        counts[index] = first if line[first] else len(line)
    return counts


def _newlines(buffer: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the positions of all LF, in one array unless there are very many of them.

    They are found block by block: no array is as large as the chunk.
    """
    hit = np.empty(_BLOCK_BYTES, dtype=np.bool_)
    found: list[npt.NDArray[np.int64]] = []
    count = 0
    for first in range(0, len(buffer), _BLOCK_BYTES):
        block = buffer[first : first + _BLOCK_BYTES]
        np.equal(block, LF, out=hit[: len(block)])
        hit[len(block) :] = False
        found.append(where(hit) + first)
        count += len(found[-1])
        if count > _MANY_LINES:
            yield np.concatenate(found)
            found, count = [], 0
    if count:
        yield np.concatenate(found)


def where(hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the positions of what is True, which is rare; the size of `hit` is a multiple of 8.

    Eight flags are looked at together: twice as fast as `np.flatnonzero` alone.
    """
    words = hit.view(np.uint64)
    filled = np.flatnonzero(words != 0)
    inside = np.flatnonzero(words[filled].view(np.bool_))
    at: npt.NDArray[np.int64] = (filled[inside >> 3] << 3) + (inside & 7)
    return at
