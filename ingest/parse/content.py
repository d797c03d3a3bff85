"""From the stored bytes of an object to its content: hashes, byte ranges, gzip layers, refusals.

Rules: sections 1.4 (file status) and 3.1 (opening, gzip, ranges) of the format specification.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from ingest.errors import ObjectUnreadable
from ingest.parse.model import ReadRange

BLOCK_BYTES = 8 << 20  # read and hashed at once
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
# Input is fed to zlib in blocks of this size: at the end of each gzip member zlib copies what
# is left of its input, which would make millions of tiny members quadratic.
_INPUT_BYTES = 64 << 10
# No call returns more than this, even for a decompression bomb.
_OUTPUT_BYTES = 8 << 20
_GZIP_WINDOW = 31
_FIRST_BEYOND_BYTES = 64 << 10

_BINARY_MAGICS = (
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"Obj\x01",  # Avro
)
# bzip2, Parquet (also encrypted), ORC: a host name can begin like these.
_TEXT_MAGICS = re.compile(rb"BZh[1-9]|PAR[1E]|ORC")
_TEXT_LINE = re.compile(rb"[!-~]++ [\t -~]*+(?:\r?+\n|\Z)")
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_NUL_TEST_BYTES = 4096
# What to do about content that cannot be text of any format: file_reason -> remedy.
REMEDIES = {
    "nested_gzip": "unpack it: at most two layers of gzip are read",
    "not_utf8": "convert it to UTF-8",
    "unsupported_content": "unpack or convert it: only text and gzip are read",
}


class Stored:
    """The stored bytes [start, end) of an object of `size` bytes, hashed as they are read."""

    def __init__(
        self, read: ReadRange, size: int, *, start: int = 0, end: int | None = None
    ) -> None:
        """`end` None is the end of the object."""
        self._read = read
        self.size = size
        self.start = start
        self.end = size if end is None else min(end, size)
        self.digests: list[bytes] = []
        self.blocks = self._blocks()

    @property
    def is_whole(self) -> bool:
        """Whether the range is the whole object."""
        return self.start == 0 and self.end == self.size

    def read(self, start: int, end: int) -> bytes:
        """Return exactly the stored bytes [start, end); raises ObjectUnreadable and others."""
        data = self._read(start, end)
        if len(data) != end - start:
            raise ObjectUnreadable(f"got {len(data)} of {end - start} bytes at offset {start}")
        return data

    def _blocks(self) -> Iterator[bytes]:
        for start in range(self.start, self.end, BLOCK_BYTES):
            block = self.read(start, min(start + BLOCK_BYTES, self.end))
            self.digests.append(hashlib.sha256(block).digest())
            yield block

    def drain(self) -> None:
        """Read and hash the bytes that were not asked for."""
        for _ in self.blocks:
            pass


def owned(stored: Stored) -> tuple[int, Iterator[bytes]]:
    """Return (offset of the first line that starts in the range, the bytes of all such lines).

    The last of these lines may end after the range.
    """
    if stored.start == 0 or stored.read(stored.start - 1, stored.start) == b"\n":
        return stored.start, _to_line_end(stored, stored.blocks)
    at = stored.start
    for block in stored.blocks:
        newline = block.find(b"\n")
        if newline >= 0:
            rest = block[newline + 1 :]
            return at + newline + 1, _to_line_end(stored, chain([rest], stored.blocks))
        at += len(block)
    return stored.end, iter(())


def _to_line_end(stored: Stored, blocks: Iterable[bytes]) -> Iterator[bytes]:
    last = b"\n"
    for block in blocks:
        yield block
        last = block[-1:] or last
    at, step = stored.end, _FIRST_BEYOND_BYTES
    while last != b"\n" and at < stored.size:
        piece = stored.read(at, min(at + step, stored.size))
        newline = piece.find(b"\n")
        piece = piece if newline < 0 else piece[: newline + 1]
        yield piece
        last = piece[-1:]
        at, step = at + len(piece), min(2 * step, BLOCK_BYTES)


class Gunzip:
    """Decompresses joined gzip members piece by piece. Content decides, never a name.

    After `pieces` is exhausted, `error` says what is damaged (None = nothing), `size` how many
    bytes came out and `garbage` how many bytes follow the last member.
    """

    def __init__(self, stored: Iterator[bytes]) -> None:
        """`stored` must begin with the gzip magic."""
        self.error: str | None = None
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
                rest, member = (member.unused_data, None) if member.eof else (b"", member)
        self.garbage += len(pending)
        if member is not None and self.error is None:
            self.error = "the file ends inside a gzip member"

    def _inflate(self, member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        """Yield all that `data` decompresses to, up to the end of the member."""
        while True:
            piece = member.decompress(data, _OUTPUT_BYTES)
            self.size += len(piece)
            if piece:
                yield piece
            data = member.unconsumed_tail
            if member.eof or (not data and len(piece) < _OUTPUT_BYTES):
                return


def _small_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), _INPUT_BYTES):
            yield block[start : start + _INPUT_BYTES]


def peek(pieces: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes], bool]:
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


def refusal(head: bytes) -> str | None:
    """Return why content that begins with `head` cannot be text, None when it may be."""
    if head.startswith(_BINARY_MAGICS) or (_TEXT_MAGICS.match(head) and not _TEXT_LINE.match(head)):
        return "unsupported_content"
    start = head[:_NUL_TEST_BYTES]
    if head.startswith(_UTF16_OR_32) or (start and start.count(0) * 4 >= len(start)):
        return "not_utf8"
    return None
