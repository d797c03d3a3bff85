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
from ingest.parse.kernels.split import ESCAPED
from ingest.parse.kernels.words import (
    EIGHT,
    ONE,
    TWO,
    WORD,
    ZERO,
    Bytes,
    Flags,
    Positions,
    find,
    find_either,
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
_BACKSLASH: Final = np.uint64(ord("\\"))
_ZERO_DIGIT: Final = np.int64(ord("0"))
_TEN: Final = np.int64(10)
_THOUSAND: Final = np.int64(1000)
# Quotes or brackets and a comma; the longest number and a comma.
_AROUND_TEXT: Final = 3
_AROUND_NUMBER: Final = 20

Numbers = npt.NDArray[np.int64]
Table = npt.NDArray[np.uint32]


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

    def most_bytes(self, buffer: Bytes, spans: Table, rows: Positions) -> int:
        """Return the most that the objects of `rows` take: a word in an array twice its bytes."""
        around = sum(
            _AROUND_TEXT if k in (TEXT, TEXTS) else _AROUND_NUMBER for k in self.rows[:, 0]
        )
        arrays = self.rows[self.rows[:, 0] == TEXTS, 1]
        twice = sum(int((spans[1, row, rows] - spans[0, row, rows]).sum()) for row in arrays)
        return buffer.size + twice + rows.size * (self.keys.size + around)


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
def _put(buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64) -> None:
    """Copy [source, stop) to `at`, and up to seven bytes more."""
    while source < stop:
        put_word(data, at, word_at(buffer, source))
        source += EIGHT
        at += EIGHT


@helper
def _put_quoted(
    buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64
) -> np.uint64:
    """Write a text, and return where it stops."""
    data[at] = _QUOTE
    _put(buffer, source, stop, data, at + ONE)
    after = at + ONE + (stop - source)
    data[after] = _QUOTE
    return after + ONE


@helper
def put_number(data: Bytes, at: np.uint64, number: np.int64) -> np.uint64:
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
    at = put_number(data, at, micros // _THOUSAND)
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
) -> np.uint64:
    """Write an array of the texts in [source, stop), and return where it stops."""
    data[at] = ord("[")
    at += ONE
    while source < stop:
        is_quoted = buffer[source] == _QUOTE
        begin = source + ONE if is_quoted else source
        end = find(buffer, begin, stop, _QUOTE if is_quoted else _BLANK)
        at = _put_quoted(buffer, begin, end, data, at)
        data[at] = ord(",")
        at += ONE
        source = end + (TWO if is_quoted else ONE)
    data[at - ONE] = ord("]")
    return at


@kernel(BYTES, TABLE, TABLE, NUMBER_TABLE, POSITIONS, FLAGS, WORDS, BYTES, CODES, FLAGS, FLAGS)
def _write(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    numbers: Numbers,
    rows: Positions,
    plain: Flags,
    items: npt.NDArray[np.uint64],
    keys: Bytes,
    offsets: npt.NDArray[np.int32],
    data: Bytes,
    sure: Flags,
) -> None:
    """Write an object for each of `rows` into `data`, nothing for one without values.

    `sure` are those of which no text would have to be escaped: lines are ESCAPED where one may.
    """
    at = ZERO
    offsets[0] = 0
    for number in range(rows.size):
        index = np.uint64(number)
        line = np.uint64(rows[index])
        begin, is_sure, is_escaped = at, True, plain[line] & ESCAPED != 0
        for item in range(items.shape[0]):
            entry = np.uint64(item)
            kind, row = items[entry, 0], items[entry, 1]
            source, stop, value = ZERO, ZERO, np.int64(0)
            if kind in (_TEXT, _TEXTS):
                source, stop = np.uint64(begins[row, line]), np.uint64(stops[row, line])
                if source == stop:
                    continue
                odd = _QUOTE if kind == _TEXT else _BACKSLASH
                if is_escaped and find_either(buffer, source, stop, odd, _BACKSLASH) != stop:
                    is_sure = False
                    break
            else:
                value = numbers[row, line]
                if value < 0:
                    continue
            data[at] = ord("{") if at == begin else ord(",")
            key, key_stop = items[entry, 2], items[entry, 3]
            _put(keys, key, key_stop, data, at + ONE)
            at += ONE + (key_stop - key)
            if kind == _TEXT:
                at = _put_quoted(buffer, source, stop, data, at)
            elif kind == _TEXTS:
                at = _put_texts(buffer, source, stop, data, at)
            elif kind == _MILLISECONDS:
                at = _put_milliseconds(data, at, value)
            else:
                at = put_number(data, at, value)
        if at != begin:
            data[at] = ord("}")
            at += ONE
        offsets[index + ONE] = at
        sure[index] = is_sure


def write_extra(
    buffer: Bytes,
    spans: Table,
    numbers: Numbers,
    rows: Positions,
    plain: Flags,
    plan: Plan,
) -> tuple[pa.StringArray, Mask]:
    """Return the JSON of each of `rows`, null without values, and which rows are sure to be right.

    `spans` are two tables, of begins and of stops; numbers below 0 are no values.
    """
    offsets = np.empty(rows.size + 1, dtype=np.int32)
    sure = np.empty(rows.size, dtype=np.uint8)
    begins, stops = spans
    data = np.empty(plan.most_bytes(buffer, spans, rows) + WORD, dtype=np.uint8)
    _write(buffer, begins, stops, numbers, rows, plain, plan.rows, plan.keys, offsets, data, sure)
    # The room that was not needed would live as long as the texts.
    data.resize(offsets[-1], refcheck=False)
    filled = offsets[1:] != offsets[:-1]
    valid = None if filled.all() else pa.py_buffer(np.packbits(filled, bitorder="little"))
    texts = pa.StringArray.from_buffers(rows.size, pa.py_buffer(offsets), pa.py_buffer(data), valid)
    return texts, sure != 0
