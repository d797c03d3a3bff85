"""Deterministic ids of events and rejects: section 2.1 of the format specification."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_PREFIX_DIGITS = 20
_OFFSET_DIGITS = 12
_DIGITS = _PREFIX_DIGITS + _OFFSET_DIGITS
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def event_ids(source_file: str, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """Return one id of 32 hexadecimal digits per offset.

    20 digits of SHA-256 over the UTF-8 of `source_file`, then the offset as 12 digits.
    """
    prefix = hashlib.sha256(source_file.encode()).hexdigest()[:_PREFIX_DIGITS]
    digits = np.empty((len(offsets), _DIGITS), dtype=np.uint8)
    digits[:, :_PREFIX_DIGITS] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    shifts = np.arange(4 * (_OFFSET_DIGITS - 1), -1, -4, dtype=np.int64)
    digits[:, _PREFIX_DIGITS:] = _HEX[(offsets[:, None] >> shifts) & 15]
    bounds = np.arange(0, (len(offsets) + 1) * _DIGITS, _DIGITS, dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(offsets), pa.py_buffer(bounds), pa.py_buffer(digits.reshape(-1))
    )
