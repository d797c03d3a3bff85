"""Texts of lines, each different one once."""

from __future__ import annotations

import secrets
from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.columns import (
    Codes,
    DictionaryColumn,
    dictionary_column,
    null_column,
)
from ingest.parse.kernels.compiled import (
    BYTES,
    CODES,
    INT,
    POSITIONS,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.words import (
    EIGHT,
    ONE,
    ZERO,
    Bytes,
    Positions,
    low_bytes,
    word_at,
)
from ingest.parse.kernels.words import WORD as WORD_BYTES

# Nobody who writes into logs can know which texts collide.
SEED: Final = np.uint64(secrets.randbits(64))
FACTOR: Final = np.uint64(secrets.randbits(64) | 1)
_PROBES: Final = 64
# Rows whose texts are fetched together, how many of those before have to differ from the one
# before them, and the bytes a row from which that pays.
_BLOCK: Final = np.uint64(64)
_FEW: Final = np.uint64(8)
_FAR: Final = np.uint64(480)
_HALF: Final = np.uint64(32)
_ODD: Final = np.uint64(29)
_PAIR: Final = np.uint64(2 * WORD_BYTES)


@helper
def hash_of(
    buffer: Bytes, at: np.uint64, stop: np.uint64, seed: np.uint64, factor: np.uint64
) -> np.uint64:
    """Return a number for the text [at, stop): nobody who writes logs knows which are equal."""
    # Two words at a time, each in a chain of its own: the processor multiplies both at once.
    one, other = seed ^ (stop - at), factor
    while at + _PAIR <= stop:
        one = (one ^ word_at(buffer, at)) * factor
        other = (other ^ word_at(buffer, at + EIGHT)) * factor
        one ^= one >> _HALF
        other ^= other >> _HALF
        at += _PAIR
    while at < stop:
        rest = low_bytes(min(stop - at, EIGHT))
        one = (one ^ word_at(buffer, at) & rest) * factor
        one ^= one >> _HALF
        at += EIGHT
    mixed = (one ^ other << _ODD ^ other >> _ODD) * factor
    return mixed ^ mixed >> _HALF


@helper
def _is_same(buffer: Bytes, one: np.uint64, other: np.uint64, length: np.uint64) -> bool:
    while length >= EIGHT:
        if word_at(buffer, one) != word_at(buffer, other):
            return False
        one, other, length = one + EIGHT, other + EIGHT, length - EIGHT
    if length == ZERO:
        return True
    return (word_at(buffer, one) ^ word_at(buffer, other)) & low_bytes(length) == ZERO


@helper
def _are_scattered(begins: Positions, rows: Positions) -> bool:
    """Return whether the texts of `rows` are so far apart that the processor does not foresee."""
    if rows.size == 0:
        return False
    first, last = begins[rows[ZERO]], begins[rows[np.uint64(rows.size) - ONE]]
    return bool(np.uint64(last) > np.uint64(first) + np.uint64(rows.size) * _FAR)


@helper
def _touched(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    rows: Positions,
    index: np.uint64,
    after: np.uint64,
) -> np.int32:
    """Read from each text of the rows [index, after), and return something made of it.

    The processor waits for all of them at once, not for one after the other.
    """
    touched = np.int32(0)
    for number in range(index, after):
        row = np.uint64(rows[number])
        at, stop = np.uint64(begins[row]), np.uint64(stops[row])
        if at < stop:
            touched ^= np.int32(buffer[at]) ^ np.int32(buffer[stop - ONE])
    return touched


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, CODES, POSITIONS, CODES, WORD, WORD, returns=INT)
def _encode(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    rows: Positions,
    codes: npt.NDArray[np.int32],
    firsts: Positions,
    table: npt.NDArray[np.int32],
    seed: np.uint64,
    factor: np.uint64,
) -> int:
    """Number the texts of `rows` in `codes`, -1 for empty ones, and return how many differ.

    `firsts` gets the first row of each. `table` is full of -1, its size a power of two and at least
    twice the rows. Returns -1 when too many texts collide.
    """
    count = np.int32(0)
    size = np.uint64(table.size)
    total = np.uint64(rows.size)
    last, last_length, last_code = ZERO, ZERO, np.int32(-1)
    scattered = _are_scattered(begins, rows)
    block, others = ZERO, ZERO
    while block < total:
        end = min(block + _BLOCK, total)
        if scattered and others > _FEW:
            codes[block] = _touched(buffer, begins, stops, rows, block, end)  # for now
        others = ZERO
        for index in range(block, end):
            row = np.uint64(rows[index])
            at, stop = np.uint64(begins[row]), np.uint64(stops[row])
            length = stop - at
            if length == ZERO:
                codes[index] = -1
                continue
            if length == last_length and _is_same(buffer, at, last, length):
                codes[index] = last_code
                continue
            others += ONE
            place = hash_of(buffer, at, stop, seed, factor) & (size - ONE)
            probes = 0
            code = table[place]
            while code >= 0:
                first = np.uint64(firsts[np.uint64(code)])
                known = np.uint64(begins[first])
                if stops[first] - known == length and _is_same(buffer, at, known, length):
                    break
                probes += 1
                if probes > _PROBES:
                    return -1
                place = (place + ONE) & (size - ONE)
                code = table[place]
            if code < 0:
                code = count
                table[place] = code
                firsts[np.uint64(code)] = row
                count += np.int32(1)
            codes[index] = code
            last, last_length, last_code = at, length, code
        block = end
    return count


def encode(buffer: Bytes, begins: Positions, stops: Positions, rows: Positions) -> DictionaryColumn:
    """Return the texts of `rows`, null where empty, as a dictionary column."""
    if (begins == stops).all():
        return null_column(rows.size)
    codes, firsts = _numbered(buffer, begins, stops, rows)
    if firsts is None:
        return dictionary_column(cut(buffer, begins, stops, rows))
    return DictionaryColumn(codes, cut(buffer, begins, stops, firsts))


def _numbered(
    buffer: Bytes, begins: Positions, stops: Positions, rows: Positions
) -> tuple[Codes, Positions | None]:
    """Return the number of each text of `rows`, and the first row of each.

    The latter is None when too many texts collide.
    """
    codes = np.empty(rows.size, dtype=np.int32)
    firsts = np.empty(rows.size, dtype=np.uint32)
    table = np.full(1 << (2 * rows.size - 1).bit_length(), -1, dtype=np.int32)
    count = _encode(buffer, begins, stops, rows, codes, firsts, table, SEED, FACTOR)
    return codes, None if count < 0 else firsts[:count]


def distinct(numbers: npt.NDArray[np.int64]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Return the index of each of `numbers` into those that differ, and these."""
    begins = np.arange(numbers.size, dtype=np.uint32) * np.uint32(WORD_BYTES)
    rows = np.arange(numbers.size, dtype=np.uint32)
    codes, firsts = _numbered(numbers.view(np.uint8), begins, begins + np.uint32(WORD_BYTES), rows)
    if firsts is None:
        values, inverse = np.unique(numbers, return_inverse=True)
        return inverse.astype(np.int32), values
    return codes, numbers[firsts]
