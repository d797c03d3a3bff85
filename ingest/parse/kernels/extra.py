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
    inlined,
    kernel,
)
from ingest.parse.kernels.split import ESCAPED
from ingest.parse.kernels.words import (
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
_ZERO_DIGIT: Final = np.uint64(ord("0"))
_TEN: Final = np.uint64(10)
# Where the words of a step are, and the next step.
_STEP: Final = 4 * WORD
_WORDS: Final = tuple(np.uint64(at) for at in range(0, _STEP + 1, WORD))
_THOUSAND: Final = np.uint64(1000)
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

    A row holds kind, row, and where in `keys` begins and stops what is written before the value.
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
        written = f',"{key}":'.encode() + (b'"' if kind == TEXT else b"")
        rows.append((kind, row, len(keys), len(keys) + len(written)))
        keys += written
    table = np.array(rows, dtype=np.uint64).reshape(-1, 4)
    return Plan(table, np.frombuffer(keys + bytes(_STEP), dtype=np.uint8))


@inlined
def _put(buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64) -> None:
    """Copy [source, stop) to `at` in steps that most texts fit in, up to the end of the last."""
    while source < stop:
        first, second = word_at(buffer, source), word_at(buffer, source + _WORDS[1])
        third, fourth = word_at(buffer, source + _WORDS[2]), word_at(buffer, source + _WORDS[3])
        put_word(data, at, first)
        put_word(data, at + _WORDS[1], second)
        put_word(data, at + _WORDS[2], third)
        put_word(data, at + _WORDS[3], fourth)
        source += _WORDS[4]
        at += _WORDS[4]


@inlined
def _put_closed(
    buffer: Bytes, source: np.uint64, stop: np.uint64, data: Bytes, at: np.uint64
) -> np.uint64:
    """Write a text and a quote behind it, and return where that stops."""
    _put(buffer, source, stop, data, at)
    after = at + (stop - source)
    data[after] = _QUOTE
    return after + ONE


@inlined
def put_number(data: Bytes, at: np.uint64, number: np.int64) -> np.uint64:
    """Write the digits of `number`, and return where they stop."""
    rest, size, limit = np.uint64(number), ONE, _TEN
    while rest >= limit:
        size += ONE
        limit *= _TEN
    place = at + size
    while place > at:
        place -= ONE
        data[place] = np.uint8(_ZERO_DIGIT + rest % _TEN)
        rest //= _TEN
    return at + size


@inlined
def _put_milliseconds(data: Bytes, at: np.uint64, micros: np.int64) -> np.uint64:
    """Write `micros` as milliseconds the shortest way that has a point, as floats are in JSON."""
    number = np.uint64(micros)
    at = put_number(data, at, np.int64(number // _THOUSAND))
    data[at] = ord(".")
    rest, unit = number % _THOUSAND, _THOUSAND // _TEN
    at += ONE
    data[at] = np.uint8(_ZERO_DIGIT + rest // unit)
    at += ONE
    rest %= unit
    while rest > ZERO:
        unit //= _TEN
        data[at] = np.uint8(_ZERO_DIGIT + rest // unit)
        at += ONE
        rest %= unit
    return at


@inlined
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
        data[at] = _QUOTE
        at = _put_closed(buffer, begin, end, data, at + ONE)
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
            key, key_stop = items[entry, 2], items[entry, 3]
            _put(keys, key, key_stop, data, at)
            at += key_stop - key
            if kind == _TEXT:
                at = _put_closed(buffer, source, stop, data, at)
            elif kind == _TEXTS:
                at = _put_texts(buffer, source, stop, data, at)
            elif kind == _MILLISECONDS:
                at = _put_milliseconds(data, at, value)
            else:
                at = put_number(data, at, value)
        if at != begin:
            data[begin] = ord("{")
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
    data = np.empty(plan.most_bytes(buffer, spans, rows) + _STEP, dtype=np.uint8)
    _write(buffer, begins, stops, numbers, rows, plain, plan.rows, plan.keys, offsets, data, sure)
    # The room that was not needed would live as long as the texts.
    data.resize(offsets[-1], refcheck=False)
    filled = offsets[1:] != offsets[:-1]
    valid = None if filled.all() else pa.py_buffer(np.packbits(filled, bitorder="little"))
    texts = pa.StringArray.from_buffers(rows.size, pa.py_buffer(offsets), pa.py_buffer(data), valid)
    return texts, sure != 0
