"""Where the fields of lines are that have a blank between two: marks of bytes, then their bits.

What a byte may mean is noted for all bytes of a line at once, which the compiler makes vectors of.
Of 64 such marks the bits then say which blanks separate fields: those outside quotes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BYTES,
    FLAGS,
    KINDS,
    OFFSETS,
    TABLE,
    WORD,
    inlined,
    kernel,
)
from ingest.parse.kernels.declared import Written
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
    Positions,
    find,
    word_at,
)

_WORD: Final = np.uint64(Written.WORD)
_QUOTED: Final = np.uint64(Written.QUOTED)
_BRACKETED: Final = np.uint64(Written.BRACKETED)
_QUOTE: Final = np.uint8(ord('"'))
_BACKSLASH: Final = np.uint8(ord("\\"))
_DELETE: Final = np.uint8(0x7F)
_OPENING: Final = ord("[")
_CLOSING: Final = np.uint64(ord("]"))
_BLANK: Final = np.uint8(ord(" "))
_DASH: Final = ord("-")
_COMMENT: Final = ord("#")
# Marks of bytes; that of one outside ASCII is its highest bit.
_NO_MARK: Final = np.uint8(0)
_BLANK_MARK: Final = np.uint8(1)
_QUOTE_MARK: Final = np.uint8(2)
_CONTROL_MARK: Final = np.uint8(4)
_BACKSLASH_MARK: Final = np.uint8(8)
_HIGH_MARK: Final = np.uint8(128)
_CONTROLS: Final = LOW * np.uint64(_CONTROL_MARK)
_BACKSLASHES: Final = LOW * np.uint64(_BACKSLASH_MARK)
_BITS: Final = np.uint64(64)
# What bytes of a line keep of their marks, and those behind it.
_OF_LINE: Final = np.repeat(np.array([0xFF, 0], dtype=np.uint8), 64)
_LAST_BIT: Final = np.uint64(63)
# Times a word whose bytes are 0 or 1, this has them as bits at the top.
_BITS_OF_BYTES: Final = np.uint64(0x0102_0408_1020_4080)
_TOP_BYTE: Final = np.uint64(56)
# Every six neighbouring bits of it differ: shifted to the left, its top is another one each time.
_SEQUENCE: Final = 0x03F7_9D71_B4CB_0A89
_TOP_BITS: Final = np.uint64(58)
_PLACES: Final = np.argsort([(_SEQUENCE << place) % (1 << 64) >> 58 for place in range(64)])


@inlined
def _mark(buffer: Bytes, start: np.uint64, size: np.uint64, marks: Flags) -> np.uint64:
    """Note what each of `size` bytes may mean, and return all marks that were seen.

    In whole blocks, which leave no rest to go through byte by byte; then those behind the line lose
    their marks.
    """
    for place in range((size | _LAST_BIT) + ONE):
        index = np.uint64(place)
        byte = buffer[start + index]
        mark = byte & _HIGH_MARK
        mark |= np.uint8(byte == _BLANK) * _BLANK_MARK
        mark |= np.uint8(byte == _QUOTE) * _QUOTE_MARK
        mark |= np.uint8((byte < _BLANK) | (byte == _DELETE)) * _CONTROL_MARK
        mark |= np.uint8(byte == _BACKSLASH) * _BACKSLASH_MARK
        marks[index] = mark
    last = size & ~_LAST_BIT
    for place in range(64):
        index = np.uint64(place)
        marks[last + index] &= _OF_LINE[last + _BITS - size + index]
    seen, at = ZERO, ZERO
    while at < size:
        seen |= word_at(marks, at)
        at += EIGHT
    # A line ends as a field does.
    marks[size] = _BLANK_MARK
    return seen


@inlined
def _pass_escaped(marks: Flags, size: np.uint64) -> bool:
    """Take the marks of escaped quotes away, and return whether all of them are in quotes."""
    at, inside = ZERO, False
    while at < size:
        if marks[at] == _QUOTE_MARK:
            inside = not inside
        elif marks[at] == _BACKSLASH_MARK:
            at += ONE
            if marks[at] == _QUOTE_MARK:
                marks[at] = _NO_MARK
                if not inside:
                    return False
        at += ONE
    return True


@inlined
def _bits(marks: Flags, at: np.uint64, place: np.uint64) -> np.uint64:
    """Return the bit number `place` of the 64 marks at `at`."""
    bits, shift = ZERO, ZERO
    for _ in range(8):
        bits |= ((word_at(marks, at) >> place & LOW) * _BITS_OF_BYTES >> _TOP_BYTE) << shift
        at += EIGHT
        shift += EIGHT
    return bits


@inlined
def _inside(quotes: np.uint64) -> np.uint64:
    """Return the bits from each first of two quotes up to the one before the second."""
    shift = ONE
    while shift < _BITS:
        quotes ^= quotes << shift
        shift += shift
    return quotes


@inlined
def _separators(marks: Flags, size: np.uint64, ends: Positions) -> np.uint64:
    """Note where the fields of a line stop, and return how many there are.

    0 when a quote is neither where a field begins nor where it stops, or a word is empty.
    """
    count, odd, at = ZERO, ZERO, ZERO
    # Of the block before: ones while quotes are open, and what its last byte was.
    open_, separated, closed = ZERO, ONE, ZERO
    while at <= size:
        quotes = _bits(marks, at, ONE)
        inside = _inside(quotes) ^ open_
        bits = _bits(marks, at, ZERO) & ~inside
        begins, closing = bits << ONE | separated, quotes & ~inside
        odd |= bits & begins | quotes & inside & ~begins | (closing << ONE | closed) & ~bits
        open_ = ZERO - (inside >> _LAST_BIT)
        separated, closed = bits >> _LAST_BIT, closing >> _LAST_BIT
        while bits != ZERO:
            lowest = bits & (~bits + ONE)
            place = _PLACES[lowest * np.uint64(_SEQUENCE) >> _TOP_BITS]
            ends[count] = at + np.uint64(place)
            count += ONE
            bits ^= lowest
        at += _BITS
    return count if odd | open_ == ZERO else ZERO


@inlined
def _place(
    buffer: Bytes,
    start: np.uint64,
    ends: Positions,
    kinds: npt.NDArray[np.uint64],
    line: np.uint64,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> np.uint64:
    """Note the fields of one line, and return how many there are; 0 when one does not fit.

    An empty quoted text means something else than `-` where a word may be too.
    """
    known, found = np.uint64(kinds.size), np.uint64(ends.size)
    at, count, number, fits = start, ZERO, ZERO, True
    begins[known, line] = stops[known, line] = start
    while number < found:
        kind = kinds[min(count, known - ONE)]
        stop = after = start + ends[number]
        if kind == _BRACKETED:
            stop = find(buffer, at, after, _CLOSING)
            while stop == after and number + ONE < found:  # blanks in the brackets
                number += ONE
                after = start + ends[number]
                stop = find(buffer, stop, after, _CLOSING)
            fits &= buffer[at] == _OPENING and after == stop + ONE
        # No branches: which fields are quoted or null hardly follows a rule.
        is_quoted = buffer[at] == _QUOTE
        mark = np.uint64(is_quoted)
        begin = at + (ONE if kind == _BRACKETED else mark)
        stop -= mark
        is_null = (stop - begin == ONE) & (buffer[begin] == _DASH)
        may_be_quoted = (kind == _QUOTED) | ((kind != _WORD) & (stop != begin))
        may_be_bare = (kind != _QUOTED) | is_null
        fits &= may_be_quoted if is_quoted else may_be_bare
        if count < known:
            begins[count, line] = begin
            stops[count, line] = begin if is_null else stop
        elif count == known:
            begins[known, line], stops[known, line] = at, start + ends[found - ONE]
        count += ONE
        number += ONE
        at = after + ONE
    for index in range(count, known):
        begins[np.uint64(index), line] = stops[np.uint64(index), line] = start
    return count if fits else ZERO


@inlined
def _look(buffer: Bytes, start: np.uint64, end: np.uint64, marks: Flags) -> int:
    """Mark the bytes of a line, and return what they say of it, as `split` does."""
    seen = _mark(buffer, start, end - start, marks)
    if seen & _CONTROLS != ZERO or (seen & HIGH != ZERO and not is_utf8(buffer, start, end)):
        return NOT_PLAIN
    if seen & _BACKSLASHES == ZERO:
        return PLAIN
    return PLAIN | ESCAPED if _pass_escaped(marks, end - start) else NOT_PLAIN


@kernel(BYTES, OFFSETS, OFFSETS, KINDS, TABLE, TABLE, FLAGS, WORD, WORD, WORD, WORD)
def walk(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint64],
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    plain: Flags,
    widths: np.uint64,
    longest: np.uint64,
    first: np.uint64,
    after: np.uint64,
) -> None:
    """Note where the fields of lines [first, after) are, and which of these fit the `kinds`.

    Field 3 of a line is in row 3, the surplus behind the last of `kinds` in the row behind that
    one. Fields that a line has not, and those that are a lone `-`, are empty. Lines may have n
    fields where bit n of `widths` is set, or more than `kinds`; the others are NOT_PLAIN, and
    so are those of which `split` says so.
    """
    known = np.uint64(kinds.size)
    marks = np.empty(longest + TWO * _BITS, dtype=np.uint8)
    separators = np.empty(longest + ONE, dtype=np.uint32)
    for number in range(first, after):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        plain[line] = NOT_PLAIN
        if end == start or end - start > longest:
            continue
        if buffer[end - ONE] == _BLANK or buffer[start] == _COMMENT:
            continue
        look = _look(buffer, start, end, marks)
        if look == NOT_PLAIN:
            continue
        found = _separators(marks, end - start, separators)
        if found == ZERO:
            continue
        count = _place(buffer, start, separators[:found], kinds, line, begins, stops)
        if count > known or widths >> count & ONE != ZERO:
            plain[line] = look
