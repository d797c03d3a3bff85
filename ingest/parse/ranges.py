"""Byte ranges: which lines a range of an uncompressed object owns.

A line belongs to the range that holds its first byte. NUL bytes at the start of a line are passed
over (7.9): its first byte is the first other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from ingest.parse.stored import Stored
from ingest.settings import HASH_CHUNK_BYTES

_NUL = b"\0"
_FIRST_STEP_BYTES = 64 << 10


def owned(stored: Stored, blocks: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """Return (an offset at which a line begins, the bytes of all lines of the range from there).

    `blocks` are all wanted bytes of `stored`. The last line may end after them.
    """
    at = stored.start
    before = b"\n" if at == stored.extent.resume else stored.read(at - 1, at)
    if before == _NUL:
        at, blocks = _without_blocks_of_nuls(at, blocks)
        if at < stored.end and _is_in_hole(stored):
            # One of the NULs before it tells that the line has some.
            return at - 1, _to_line_end(stored, chain([_NUL], blocks))
    if before == b"\n":
        return at, _to_line_end(stored, blocks)
    for block in blocks:
        newline = block.find(b"\n")
        if newline >= 0:
            rest = block[newline + 1 :]
            return at + newline + 1, _to_line_end(stored, chain([rest], blocks))
        at += len(block)
    return stored.end, iter(())


def _without_blocks_of_nuls(at: int, blocks: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """Return (offset of the first of `blocks` that holds more than NULs, the blocks from it on)."""
    for block in blocks:
        if block.count(0) < len(block):
            return at, chain([block], blocks)
        at += len(block)
    return at, blocks


def _is_in_hole(stored: Stored) -> bool:
    """Return whether the NULs before the range are the first bytes of a line."""
    at, step = stored.start, _FIRST_STEP_BYTES
    while at > stored.extent.resume:
        block = stored.read(max(stored.extent.resume, at - step), at)
        text = block.rstrip(_NUL)
        if text:
            return text.endswith(b"\n")
        at, step = at - len(block), _next(step)
    return True


def _to_line_end(stored: Stored, blocks: Iterable[bytes]) -> Iterator[bytes]:
    is_open = False  # whether a line has begun and not ended
    for block in blocks:
        yield block
        text = block.rstrip(_NUL)
        is_open = not text.endswith(b"\n") if text else is_open
    at, step = stored.end, _FIRST_STEP_BYTES
    while is_open and at < stored.limit:
        piece = stored.read(at, min(at + step, stored.limit))
        newline = piece.find(b"\n")
        piece = piece if newline < 0 else piece[: newline + 1]
        at = stored.reached = at + len(piece)
        yield piece
        is_open = newline < 0
        step = _next(step)


def _next(step: int) -> int:
    return min(2 * step, HASH_CHUNK_BYTES)
