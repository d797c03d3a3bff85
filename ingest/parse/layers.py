"""Gzip layers of an object: sections 1.4 (file status) and 3.1 (gzip) of the format specification.

Content decides what is gzip, never a name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

GZIP_MAGIC = b"\x1f\x8b"
MAX_LAYERS = 2
# Input is fed to zlib in blocks of this size: at the end of each gzip member zlib copies what
# is left of its input, which would make millions of tiny members quadratic.
_INPUT_BYTES = 64 << 10
# No call returns more than this, even for a decompression bomb.
_OUTPUT_BYTES = 8 << 20
_GZIP_WINDOW = 31
# What any object may unpack to, however small it is.
_FREE_BYTES = 64 << 20


def most_content(size: int, ratio: int) -> int:
    """Return to how many bytes an object of `size` stored bytes may unpack."""
    return max(_FREE_BYTES, size * ratio)


class Gunzip:
    """Decompresses joined gzip members piece by piece.

    After `pieces` is exhausted, `error` says what is damaged (None = nothing), `size` how many
    bytes came out and `garbage` how many bytes follow the last member. What comes after more than
    `most` bytes is not decompressed: then `is_bomb`, and that is the error.
    """

    def __init__(self, stored: Iterator[bytes], most: int) -> None:
        """`stored` must begin with the gzip magic."""
        self.error: str | None = None
        self.is_bomb = False
        self._most = most
        self.size = 0
        self.garbage = 0
        self.pieces = self._pieces(stored)

    def _pieces(self, stored: Iterator[bytes]) -> Iterator[bytes]:
        member: zlib._Decompress | None = None
        pending = b""  # what may be the first bytes of a member
        for data in _small_blocks(stored):
            if self.error:
                continue  # read on, so that all of the object is hashed
            if self.garbage:
                self.garbage += len(data)
                continue
            rest = pending + data
            pending = b""
            while rest:
                if member is None:
                    if len(rest) < len(GZIP_MAGIC):
                        pending = rest
                        break
                    if not rest.startswith(GZIP_MAGIC):
                        self.garbage = len(rest)
                        break
                    member = zlib.decompressobj(wbits=_GZIP_WINDOW)
                try:
                    yield from self._inflate(member, rest)
                except zlib.error as error:
                    self.error = str(error)
                    break
                if self.is_bomb:
                    self.error = f"over {self._most} bytes"
                    break
                rest, member = (member.unused_data, None) if member.eof else (b"", member)
        self.garbage += len(pending)
        if member is not None and self.error is None:
            self.error = "the file ends inside a gzip member"

    def _inflate(self, member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        """Yield all that `data` decompresses to, up to the end of the member."""
        while True:
            before = member.copy()
            try:
                piece = member.decompress(data, _OUTPUT_BYTES)
            except zlib.error:
                yield from self._up_to_error(before, data)
                raise
            self.size += len(piece)
            if piece:
                yield piece
            self.is_bomb = self.size > self._most
            data = member.unconsumed_tail
            if self.is_bomb or member.eof or (not data and len(piece) < _OUTPUT_BYTES):
                return

    def _up_to_error(self, member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        """Yield what the call that failed would have: zlib drops it together with the error."""
        with suppress(zlib.error):
            for at in range(len(data)):
                piece = member.decompress(data[at : at + 1])
                self.size += len(piece)
                if piece:
                    yield piece


def _small_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), _INPUT_BYTES):
            yield block[start : start + _INPUT_BYTES]


class Unwrapped(NamedTuple):
    """Content inside its gzip layers, the outermost layer first.

    `pieces` are all its bytes, the first of which are `head`; `is_all`: `head` is everything.
    """

    head: bytes
    pieces: Iterator[bytes]
    is_all: bool
    layers: tuple[Gunzip, ...] = ()

    @property
    def error(self) -> str | None:
        """What is damaged in a layer as far as it was read, None = nothing."""
        return next((layer.error for layer in self.layers if layer.error), None)

    @property
    def is_bomb(self) -> bool:
        """Whether a layer has more content than it may have, as far as it was read."""
        return any(layer.is_bomb for layer in self.layers)


def unwrap(stored: Iterator[bytes], size: int, *, most: int) -> Unwrapped:
    """Return the content of the stored bytes; its `head` has up to `size` bytes.

    A head that begins with the gzip magic is a layer beyond the MAX_LAYERS that are read. A layer
    that unpacks to over `most` bytes is not read on.
    """
    layers: list[Gunzip] = []
    head, pieces, is_all = _peek(stored, size)
    while head.startswith(GZIP_MAGIC) and len(layers) < MAX_LAYERS:
        layers.append(Gunzip(pieces, most))
        head, pieces, is_all = _peek(layers[-1].pieces, size)
    return Unwrapped(head, pieces, is_all, tuple(layers))


def _peek(pieces: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes], bool]:
    """Return (up to `size` first bytes, all pieces again, whether these bytes are everything)."""
    seen: list[bytes] = []
    got = 0
    while got <= size:
        piece = next(pieces, None)
        if piece is None:
            return b"".join(seen), iter(seen), True
        seen.append(piece)
        got += len(piece)
    return b"".join(seen)[:size], _again(seen, pieces), False


def _again(seen: list[bytes], pieces: Iterator[bytes]) -> Iterator[bytes]:
    # Not itertools.chain: it would keep what was seen until the very end.
    while seen:
        yield seen.pop(0)
    yield from pieces
