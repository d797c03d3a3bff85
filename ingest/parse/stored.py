"""Stored bytes of an object: which of them are wanted, read block by block, and hashed.

Rules: section 3.1 (ranges) of the format specification.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import ObjectUnreadable
from ingest.parse.model import ReadRange
from ingest.settings import HASH_CHUNK_BYTES


def read_exactly(read: ReadRange, start: int, end: int) -> bytes:
    """Return the stored bytes [start, end); raises ObjectUnreadable and what `read` raises."""
    data = read(start, end)
    if len(data) != end - start:
        raise ObjectUnreadable(f"got {len(data)} of {end - start} bytes at offset {start}")
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Which bytes of a content are wanted: the arguments of `parse_object`, which explains them."""

    start: int
    end: int | None
    resume: int
    stop: int | None
    first_line: int | None
    final: bool


class Stored:
    """The wanted stored bytes of an object of `size` bytes, hashed as they are read.

    The bytes are [start, end); those from `limit` on are never looked at. Of a compressed object
    all bytes are wanted, whatever part of its content is. `reached` is where reading has come to.
    """

    def __init__(self, read: ReadRange, size: int, extent: Extent) -> None:
        """Nothing is read yet."""
        self._read = read
        self.size = size
        self.extent = extent
        self.limit = size if extent.stop is None else min(size, extent.stop)
        self.start = max(extent.start, extent.resume)
        self.end = self.limit if extent.end is None else min(extent.end, self.limit)
        self.is_cut = self.start > extent.resume or self.end < self.limit
        self.reached = self.start
        self._digests: list[bytes] = []
        self._held = (self.start, b"")  # the last block, and where it starts
        self.blocks = self._blocks()

    @property
    def is_all(self) -> bool:
        """Whether every byte of the object is wanted."""
        return (self.start, self.end) == (0, self.size)

    def want_all(self) -> None:
        """Want every byte of the object; only before the first block is read."""
        self.start, self.end, self.limit = 0, self.size, self.size

    def read(self, start: int, end: int) -> bytes:
        """Return exactly the stored bytes [start, end); raises ObjectUnreadable and others."""
        first, block = self._held
        if first <= start and end <= first + len(block):
            return block[start - first : end - first]
        return read_exactly(self._read, start, end)

    def _blocks(self) -> Iterator[bytes]:
        for start in range(self.start, self.end, HASH_CHUNK_BYTES):
            block = self.read(start, min(start + HASH_CHUNK_BYTES, self.end))
            self.reached = start + len(block)
            self._held = (start, block)
            self._digests.append(hashlib.sha256(block).digest())
            yield block

    def before(self, end: int) -> Iterator[bytes]:
        """Yield the stored bytes up to `end`, which are not hashed."""
        for start in range(0, end, HASH_CHUNK_BYTES):
            yield self.read(start, min(start + HASH_CHUNK_BYTES, end))

    def chunk_digests(self) -> tuple[bytes, ...]:
        """Return the digests of the 8 MiB chunks of [start, end), after reading what is left.

        None where that is no part of the whole object's hash: it begins at `resume`, or bytes
        from `stop` on were not read.
        """
        extent = self.extent
        if self.limit < self.size or (self.start > 0 and extent.resume > 0):
            return ()
        if extent.stop is None:
            for _ in self.blocks:
                pass
        complete = len(self._digests) * HASH_CHUNK_BYTES >= self.end - self.start
        return tuple(self._digests) if complete else ()

    def digests_to(self, end: int) -> tuple[bytes, ...]:
        """Return the digests of the 8 MiB chunks of [start, end), of which all was read."""
        full, rest = divmod(end - self.start, HASH_CHUNK_BYTES)
        digests = self._digests[:full]
        if rest and end < self.end:
            digests.append(hashlib.sha256(self.read(end - rest, end)).digest())
        elif rest:
            digests.append(self._digests[full])
        return tuple(digests)
