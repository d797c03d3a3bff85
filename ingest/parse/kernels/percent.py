"""Texts without their percent-encoding: section 3.9 of the specification."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import BYTES, FLAGS, POSITIONS, TABLE, WORD, helper, kernel
from ingest.parse.kernels.split import NOT_PLAIN, is_utf8
from ingest.parse.kernels.words import (
    ALL,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    copied,
    find,
    is_same,
)

_PERCENT: Final = np.uint64(ord("%"))
_QUESTION: Final = np.uint8(ord("?"))
_SIXTEEN: Final = np.int64(16)
_OUTSIDE_ASCII: Final = 0x80
_UNSURE: Final = ALL


@helper
def hexadecimal(byte: np.uint8) -> np.int64:
    """Return the value of a hexadecimal digit, a number below -255 for another character."""
    if ord("0") <= byte <= ord("9"):
        return np.int64(byte) - np.int64(48)
    letter = byte | 0x20
    return np.int64(letter) - np.int64(87) if ord("a") <= letter <= ord("f") else np.int64(-1000)


@helper
def _decoded(
    buffer: Bytes, at: np.uint64, stop: np.uint64, texts: Flags, to: np.uint64
) -> np.uint64:
    """Decode [at, stop) to `to`, and return where it ends, _UNSURE where that needs a warning."""
    begin = to
    has_high = False
    while True:
        percent = find(buffer, at, stop, _PERCENT)
        to = copied(buffer, at, percent, texts, to)
        if percent == stop:
            break
        if percent + TWO >= stop:
            return _UNSURE
        byte = hexadecimal(buffer[percent + ONE]) * _SIXTEEN + hexadecimal(buffer[percent + TWO])
        if byte <= 0:
            return _UNSURE
        if byte >= _OUTSIDE_ASCII:
            has_high = True
        texts[to] = np.uint8(byte)
        to += ONE
        at = percent + TWO + ONE
    if has_high and not is_utf8(texts, begin, to):
        return _UNSURE
    return to


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, POSITIONS, FLAGS)
def split_paths(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    query_begins: Positions,
    query_stops: Positions,
    plain: Flags,
) -> None:
    """Stop paths at their first `?`; what is behind it is the query.

    A line that has another query is not `plain`.
    """
    for number in range(plain.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] == NOT_PLAIN:
            continue
        path_stop = find(buffer, at, stop, np.uint64(_QUESTION))
        behind = path_stop + ONE
        if path_stop == stop:
            continue
        stops[line] = path_stop
        if behind == stop:
            continue
        other, other_stop = np.uint64(query_begins[line]), np.uint64(query_stops[line])
        if other != other_stop and not is_same(buffer, behind, stop, other, other_stop):
            plain[line] = NOT_PLAIN
        query_begins[line], query_stops[line] = behind, stop


@kernel(BYTES, TABLE, TABLE, POSITIONS, FLAGS, WORD, FLAGS, FLAGS, TABLE, TABLE)
def decode_texts(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    columns: Positions,
    is_encoded: Flags,
    query: np.uint64,
    plain: Flags,
    texts: Flags,
    text_begins: npt.NDArray[np.uint32],
    text_stops: npt.NDArray[np.uint32],
) -> None:
    """Write the texts of `columns` one behind the other, those that are encoded without that.

    Before a text of the column that is number `query` among them is a `?`. A line with a text that
    cannot be decoded without a warning is not `plain`; all texts of such lines are empty.
    """
    to = ZERO
    for number in range(plain.size):
        line = np.uint64(number)
        for column in range(columns.size if plain[line] != NOT_PLAIN else 0):
            index = np.uint64(column)
            slot = np.uint64(columns[index])
            at, stop = np.uint64(begins[slot, line]), np.uint64(stops[slot, line])
            if index == query and at != stop:
                texts[to] = _QUESTION
                to += ONE
            text_begins[index, line] = to
            if is_encoded[index]:
                end = _decoded(buffer, at, stop, texts, to)
            else:
                end = copied(buffer, at, stop, texts, to)
            if end == _UNSURE:
                plain[line] = NOT_PLAIN
                break
            text_stops[index, line] = to = end
        if plain[line] == NOT_PLAIN:
            for column in range(columns.size):
                text_begins[np.uint64(column), line] = text_stops[np.uint64(column), line] = to
