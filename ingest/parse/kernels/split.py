"""Where the fields of lines are: one walk along each line."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BYTES,
    FLAGS,
    LAYOUTS,
    OFFSETS,
    TABLE,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.layout import LAST, QUOTED, REST, TOKEN, Layouts
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

# What `split` notes of a line besides its fields.
NOT_PLAIN: Final = 0
PLAIN: Final = 1
ESCAPED: Final = 2

_QUOTE: Final = np.uint64(ord('"'))
_BACKSLASH: Final = ord("\\")
_DASH: Final = ord("-")
_BLANK: Final = 0x20
_BLANKS: Final = LOW * np.uint64(_BLANK)
_DELETES: Final = LOW * np.uint64(0x7F)
_TABS: Final = LOW * np.uint64(ord("\t"))
_LOW_BITS: Final = ~HIGH
_BACKSLASHES: Final = LOW * np.uint64(_BACKSLASH)
_OUTSIDE_ASCII: Final = 0x80
_CONTINUED: Final = 0xC0


@helper
def _continues(buffer: Bytes, at: np.uint64, count: np.uint64, least: int, most: int) -> bool:
    """Return whether `count` bytes continue a character, the first within [least, most]."""
    first = buffer[at]
    if first < least or first > most:
        return False
    for index in range(1, count):
        if buffer[at + np.uint64(index)] & _CONTINUED != _OUTSIDE_ASCII:
            return False
    return True


@helper
def is_utf8(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    """Return whether [at, stop) is UTF-8: table 3-7 of the Unicode standard.

    The byte at `stop` is ASCII, or not of this line: what is cut off there is found out.
    """
    while at < stop:
        lead = buffer[at]
        at += ONE
        if lead < _OUTSIDE_ASCII:
            continue
        count = np.uint64(1 if lead < 0xE0 else 2 if lead < 0xF0 else 3)
        if lead < 0xC2 or lead > 0xF4 or at + count > stop:
            return False
        least = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
        most = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
        if not _continues(buffer, at, count, least, most):
            return False
        at += count
    return True


@helper
def _without_tabs(bytes_: np.uint64) -> np.uint64:
    """Return a word with another character, which is plain, for each TAB."""
    others = bytes_ ^ _TABS
    tabs = ~((others & _LOW_BITS) + _LOW_BITS | others | _LOW_BITS)
    return bytes_ | tabs >> TWO


@helper
def look_at(buffer: Bytes, at: np.uint64, stop: np.uint64, has_tabs: bool) -> int:
    """Return what the bytes of a line say: PLAIN, perhaps with ESCAPED, or NOT_PLAIN.

    A TAB is a control character unless the log `has_tabs` between its fields.
    """
    begin, odd, high, backslashes = at, ZERO, ZERO, ZERO
    while at < stop:
        bytes_ = word_at(buffer, at)
        if has_tabs:
            bytes_ = _without_tabs(bytes_)
        if stop - at < EIGHT:
            rest = low_bytes(stop - at)
            bytes_ = bytes_ & rest | _BLANKS & ~rest
        odd |= (bytes_ - _BLANKS) & ~bytes_ | has_zero(bytes_ ^ _DELETES)
        high |= bytes_
        backslashes |= has_zero(bytes_ ^ _BACKSLASHES)
        at += EIGHT
    if odd & HIGH != ZERO or (high & HIGH != ZERO and not is_utf8(buffer, begin, stop)):
        return NOT_PLAIN
    return PLAIN if backslashes == ZERO else PLAIN | ESCAPED


@helper
def _is_escaped(buffer: Bytes, begin: np.uint64, at: np.uint64) -> bool:
    """Return whether the byte at `at` has an odd number of backslashes before it."""
    count = ZERO
    while at - count > begin and buffer[at - count - ONE] == _BACKSLASH:
        count += ONE
    return count & ONE != ZERO


@helper
def closing_quote(buffer: Bytes, at: np.uint64, stop: np.uint64) -> np.uint64:
    """Return where the first quote of [at, stop) is that no backslash escapes, else `stop`."""
    closing = find(buffer, at, stop, _QUOTE)
    while closing < stop and _is_escaped(buffer, at, closing):
        closing = find(buffer, closing + ONE, stop, _QUOTE)
    return closing


@kernel(BYTES, OFFSETS, OFFSETS, LAYOUTS, TABLE, TABLE, FLAGS, WORD)
def split(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    layouts: Layouts,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    plain: Flags,
    longest: np.uint64,
) -> None:
    """Note where the fields of each line begin and stop, and which lines fit a layout.

    Fields that a layout has not are empty, and so are those that are a lone `-` before other text.
    `plain` gets NOT_PLAIN for lines that fit none, are longer than `longest` or hold a control
    character or bytes that are not UTF-8; only for others the positions mean something.
    """
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        # Blanks at the end of a line mean nothing, elsewhere they separate fields.
        if end == start or end - start > longest or buffer[end - ONE] == _BLANK:
            plain[line] = NOT_PLAIN
            continue
        look = look_at(buffer, start, end, False)
        fits = False
        for alternative in range(layouts.shape[0] if look else 0):
            for slot in range(begins.shape[0]):
                begins[np.uint64(slot), line] = stops[np.uint64(slot), line] = start
            at, row, fits = start, ZERO, True
            fields = layouts[np.uint64(alternative)]
            while fits and fields[row, 0] != LAST:
                kind, slot_, first = fields[row, 0], fields[row, 1], fields[row, 2]
                stop = end
                if kind == TOKEN:
                    stop = find(buffer, at, end, first)
                    fits = at < stop < end
                elif kind == QUOTED:
                    stop = closing_quote(buffer, at, end)
                    fits = stop < end
                begin = at
                is_null = False
                if kind != REST:
                    fits &= (word_at(buffer, stop) ^ fields[row, 3]) & fields[row, 4] == ZERO
                    at = stop + fields[row, 5]
                    fits &= at <= end
                    is_null = stop - begin == ONE and buffer[begin] == _DASH
                begins[slot_, line] = begin
                stops[slot_, line] = begin if is_null else stop
                row += ONE
            if fits:
                break
        plain[line] = look if fits else NOT_PLAIN
