"""The content of an object as the driver looks at it: to know a log again, no line is cut.

Why: `docs/adr/0007-know-logs-by-their-content.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from ingest.lake.identity import FINGERPRINT_BYTES
from ingest.parse.fingerprint import last_bytes
from ingest.parse.model import ReadRange
from ingest.parse.stored import read_exactly
from ingest.settings import MAX_EXPANSION_RATIO
from ingest.unpack.layers import Unwrapped, kind_of, most_content, unwrap

# Read at once of what is compressed: most of it is not wanted where only its opening is.
_BLOCK_BYTES = 1 << 20


class Content:
    """The content of an object of `size` stored bytes, inside up to two compressed layers.

    Nothing is read before it is asked for. Of an uncompressed object only the bytes in question
    are read; a compressed one is read from its beginning, and never held. All raise what `read`
    raises, and ObjectUnreadable for an answer that is too short.
    """

    def __init__(self, read: ReadRange, size: int) -> None:
        """`read` returns stored bytes."""
        self._read = read
        self._size = size
        self.is_damaged = False
        """Whether `scan` came to a damage of a layer; its length is then what could be read."""

    @cached_property
    def _stored_opening(self) -> bytes:
        return read_exactly(self._read, 0, min(FINGERPRINT_BYTES, self._size))

    @property
    def is_compressed(self) -> bool:
        """Whether the stored bytes are compressed, whatever the name says."""
        return kind_of(self._stored_opening) is not None

    @cached_property
    def opening(self) -> bytes:
        """The first up to 4096 content bytes."""
        return self._unwrapped().head if self.is_compressed else self._stored_opening

    def scan(self, offsets: Iterable[int]) -> tuple[int, dict[int, bytes]]:
        """Return (length, offset -> the up to 4096 bytes before it) of the content, in bytes.

        Offsets beyond the content are left out; its end is always among them.
        """
        if self.is_compressed:
            return self._scan_layers(sorted(set(offsets)))
        wanted = {*(offset for offset in offsets if offset <= self._size), self._size}
        return self._size, {
            offset: read_exactly(self._read, max(0, offset - FINGERPRINT_BYTES), offset)
            for offset in sorted(wanted)
        }

    def hole(self) -> int:
        """Return how many NULs come first: copytruncate leaves them, and lines begin after them."""
        size = 0
        if self.opening.startswith(b"\0"):
            for piece in self.pieces():
                text = piece.lstrip(b"\0")
                size += len(piece) - len(text)
                if text:
                    break
        return size

    def pieces(self) -> Iterator[bytes]:
        """Yield the content from its beginning, as far as its layers can be read."""
        return self._unwrapped().pieces if self.is_compressed else self._blocks()

    def _scan_layers(self, offsets: list[int]) -> tuple[int, dict[int, bytes]]:
        found: dict[int, bytes] = {}
        at, last = 0, b""
        unwrapped = self._unwrapped()
        for piece in unwrapped.pieces:
            for offset in offsets[len(found) :]:
                if offset > at + len(piece):
                    break
                found[offset] = _before(offset - at, last, piece)
            at, last = at + len(piece), last_bytes(last, piece)
        self.is_damaged = unwrapped.error is not None
        return at, found | {at: last}

    def _unwrapped(self) -> Unwrapped:
        most = most_content(self._size, MAX_EXPANSION_RATIO)
        return unwrap(self._blocks(), FINGERPRINT_BYTES, most=most)

    def _blocks(self) -> Iterator[bytes]:
        for start in range(0, self._size, _BLOCK_BYTES):
            yield read_exactly(self._read, start, min(start + _BLOCK_BYTES, self._size))


def _before(at: int, last: bytes, piece: bytes) -> bytes:
    """Return the up to 4096 bytes before byte `at` of `piece`, which `last` precede."""
    return last_bytes(last, piece[max(0, at - FINGERPRINT_BYTES) : at])
