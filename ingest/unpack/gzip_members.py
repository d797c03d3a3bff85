"""Gzip: joined members, decompressed by zlib."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress

from ingest.unpack.feed import Damaged, Feed, cut

MAGIC = b"\x1f\x8b"
UNIT = "gzip member"
# No call returns more than this, even for a decompression bomb.
_OUTPUT_BYTES = 8 << 20
_GZIP_WINDOW = 31


def gunzip(feed: Feed) -> Iterator[bytes]:
    """Yield the content of the members that come next; raises Damaged."""
    while feed.peek(len(MAGIC)) == MAGIC:
        member = zlib.decompressobj(wbits=_GZIP_WINDOW)
        while not member.eof:
            data = feed.take_block()
            if not data:
                raise cut(UNIT)
            yield from _inflate(member, data)
        feed.put_back(member.unused_data)


def _inflate(member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield all that `data` decompresses to, up to the end of the member."""
    while True:
        before = member.copy()
        try:
            piece = member.decompress(data, _OUTPUT_BYTES)
        except zlib.error as error:
            yield from _up_to_error(before, data)
            raise Damaged(str(error)) from error
        if piece:
            yield piece
        data = member.unconsumed_tail
        if member.eof or (not data and len(piece) < _OUTPUT_BYTES):
            return


def _up_to_error(member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield what the call that failed would have: zlib drops it together with the error."""
    with suppress(zlib.error):
        for at in range(len(data)):
            piece = member.decompress(data[at : at + 1])
            if piece:
                yield piece
