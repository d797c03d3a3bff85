"""Bytes that are written as two hexadecimal digits behind a mark, all of a text at once.

Python takes a third of a microsecond for each, so that a megabyte of them would take long.
"""

from __future__ import annotations

import numpy as np

# Up to so many a pattern finds as fast.
MANY = 64
_NO_DIGIT = 16
_DIGITS = np.full(256, _NO_DIGIT, dtype=np.uint8)
_DIGITS[list(b"0123456789abcdef")] = _DIGITS[list(b"0123456789ABCDEF")] = range(16)


def undone(raw: bytes, mark: bytes, *, first: int = 0, last: int = 0xFF) -> bytes:
    """Return `raw` with each `mark`, and the digits of a byte from `first` to `last`, as that byte.

    The first byte of `mark` is no digit and not in the rest of it, so that no two overlap.
    """
    padded = np.frombuffer(raw + b"." * (len(mark) + 2), dtype=np.uint8)
    at = np.flatnonzero(padded == mark[0])
    for offset, byte in enumerate(mark[1:], 1):
        at = at[padded[at + offset] == byte]
    at = at[: np.searchsorted(at, len(raw))]
    high, low = (_DIGITS[padded[at + len(mark) + digit]] for digit in (0, 1))
    bytes_ = high << 4 | low
    is_byte = (high < _NO_DIGIT) & (low < _NO_DIGIT) & (bytes_ >= first) & (bytes_ <= last)
    at = at[is_byte]
    decoded, kept = padded.copy(), np.ones(padded.size, dtype=np.bool_)
    decoded[at] = bytes_[is_byte]
    kept[len(raw) :] = False
    for offset in range(1, len(mark) + 2):
        kept[at + offset] = False
    return decoded[kept].tobytes()
