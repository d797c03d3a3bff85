"""By what a log is known again, whatever its name, and what of its content was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES
from ingest.settings import HASH_CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256 (hexadecimal) of the ends of the first bytes of a content.

    `opening` of the first 64 of them, `head` of the first 4096, `tail` of the last 4096, or of all
    where there are fewer.
    """

    opening: str
    head: str
    tail: str


def fingerprint(first: bytes, last: bytes, end: int) -> Fingerprint:
    """Return the fingerprint of the content bytes up to `end`.

    `first` are at least the first min(4096, end) content bytes, `last` those before `end`.
    """
    head = first[: min(FINGERPRINT_BYTES, end)]
    return Fingerprint(
        opening=_sha256(head[:OPENING_BYTES]),
        head=_sha256(head),
        tail=_sha256(last[-FINGERPRINT_BYTES:]),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def last_bytes(last: bytes, piece: bytes) -> bytes:
    """Return the last 4096 bytes of `last` and `piece` joined."""
    return (last + piece[-FINGERPRINT_BYTES:])[-FINGERPRINT_BYTES:]


class RangeHash:
    """Digests of the 8 MiB chunks of the content from `start` on, up to `end`."""

    def __init__(self, start: int, end: int | None = None) -> None:
        """`end` None is the end of the content."""
        self._start, self._end = start, end
        self._size = 0
        self._hasher = hashlib.sha256()
        self._digests: list[bytes] = []

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests so far, the last one perhaps of a shorter chunk."""
        is_full = self._size % HASH_CHUNK_BYTES == 0
        return (*self._digests, *(() if is_full else (self._hasher.digest(),)))

    def feed(self, piece: bytes, at: int) -> None:
        """Take `piece`, which begins at `at` of the content: pieces come one after another."""
        end = None if self._end is None else max(0, self._end - at)
        view = memoryview(piece)[max(0, self._start - at) : end]
        while view:
            left = HASH_CHUNK_BYTES - self._size % HASH_CHUNK_BYTES
            part, view = view[:left], view[left:]
            self._hasher.update(part)
            self._size += len(part)
            if len(part) == left:
                self._digests.append(self._hasher.digest())
                self._hasher = hashlib.sha256()


class Watched:
    """Content on its way from its compressed layers to the parser, which gets it from `pieces`.

    Of what came by, up to `stop`: `size` counts it, `first` and `last` are up to 4096 bytes at
    its ends, `digests` those of its 8 MiB chunks from `resume` on.
    """

    def __init__(self, pieces: Iterator[bytes], *, resume: int, stop: int | None) -> None:
        """`pieces` begin at offset 0; `stop` None is the end of the content."""
        self.size = 0
        self.first = self.last = b""
        self._hash = RangeHash(resume)
        self.pieces = self._watched(pieces, stop)

    @property
    def digests(self) -> tuple[bytes, ...]:
        """See `RangeHash`."""
        return self._hash.digests

    def _watched(self, pieces: Iterator[bytes], stop: int | None) -> Iterator[bytes]:
        for piece in pieces:
            # Reading one piece further than `stop` checks a content that ends there to its end.
            if stop is not None and self.size == stop:
                return
            wanted = piece if stop is None else piece[: stop - self.size]
            self._watch(wanted)
            yield wanted

    def _watch(self, piece: bytes) -> None:
        self.first += piece[: FINGERPRINT_BYTES - len(self.first)]
        self.last = last_bytes(self.last, piece)
        self._hash.feed(piece, self.size)
        self.size += len(piece)
