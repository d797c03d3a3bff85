"""Stored bytes on their way to a decompressor, which takes as many as it needs."""

from __future__ import annotations

from collections.abc import Iterator

# At the end of each member zlib and bz2 copy what is left of their input, which would make
# millions of tiny members quadratic in larger blocks.
_BLOCK_BYTES = 64 << 10
_GATHERED_BYTES = 256 << 10


class Damaged(Exception):
    """What is wrong with compressed bytes; all that came out before is content."""


class Feed:
    """The bytes of `blocks`, taken one after another; raises what reading them raises."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        """Nothing is read yet."""
        self._blocks = _small(blocks)
        self._held = b""
        self._at = 0  # of what is held, where the bytes not yet taken begin

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end, and do not take them."""
        while len(self._held) - self._at < count:
            block = next(self._blocks, None)
            if block is None:
                break
            self.put_back(self._held[self._at :] + block)
        return self._held[self._at : self._at + count]

    def take(self, count: int, *, inside: str) -> bytes:
        """Return the next `count` bytes; raises Damaged when the file ends `inside` something."""
        if len(self._held) - self._at < count and len(self.peek(count)) < count:
            raise cut(inside)
        start, self._at = self._at, self._at + count
        return self._held[start : self._at]

    def take_block(self) -> bytes:
        """Return the next bytes, as many as are at hand; none at the end."""
        data = self._held[self._at :] or next(self._blocks, b"")
        self.put_back(b"")
        return data

    def put_back(self, data: bytes) -> None:
        """Hold `data`, which come next, in place of what is held."""
        self._held, self._at = data, 0

    def drain(self) -> int:
        """Read to the end; return how many bytes were left."""
        left = 0
        while block := self.take_block():
            left += len(block)
        return left


def cut(inside: str) -> Damaged:
    """Return the damage of a file that ends `inside` something."""
    return Damaged(f"the file ends inside a {inside}")


def gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes of small `pieces` in larger ones, those before a damage too, none empty."""
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= _GATHERED_BYTES:
                yield b"".join(held)
                held, size = [], 0
    except Damaged:
        if size:
            yield b"".join(held)
        raise
    if size:
        yield b"".join(held)


def _small(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), _BLOCK_BYTES):
            yield block[start : start + _BLOCK_BYTES]
