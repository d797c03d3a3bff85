"""Deterministic ids of events and rejects: section 2.1 of the format specification."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_PREFIX_DIGITS = 20
_OFFSET_DIGITS = 12
_DIGITS = _PREFIX_DIGITS + _OFFSET_DIGITS
# Four hexadecimal digits, as one word, of each number below 2^16.
_HEX = np.frombuffer(b"".join(b"%04x" % number for number in range(1 << 16)), dtype="<u4")


def id_prefix(source_file: str) -> str:
    """Return the digits with which the ids of all events of `source_file` begin.

    They are 20 digits of SHA-256 over its UTF-8.
    """
    return hashlib.sha256(source_file.encode()).hexdigest()[:_PREFIX_DIGITS]


def event_id(prefix: str, offset: int) -> str:
    """Return the id of the event at `offset` of the object with that `id_prefix`."""
    return f"{prefix}{offset:0{_OFFSET_DIGITS}x}"


def event_ids(source_file: str, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """Return one id of 32 hexadecimal digits per offset: `event_id` of each, in one array."""
    prefix = id_prefix(source_file)
    digits = np.empty((len(offsets), _DIGITS), dtype=np.uint8)
    digits[:, :_PREFIX_DIGITS] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    words = digits.view("<u4")
    for place, shift in enumerate((32, 16, 0)):
        words[:, _PREFIX_DIGITS // 4 + place] = _HEX[(offsets >> shift) & 0xFFFF]
    bounds = np.arange(0, (len(offsets) + 1) * _DIGITS, _DIGITS, dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(offsets), pa.py_buffer(bounds), pa.py_buffer(digits.reshape(-1))
    )
