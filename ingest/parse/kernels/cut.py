"""Texts of a buffer as Arrow arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels.compiled import BOOL, BYTES, CODES, FLAGS, POSITIONS, kernel
from ingest.parse.kernels.words import EIGHT, ONE, Bytes, Positions, put_word, word_at
from ingest.parse.kernels.words import WORD as WORD_BYTES


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, CODES, returns=BOOL)
def _offsets(
    _buffer: Bytes,
    begins: Positions,
    stops: Positions,
    rows: Positions,
    offsets: npt.NDArray[np.int32],
) -> bool:
    """Fill where each text of `rows` begins in one buffer, and return whether none is empty."""
    total = np.uint32(0)
    filled = True
    offsets[0] = 0
    for number in range(rows.size):
        index = np.uint64(number)
        row = np.uint64(rows[index])
        length = stops[row] - begins[row]
        filled &= length != 0
        total += np.uint32(length)
        offsets[index + ONE] = total
    return filled


@kernel(BYTES, POSITIONS, POSITIONS, CODES, FLAGS)
def _copy(
    buffer: Bytes,
    begins: Positions,
    rows: Positions,
    offsets: npt.NDArray[np.int32],
    data: npt.NDArray[np.uint8],
) -> None:
    """Copy the texts one behind the other, and up to seven bytes more behind the last."""
    for number in range(rows.size):
        index = np.uint64(number)
        source = np.uint64(begins[np.uint64(rows[index])])
        at, stop = np.uint64(offsets[index]), np.uint64(offsets[index + ONE])
        while at < stop:
            put_word(data, at, word_at(buffer, source))
            at += EIGHT
            source += EIGHT


def cut(buffer: Bytes, begins: Positions, stops: Positions, rows: Positions) -> pa.StringArray:
    """Return the texts of `rows` as an Arrow array, null where one is empty."""
    offsets = np.empty(rows.size + 1, dtype=np.int32)
    filled = _offsets(buffer, begins, stops, rows, offsets)
    data = np.empty(offsets[-1] + WORD_BYTES, dtype=np.uint8)
    _copy(buffer, begins, rows, offsets, data)
    valid = None
    if not filled:
        valid = pa.py_buffer(np.packbits(offsets[1:] != offsets[:-1], bitorder="little"))
    return pa.StringArray.from_buffers(
        rows.size, pa.py_buffer(offsets), pa.py_buffer(data[:-WORD_BYTES]), valid
    )


def spread_texts(texts: pa.StringArray, codes: npt.NDArray[np.int32]) -> pa.StringArray:
    """Return the one of `texts` that each code says, null for -1; an empty one is null too.

    Arrow's `take` needs twice the time.
    """
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.uint32)[texts.offset : texts.offset + len(texts) + 1]
    begins, stops = np.append(ends[:-1], np.uint32(0)), np.append(ends[1:], np.uint32(0))
    padded = np.append(np.frombuffer(data, dtype=np.uint8), np.zeros(WORD_BYTES, dtype=np.uint8))
    # -1 as unsigned is the last row, which is empty.
    rows = np.minimum(codes.view(np.uint32), np.uint32(len(texts)))
    return cut(padded, begins, stops, rows)
