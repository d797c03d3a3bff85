"""Where the columns of lines are that have a delimiter between them: one walk along each line."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BOOL,
    BYTES,
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
    first_byte,
    low_bytes,
    word_at,
)
from ingest.parse.separated import MOST_COLUMNS

_QUOTE: Final = np.uint64(ord('"'))
_DASH: Final = ord("-")
_BLANKS: Final = LOW * np.uint64(ord(" "))
_QUOTES: Final = LOW * _QUOTE
_BACKSLASHES: Final = LOW * np.uint64(ord("\\"))
_LOW_BITS: Final = ~HIGH
# More than the columns that a layout has; of lines with more than this, no column is asked for.
_EDGES: Final = 2 * MOST_COLUMNS
_LAST_EDGE: Final = np.uint64(_EDGES - 1)
_SINGLE: Final = np.uint32(1)
_MOST: Final = np.uint32(0xFFFF_FFFF)

# Where the columns of a line begin, and where they stop.
Edges = npt.NDArray[np.uint32]


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
def _odd(bytes_: np.uint64, delimiters: np.uint64) -> np.uint64:
    """Return a word with the highest bit of each control character that is no delimiter.

    Of bytes behind the first one that has it, the bit means nothing.
    """
    others = bytes_ ^ delimiters
    not_delimiter = (others & _LOW_BITS) + _LOW_BITS | others
    return (bytes_ - _BLANKS) & ~bytes_ & not_delimiter | (bytes_ & _LOW_BITS) + LOW


@helper
def _escapes(bytes_: np.uint64) -> np.uint64:
    """Return a word that has no highest bit of a byte where there is no quote and no backslash."""
    quotes, backslashes = bytes_ ^ _QUOTES, bytes_ ^ _BACKSLASHES
    return (quotes - LOW) & ~quotes | (backslashes - LOW) & ~backslashes


@helper
def _look_at(buffer: Bytes, at: np.uint64, end: np.uint64, delimiter: np.uint64) -> int:
    """Return what the bytes of a line say: PLAIN, perhaps with ESCAPED, or NOT_PLAIN."""
    delimiters = LOW * delimiter
    begin, odd, high, escapes = at, ZERO, ZERO, ZERO
    while at + EIGHT <= end:
        bytes_ = word_at(buffer, at)
        odd |= _odd(bytes_, delimiters)
        escapes |= _escapes(bytes_)
        high |= bytes_
        at += EIGHT
    if at < end:  # apart from the loop, which is a third faster for it
        rest = low_bytes(end - at)
        bytes_ = word_at(buffer, at) & rest | _BLANKS & ~rest
        odd |= _odd(bytes_, delimiters)
        escapes |= _escapes(bytes_)
        high |= bytes_
    if odd & HIGH != ZERO or (high & HIGH != ZERO and not is_utf8(buffer, begin, end)):
        return NOT_PLAIN
    return PLAIN if escapes & HIGH == ZERO else PLAIN | ESCAPED


@helper
def _split(
    buffer: Bytes, at: np.uint64, end: np.uint64, delimiter: np.uint64, edges: Edges
) -> np.uint64:
    """Note the columns of [at, end) in `edges`, and return how many there are."""
    delimiters = LOW * delimiter
    count, begin = ZERO, at
    while at < end:
        others = word_at(buffer, at) ^ delimiters
        # A bit for each delimiter, and for nothing else: `has_zero` is right about the first one
        # only.
        hits = ~((others & _LOW_BITS) + _LOW_BITS | others | _LOW_BITS)
        if end - at < EIGHT:
            hits &= low_bytes(end - at)
        while hits != ZERO:
            stop = at + first_byte(hits)
            _note(edges, count, begin, stop)
            count += ONE
            begin = stop + ONE
            hits &= hits - ONE
        at += EIGHT
    _note(edges, count, begin, end)
    return count + ONE


@helper
def _split_quoted(
    buffer: Bytes, at: np.uint64, end: np.uint64, delimiter: np.uint64, edges: Edges
) -> np.uint64:
    """Note the columns of [at, end), perhaps quoted, in `edges`, and return how many there are.

    That is 0 for a quote within a quoted column, and for text behind one.
    """
    count = ZERO
    while at <= end:
        if at < end and buffer[at] == _QUOTE:
            stop = find(buffer, at + ONE, end, _QUOTE)
            behind = stop + ONE
            if stop == end or (behind < end and buffer[behind] != delimiter):
                return ZERO
            _note(edges, count, at + ONE, stop)
        else:
            behind = find(buffer, at, end, delimiter)
            _note(edges, count, at, behind)
        at = behind + ONE
        count += ONE
    return count


@helper
def _note(edges: Edges, column: np.uint64, begin: np.uint64, stop: np.uint64) -> None:
    place = column & _LAST_EDGE
    edges[0, place], edges[1, place] = begin, stop


@helper
def _place(
    buffer: Bytes,
    edges: Edges,
    count: np.uint64,
    start: np.uint64,
    line: np.uint64,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> np.uint32:
    """Copy the edges of `count` columns to the tables, and return the length of the shortest.

    Without a branch for each column: which of them are empty or `-` is hard to foresee.
    """
    shortest = _MOST
    for column in range(count):
        slot = np.uint64(column)
        begin, stop = edges[0, slot], edges[1, slot]
        shortest = min(shortest, stop - begin)
        is_null = (stop - begin == _SINGLE) & (buffer[np.uint64(begin)] == _DASH)
        begins[slot, line], stops[slot, line] = begin, stop - np.uint32(is_null)
    for column in range(count, np.uint64(begins.shape[0])):
        slot = np.uint64(column)
        begins[slot, line] = stops[slot, line] = start
    return shortest


@kernel(BYTES, OFFSETS, OFFSETS, TABLE, TABLE, FLAGS, FLAGS, WORD, WORD, BOOL, BOOL)
def split_columns(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    plain: Flags,
    usual: Flags,
    longest: np.uint64,
    delimiter: np.uint64,
    quotes: bool,
    merges: bool,
) -> None:
    """Note where the columns of each line begin and stop, a row each.

    Columns that a line has not are empty, and so are those that are a lone `-`.
    `plain` gets NOT_PLAIN for lines that are longer than `longest`, hold a control character that
    is no delimiter, bytes that are not UTF-8 or, with `merges`, an empty column, and for those with
    a number of columns that is not `usual`; ESCAPED for others with a quote or a backslash.
    """
    edges = np.empty((2, _EDGES), dtype=np.uint32)
    most = np.uint64(usual.size - 1)
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        look, count = NOT_PLAIN, ZERO
        if end - start <= longest:
            look = _look_at(buffer, start, end, delimiter)
        if look != NOT_PLAIN:
            if quotes and look & ESCAPED and find(buffer, start, end, _QUOTE) != end:
                count = _split_quoted(buffer, start, end, delimiter, edges)
            else:
                count = _split(buffer, start, end, delimiter, edges)
        if count > most or not usual[count]:
            look, count = NOT_PLAIN, ZERO
        shortest = _place(buffer, edges, count, start, line, begins, stops)
        plain[line] = NOT_PLAIN if merges and shortest == 0 else look
