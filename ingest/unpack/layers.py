"""Compressed layers of an object: sections 1.4 (file status) and 3.1 (gzip) of the specification.

Content decides what is compressed and how, never a name. The rules of gzip hold for every kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ingest.unpack import bzip2_streams, gzip_members, zstd_frames
from ingest.unpack.feed import Damaged, Feed

MAX_LAYERS = 2
# What any object may unpack to, however small it is.
_FREE_BYTES = 64 << 20


class Kind(NamedTuple):
    """A kind of compression: what it begins with, and the ends of names that fit, usual one first.

    `unpack` yields the content of joined units and leaves what follows them; it raises Damaged.
    """

    name: str
    opening: re.Pattern[bytes]
    suffixes: tuple[str, ...]
    unit: str
    unpack: Callable[[Feed], Iterator[bytes]]


KINDS = (
    Kind(
        "gzip",
        re.compile(re.escape(gzip_members.MAGIC)),
        (".gz", ".gzip"),
        gzip_members.UNIT,
        gzip_members.gunzip,
    ),
    Kind(
        "bzip2",
        bzip2_streams.OPENING,
        (".bz2", ".bz"),
        bzip2_streams.UNIT,
        bzip2_streams.bunzip2,
    ),
    Kind(
        "zstd",
        zstd_frames.OPENING,
        (".zst", ".zstd"),
        zstd_frames.UNIT,
        zstd_frames.unzstd,
    ),
)


def kind_of(head: bytes) -> Kind | None:
    """Return how content that begins with `head` is compressed, None when it is not."""
    return next((kind for kind in KINDS if kind.opening.match(head)), None)


def kind_named(name: str) -> Kind | None:
    """Return the kind of compression that `name` promises, None when it promises none."""
    return next((kind for kind in KINDS if name.lower().endswith(kind.suffixes)), None)


def most_content(size: int, ratio: int) -> int:
    """Return to how many bytes an object of `size` stored bytes may unpack."""
    return max(_FREE_BYTES, size * ratio)


class Layer:
    """Decompresses joined units of a kind piece by piece.

    After `pieces` is exhausted, `error` says what is damaged (None = nothing), `size` how many
    bytes came out and `garbage` how many bytes follow the last unit. What comes after more than
    `most` bytes is not decompressed: then `is_bomb`, and that is the error.
    """

    def __init__(self, kind: Kind, stored: Iterator[bytes], most: int) -> None:
        """`stored` must begin as the kind does."""
        self.kind = kind
        self.error: str | None = None
        self.is_bomb = False
        self.size = 0
        self.garbage = 0
        self._most = most
        self.pieces = self._pieces(Feed(stored))

    def _pieces(self, feed: Feed) -> Iterator[bytes]:
        try:
            for piece in self.kind.unpack(feed):
                self.size += len(piece)
                yield piece
                self._check_size()
        except Damaged as damage:
            self.error = str(damage)
        left = feed.drain()  # so that all of the object is hashed
        self.garbage = 0 if self.error else left

    def _check_size(self) -> None:
        self.is_bomb = self.size > self._most
        if self.is_bomb:
            raise Damaged(f"over {self._most} bytes")


class Unwrapped(NamedTuple):
    """Content inside its layers, the outermost layer first.

    `pieces` are all its bytes, the first of which are `head`; `is_all`: `head` is everything.
    """

    head: bytes
    pieces: Iterator[bytes]
    is_all: bool
    layers: tuple[Layer, ...] = ()

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

    A head that is still compressed is a layer beyond the MAX_LAYERS that are read. A layer that
    unpacks to over `most` bytes is not read on.
    """
    layers: list[Layer] = []
    head, pieces, is_all = _peek(stored, size)
    while (kind := kind_of(head)) is not None and len(layers) < MAX_LAYERS:
        layers.append(Layer(kind, pieces, most))
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
