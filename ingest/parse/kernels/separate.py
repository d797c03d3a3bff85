"""Where the columns of lines are that have a delimiter between them: one walk along each line."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BOOL,
    BYTES,
    CODES,
    FLAGS,
    OFFSETS,
    TABLE,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN, PLAIN, is_utf8
from ingest.parse.kernels.words import (
    EIGHT,
    HIGH,
    LOW,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    find,
    has_zero,
    low_bytes,
    word_at,
)

_QUOTE: Final = np.uint64(ord('"'))
_BLANK: Final = np.uint64(ord(" "))
_DASH: Final = ord("-")
_BLANKS: Final = LOW * _BLANK
_DELETES: Final = LOW * np.uint64(0x7F)
_QUOTES: Final = LOW * _QUOTE
_BACKSLASHES: Final = LOW * np.uint64(ord("\\"))
_LOW_BITS: Final = ~HIGH
_SEVEN: Final = np.uint64(7)
_TOP: Final = np.uint64(56)
_NUMBER_OF_BYTE: Final = np.uint64(0x0001_0203_0405_0607)


@helper
def _closing(buffer: Bytes, at: np.uint64, stop: np.uint64) -> np.uint64:
    """Return where the quoted text at `at` is closed, `stop` when it is not: two quotes are one."""
    closing = find(buffer, at, stop, _QUOTE)
    while closing + ONE < stop and buffer[closing + ONE] == _QUOTE:
        closing = find(buffer, closing + TWO, stop, _QUOTE)
    return closing


@kernel(BYTES, OFFSETS, OFFSETS, WORD, FLAGS)
def find_open(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    delimiter: np.uint64,
    is_open: Flags,
) -> None:
    """Fill which lines end inside a quoted column, if they begin outside of one."""
    for number in range(starts.size):
        line = np.uint64(number)
        at, end = np.uint64(starts[line]), np.uint64(ends[line])
        is_open[line] = False
        if find(buffer, at, end, _QUOTE) == end:
            continue
        while at <= end:
            if at < end and buffer[at] == _QUOTE:
                at = _closing(buffer, at + ONE, end)
                if at == end:
                    is_open[line] = True
                    break
            at = find(buffer, at, end, delimiter) + ONE


@helper
def _put(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    column: np.uint64,
    line: np.uint64,
    begin: np.uint64,
    stop: np.uint64,
) -> None:
    if column < np.uint64(begins.shape[0]):
        is_null = stop - begin == ONE and buffer[begin] == _DASH
        begins[column, line] = begin
        stops[column, line] = begin if is_null else stop


@helper
def _split_quoted(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    delimiter: np.uint64,
    line: np.uint64,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> np.uint64:
    """Note the columns of [at, end), perhaps quoted, and return how many there are.

    That is 0 for a quote within a quoted column, and for text behind one.
    """
    count = ZERO
    while at <= end:
        if at < end and buffer[at] == _QUOTE:
            stop = find(buffer, at + ONE, end, _QUOTE)
            behind = stop + ONE
            if stop == end or (behind < end and buffer[behind] != delimiter):
                return ZERO
            _put(buffer, begins, stops, count, line, at + ONE, stop)
        else:
            behind = find(buffer, at, end, delimiter)
            _put(buffer, begins, stops, count, line, at, behind)
        at = behind + ONE
        count += ONE
    return count


@kernel(BYTES, OFFSETS, OFFSETS, TABLE, TABLE, CODES, FLAGS, WORD, WORD, BOOL, BOOL)
def split_columns(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    counts: npt.NDArray[np.int32],
    plain: Flags,
    longest: np.uint64,
    delimiter: np.uint64,
    quotes: bool,
    merges: bool,
) -> None:
    """Note where the columns of each line begin and stop, a row each, and how many it has.

    Columns that a line has not are empty, and so are those that are a lone `-`.
    `plain` gets NOT_PLAIN for lines that are longer than `longest`, hold a control character that
    is no delimiter, bytes that are not UTF-8 or, with `merges`, an empty column; ESCAPED for others
    with a quote or a backslash.
    """
    delimiters = LOW * delimiter
    to_blank = delimiter ^ _BLANK
    width = np.uint64(begins.shape[0])
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        plain[line], counts[line] = NOT_PLAIN, 0
        count = ZERO
        if end - start <= longest:
            at, begin = start, start
            odd, high, quoted, backslashes = ZERO, ZERO, ZERO, ZERO
            has_empty = False
            while at < end:
                bytes_ = word_at(buffer, at)
                inside = HIGH
                if end - at < EIGHT:
                    rest = low_bytes(end - at)
                    bytes_ = bytes_ & rest | _BLANKS & ~rest
                    inside &= rest
                # A bit for each delimiter, and for nothing else: `has_zero` is right about the
                # first one only.
                others = bytes_ ^ delimiters
                hits = ~((others & _LOW_BITS) + _LOW_BITS | others | _LOW_BITS) & inside
                bytes_ ^= (hits >> _SEVEN) * to_blank
                odd |= (bytes_ - _BLANKS) & ~bytes_ | has_zero(bytes_ ^ _DELETES)
                high |= bytes_
                quoted |= has_zero(bytes_ ^ _QUOTES)
                backslashes |= has_zero(bytes_ ^ _BACKSLASHES)
                while hits != ZERO:
                    lowest = (hits & (~hits + ONE)) >> _SEVEN
                    stop = at + (lowest * _NUMBER_OF_BYTE >> _TOP)
                    _put(buffer, begins, stops, count, line, begin, stop)
                    has_empty |= begin == stop
                    count += ONE
                    begin = stop + ONE
                    hits &= hits - ONE
                at += EIGHT
            _put(buffer, begins, stops, count, line, begin, end)
            has_empty |= begin == end
            count += ONE
            if quotes and quoted != ZERO:
                count = _split_quoted(buffer, start, end, delimiter, line, begins, stops)
            is_text = odd & HIGH == ZERO and (high & HIGH == ZERO or is_utf8(buffer, start, end))
            if is_text and not (merges and has_empty):
                is_escaped = quoted != ZERO or backslashes != ZERO
                plain[line] = PLAIN | ESCAPED if is_escaped else PLAIN
            counts[line] = count
        for column in range(count, width):
            begins[np.uint64(column), line] = stops[np.uint64(column), line] = start
