"""The column `extra` of lines whose keys are known beforehand: section 2.2 of the specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.compiled import (
    BYTES,
    CODES,
    FLAGS,
    NUMBER_TABLE,
    POSITIONS,
    TABLE,
    WORDS,
    helper,
    kernel,
)
from ingest.parse.kernels.split import closing_quote
from ingest.parse.kernels.words import (
    EIGHT,
    LOW,
    ONE,
    TWO,
    WORD,
    ZERO,
    Bytes,
    Flags,
    Positions,
    find,
    has_zero,
    low_bytes,
    put_word,
    word_at,
)

# Kinds of values: a text of the line, a number, microseconds as milliseconds, and texts of the line
# with a blank between two, which become an array.
TEXT: Final = 0
NUMBER: Final = 1
MILLISECONDS: Final = 2
TEXTS: Final = 3
_TEXT: Final = np.uint64(TEXT)
_MILLISECONDS: Final = np.uint64(MILLISECONDS)
_TEXTS: Final = np.uint64(TEXTS)
_QUOTE: Final = np.uint64(ord('"'))
_BLANK: Final = np.uint64(ord(" "))
_QUOTES: Final = LOW * _QUOTE
_BACKSLASHES: Final = LOW * np.uint64(ord("\\"))
_ZERO_DIGIT: Final = np.int64(ord("0"))
_TEN: Final = np.int64(10)
_THOUSAND: Final = np.int64(1000)
# The longest number, or what is around a text, and a comma.
_MOST_AROUND: Final = 24

Numbers = npt.NDArray[np.int64]


class Item(NamedTuple):
    """A key, and which row of the table of its kind has its values."""

    key: str
    kind: int
    row: int


class Plan(NamedTuple):
    """Items in the order of their keys, as the kernel follows them: a row each.

    A row holds kind, row, and where the key begins and stops in `keys`, quotes and colon included.
    """

    rows: npt.NDArray[np.uint64]
    keys: Bytes

    @property
    def most_bytes(self) -> int:
        """The most that an object takes beside its texts."""
        return int(self.keys.size) + len(self.rows) * _MOST_AROUND


def plan_of(items: Sequence[Item]) -> Plan:
    """Return how `items` are written."""
    rows, keys = [], b""
    for key, kind, row in sorted(items):
        written = f'"{key}":'.encode()
        rows.append((kind, row, len(keys), len(keys) + len(written)))
        keys += written
    table = np.array(rows, dtype=np.uint64).reshape(-1, 4)
    return Plan(table, np.frombuffer(keys + bytes(WORD), dtype=np.uint8))


@helper
def _put_text(
    buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64
) -> np.uint64:
    """Copy [source, stop) to `at`, and return 0 unless it holds what JSON escapes."""
    marks = ZERO
    while source < stop:
        bytes_ = word_at(buffer, source)
        put_word(data, at, bytes_)
        found = has_zero(bytes_ ^ _QUOTES) | has_zero(bytes_ ^ _BACKSLASHES)
        marks |= found & low_bytes(min(stop - source, EIGHT))
        source += EIGHT
        at += EIGHT
    return marks


@helper
def _put_quoted(
    buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64
) -> np.uint64:
    data[at] = _QUOTE
    marks = _put_text(buffer, source, stop, data, at + ONE)
    data[at + ONE + (stop - source)] = _QUOTE
    return marks


@helper
def _put_number(data: Bytes, at: np.uint64, number: np.int64) -> np.uint64:
    """Write the digits of `number`, and return where they stop."""
    size, rest = ONE, number // _TEN
    while rest > 0:
        size += ONE
        rest //= _TEN
    place, rest = at + size, number
    while place > at:
        place -= ONE
        data[place] = np.uint8(_ZERO_DIGIT + rest % _TEN)
        rest //= _TEN
    return at + size


@helper
def _put_milliseconds(data: Bytes, at: np.uint64, micros: np.int64) -> np.uint64:
    """Write `micros` as milliseconds the shortest way that has a point, as floats are in JSON."""
    at = _put_number(data, at, micros // _THOUSAND)
    data[at] = ord(".")
    rest, unit = micros % _THOUSAND, _THOUSAND // _TEN
    at += ONE
    data[at] = np.uint8(_ZERO_DIGIT + rest // unit)
    at += ONE
    rest %= unit
    while rest > 0:
        unit //= _TEN
        data[at] = np.uint8(_ZERO_DIGIT + rest // unit)
        at += ONE
        rest %= unit
    return at


@helper
def _put_texts(
    buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Write an array of the texts in [source, stop); return where it stops, and as `_put_text`."""
    marks = ZERO
    data[at] = ord("[")
    at += ONE
    while source < stop:
        is_quoted = buffer[source] == _QUOTE
        begin = source + ONE if is_quoted else source
        end = closing_quote(buffer, begin, stop) if is_quoted else find(buffer, begin, stop, _BLANK)
        marks |= _put_quoted(buffer, begin, end, data, at)
        at += end - begin + TWO
        data[at] = ord(",")
        at += ONE
        source = end + (TWO if is_quoted else ONE)
    data[at - ONE] = ord("]")
    return at, marks


@kernel(BYTES, TABLE, TABLE, NUMBER_TABLE, POSITIONS, WORDS, BYTES, CODES, FLAGS, FLAGS)
def _write(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    numbers: Numbers,
    rows: Positions,
    items: npt.NDArray[np.uint64],
    keys: Bytes,
    offsets: npt.NDArray[np.int32],
    data: Bytes,
    sure: Flags,
) -> None:
    """Write an object for each of `rows` into `data`, nothing for one without values.

    `sure` are those of which no text would have to be escaped.
    """
    at = ZERO
    offsets[0] = 0
    for number in range(rows.size):
        index = np.uint64(number)
        line = np.uint64(rows[index])
        begin, marks = at, ZERO
        for item in range(items.shape[0]):
            entry = np.uint64(item)
            kind, row = items[entry, 0], items[entry, 1]
            source, stop, value = ZERO, ZERO, np.int64(0)
            if kind in (_TEXT, _TEXTS):
                source, stop = np.uint64(begins[row, line]), np.uint64(stops[row, line])
                if source == stop:
                    continue
            else:
                value = numbers[row, line]
                if value < 0:
                    continue
            data[at] = ord("{") if at == begin else ord(",")
            key, key_stop = items[entry, 2], items[entry, 3]
            _put_text(keys, key, key_stop, data, at + ONE)
            at += ONE + (key_stop - key)
            if kind == _TEXT:
                marks |= _put_quoted(buffer, source, stop, data, at)
                at += stop - source + TWO
            elif kind == _TEXTS:
                at, found = _put_texts(buffer, source, stop, data, at)
                marks |= found
            elif kind == _MILLISECONDS:
                at = _put_milliseconds(data, at, value)
            else:
                at = _put_number(data, at, value)
        if at != begin:
            data[at] = ord("}")
            at += ONE
        offsets[index + ONE] = at
        sure[index] = marks == ZERO


def write_extra(
    buffer: Bytes,
    spans: npt.NDArray[np.uint32],
    numbers: Numbers,
    rows: Positions,
    plan: Plan,
) -> tuple[pa.StringArray, Mask]:
    """Return the JSON of each of `rows`, null without values, and which rows are sure to be right.

    `spans` are two tables, of begins and of stops; numbers below 0 are no values.
    """
    offsets = np.empty(rows.size + 1, dtype=np.int32)
    sure = np.empty(rows.size, dtype=np.uint8)
    # A word in an array takes at most twice its bytes. What is not written never takes memory.
    most = 2 * buffer.size + rows.size * plan.most_bytes
    data = np.empty(most + WORD, dtype=np.uint8)
    begins, stops = spans
    _write(buffer, begins, stops, numbers, rows, plan.rows, plan.keys, offsets, data, sure)
    filled = offsets[1:] != offsets[:-1]
    valid = None if filled.all() else pa.py_buffer(np.packbits(filled, bitorder="little"))
    texts = pa.StringArray.from_buffers(
        rows.size, pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]]), valid
    )
    return texts, sure != 0
