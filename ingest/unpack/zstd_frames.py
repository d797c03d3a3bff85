"""Zstandard: joined frames, decompressed by Arrow; the layout of a frame is that of RFC 8878.

Arrow does not tell where a frame ends, so the frames are cut here: what comes after the last one
never reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from ingest.unpack.feed import Damaged, Feed, cut, gathered

UNIT = "zstd frame"
_MAGIC = b"\x28\xb5\x2f\xfd"
# A frame without content: pzstd begins with one, the seekable format ends with one.
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
OPENING = re.compile(rb"%b|%b" % (re.escape(_MAGIC), _SKIPPABLE.pattern))
_BYTES_OF_DICTIONARY_ID = (0, 1, 2, 4)
_BYTES_OF_CONTENT_SIZE = (0, 2, 4, 8)
_CHECKSUM_BYTES = 4
_REPEATED_BYTE = 1  # the type of a block that holds one byte, whatever its length says
# A call that fails drops what it has decompressed so far: that is less than this.
_OUTPUT_BYTES = 512


def unzstd(feed: Feed) -> Iterator[bytes]:
    """Yield the content of the frames that come next; raises Damaged."""
    return gathered(_decompressed(_FrameFile(gathered(_frames(feed)))))


class _FrameFile:
    """Chunks of bytes as the file that Arrow reads; `failure` is what reading them raised."""

    closed = False

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self.failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return the next bytes, up to `size`; none at the end."""
        if not self._held:
            try:
                self._held = memoryview(next(self._chunks, b""))
            except BaseException as failure:
                self.failure = failure
                raise
        data, self._held = self._held[:size], self._held[size:]
        return bytes(data)

    def close(self) -> None:
        """Arrow closes what it has read; there is nothing to close."""


def _decompressed(file: _FrameFile) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    while True:
        try:
            piece = stream.read(_OUTPUT_BYTES)
        except OSError as error:
            # Errors of the storage come through Arrow as well.
            if file.failure is not None:
                raise
            raise Damaged(f"the data of a zstd frame are damaged: {error}") from error
        if not piece:
            return
        yield piece


def _frames(feed: Feed) -> Iterator[bytes]:
    """Yield the bytes of the frames that have content."""
    while OPENING.match(magic := feed.peek(len(_MAGIC))):
        if magic == _MAGIC:
            yield from _frame(feed)
        else:
            _skip(feed)


def _frame(feed: Feed) -> Iterator[bytes]:
    start = feed.take(len(_MAGIC) + 1, inside=UNIT)
    descriptor = start[-1]
    yield start + feed.take(_header_bytes(descriptor), inside=UNIT)
    is_last = False
    while not is_last:
        head = feed.take(3, inside=UNIT)
        number = int.from_bytes(head, "little")
        is_last = bool(number & 1)
        size = 1 if number >> 1 & 3 == _REPEATED_BYTE else number >> 3
        yield head + feed.take(size, inside=UNIT)
    if descriptor & 4:
        yield feed.take(_CHECKSUM_BYTES, inside=UNIT)


def _header_bytes(descriptor: int) -> int:
    """Return how many bytes of the header follow its descriptor."""
    is_single = bool(descriptor & 0x20)  # one segment: its window is not given, its size is
    size = _BYTES_OF_CONTENT_SIZE[descriptor >> 6] or int(is_single)
    return (not is_single) + _BYTES_OF_DICTIONARY_ID[descriptor & 3] + size


def _skip(feed: Feed) -> None:
    head = feed.take(8, inside=UNIT)
    left = int.from_bytes(head[4:], "little")
    while left:
        data = feed.take_block()
        if not data:
            raise cut(UNIT)
        feed.put_back(data[left:])
        left -= min(left, len(data))
