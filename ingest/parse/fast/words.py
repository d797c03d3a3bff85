"""Bytes of many lines at once, eight to a machine word.

A word is a little-endian uint64 read at any byte offset: its lowest byte is the first character.
Everything here works on whole arrays; nothing looks at a single line.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WORD = 8
_LOW = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_BYTE = np.uint64(0xFF)
# Added to an ASCII byte, each sets the high bit where the byte is above 9, or above 0.
_ABOVE_NINE = 0x76
_ABOVE_ZERO = 0x7F


def word(text: bytes) -> np.uint64:
    """Return `text`, at most eight bytes, as a word padded with zero bytes."""
    return np.uint64(int.from_bytes(text.ljust(WORD, b"\0"), "little"))


def low_bytes(count: int) -> np.uint64:
    """Return the word that keeps the first `count` characters of another."""
    return np.uint64((1 << 8 * min(count, WORD)) - 1)


def words_of(buffer: Bytes) -> Words:
    """Return the view in which item i is the word that begins at byte i, without copying."""
    return np.ndarray(max(buffer.size - WORD + 1, 0), dtype="<u8", buffer=buffer.data, strides=(1,))


def following(buffer: Bytes, begins: Positions, count: int) -> Words:
    """Return `count` rows: the words at `begins` in `buffer`, those 8 bytes on, and so forth.

    All of a line's are fetched at once, as one item: half the time of as many single words.
    """
    size = WORD * count
    items = np.ndarray(
        max(buffer.size - size + 1, 0), dtype=f"V{size}", buffer=buffer.data, strides=(1,)
    )
    return np.ascontiguousarray(items[begins].view("<u8").reshape(-1, count).T)


def byte(words: Words, index: int) -> Positions:
    """Return character `index` of each word as a number."""
    return ((words >> np.uint64(8 * index)) & _BYTE).view(np.int64)


class Pattern:
    """Text of at most eight characters in which `0` means any digit and `?` anything."""

    def __init__(self, text: bytes) -> None:
        fixed = bytes(0 if c == ord("?") else c for c in text)
        above = {ord("0"): _ABOVE_NINE, ord("?"): 0}
        self._fixed = word(fixed)
        self._above = word(bytes(above.get(c, _ABOVE_ZERO) for c in text))

    def match(self, words: Words) -> tuple[Words, Mask]:
        """Return the words with digits as 0-9, and where they match. The text is ASCII."""
        values = words ^ self._fixed
        return values, ((values + self._above) & self._high()) == 0

    def _high(self) -> np.uint64:
        return _HIGH & np.uint64(
            sum(0x80 << 8 * i for i in range(WORD) if int(self._above) >> 8 * i & 0xFF)
        )


def find(buffer: Bytes, begins: Positions, character: bytes, *, limit: int) -> Positions:
    """Return the offset from `begins` of the first `character`, `limit` where there is none.

    Only the next `limit` bytes, a multiple of 16, are searched.
    """
    found = np.full(begins.size, limit, dtype=np.int64)
    missing: Positions | slice = slice(None)
    for first in range(0, limit, 2 * WORD):
        offsets, others = index_of(following(buffer, begins[missing] + first, 2), character)
        offsets += np.where(offsets < WORD, 0, others)
        found[missing] = np.where(offsets < 2 * WORD, offsets + first, limit)
        missing = np.flatnonzero(found == limit)
        if not missing.size:
            break
    return found


def index_of(words: Words, character: bytes) -> Positions:
    """Return where the first `character` is in each word, 8 where it is not."""
    values = words ^ (_LOW * np.uint64(character[0]))
    zeros = (values - _LOW) & ~values & _HIGH
    # The bits below the lowest set one: 8 for each byte before it, 64 where there is none.
    below = np.bitwise_count((zeros & (~zeros + np.uint64(1))) - np.uint64(1))
    return (below >> 3).astype(np.int64)


def numbers(words: Words, begins: Positions, ends: Positions) -> tuple[Positions, Mask]:
    """Return the decimal numbers at [begin, end), and where these are 1 to 8 ASCII digits.

    The bytes are ASCII; there are at least eight before each end.
    """
    lengths = ends - begins
    valid = (lengths >= 1) & (lengths <= WORD)
    junk = ((WORD - np.where(valid, lengths, WORD)) * 8).view(np.uint64)
    digits = ((words[ends - WORD] ^ (_LOW * np.uint64(0x30))) >> junk) << junk
    valid &= ((digits + _LOW * np.uint64(_ABOVE_NINE)) & _HIGH) == 0
    digits = (digits * np.uint64(2561)) >> np.uint64(8)
    digits = ((digits & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    digits = ((digits & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
    return digits.view(np.int64), valid
