"""Bzip2: joined streams, as pbzip2 writes them, decompressed by the standard library."""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterator

from ingest.unpack.feed import Damaged, Feed, cut, gathered

UNIT = "bzip2 stream"
# What an object begins with: a host name can begin like a later stream, not like this.
OPENING = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", re.DOTALL)
_STREAM = re.compile(rb"BZh[1-9]")
_STREAM_BYTES = 4
# A call that fails drops what it has decompressed so far: that is less than this.
_OUTPUT_BYTES = 512


def bunzip2(feed: Feed) -> Iterator[bytes]:
    """Yield the content of the streams that come next; raises Damaged."""
    return gathered(_streams(feed))


def _streams(feed: Feed) -> Iterator[bytes]:
    while _STREAM.match(feed.peek(_STREAM_BYTES)):
        stream = bz2.BZ2Decompressor()
        while not stream.eof:
            data = feed.take_block() if stream.needs_input else b""
            if stream.needs_input and not data:
                raise cut(UNIT)
            yield _decompress(stream, data)
        feed.put_back(stream.unused_data)


def _decompress(stream: bz2.BZ2Decompressor, data: bytes) -> bytes:
    try:
        return stream.decompress(data, _OUTPUT_BYTES)
    except OSError as error:
        raise Damaged("the data of a bzip2 stream are damaged") from error
