"""Values of which only some count: the same ones logged twice, lists, and texts for JSON."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import BOOL, BYTES, FLAGS, NUMBERS, POSITIONS, helper, kernel
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN
from ingest.parse.kernels.values import is_dash, is_minus_one, micros_of
from ingest.parse.kernels.words import (
    ONE,
    Bytes,
    Flags,
    Positions,
    find,
    find_either,
    is_same,
)

_QUOTE: Final = np.uint64(ord('"'))
_BACKSLASH: Final = np.uint64(ord("\\"))
_TAB: Final = np.uint64(ord("\t"))
_BLANK: Final = np.uint64(ord(" "))
_COMMA: Final = np.uint64(ord(","))
_QUESTION: Final = ord("?")
_BETWEEN: Final = np.uint64(len(" : "))


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, POSITIONS, BOOL, BOOL, FLAGS)
def settle(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    other_begins: Positions,
    other_stops: Positions,
    alike: bool,
    unescaped: bool,
    plain: Flags,
) -> None:
    """Empty other values that are the same as the first ones, or that take their place.

    Only values that are `alike` can do the latter. Lines of which values have to be compared
    `unescaped` are not plain where there may be escapes.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(other_begins[line]), np.uint64(other_stops[line])
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        begin, end = np.uint64(begins[line]), np.uint64(stops[line])
        if begin == end and alike:
            begins[line], stops[line], other_stops[line] = at, stop, at
        elif is_same(buffer, at, stop, begin, end):
            other_stops[line] = at
        elif begin == end or (unescaped and plain[line] & ESCAPED):
            plain[line] = NOT_PLAIN


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, POSITIONS, FLAGS)
def drop_same(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    other_begins: Positions,
    other_stops: Positions,
    plain: Flags,
) -> None:
    """Empty values, without a question mark before them, that are the same as the other ones."""
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        begin, end = np.uint64(other_begins[line]), np.uint64(other_stops[line])
        text = at + ONE if buffer[at] == _QUESTION else at
        if begin != end and is_same(buffer, text, stop, begin, end):
            stops[line] = at


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, BOOL, BOOL, FLAGS)
def find_odd(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    may_have_quotes: bool,
    may_have_tabs: bool,
    odd: Flags,
) -> None:
    """Fill which values JSON writes in another way: those with quotes, backslashes or TABs."""
    for number in range(begins.size):
        line = np.uint64(number)
        odd[line] = False
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        if may_have_quotes or plain[line] & ESCAPED:
            odd[line] = find_either(buffer, at, stop, _QUOTE, _BACKSLASH) != stop
        if may_have_tabs and find(buffer, at, stop, _TAB) != stop:
            odd[line] = True


@helper
def _behind(buffer: Bytes, at: np.uint64, stop: np.uint64) -> np.uint64:
    """Return where the next entry of a list of upstreams begins, behind the one that ends `at`."""
    if buffer[at] != _COMMA:
        return at + _BETWEEN
    at += ONE
    return at + ONE if at < stop and buffer[at] == _BLANK else at


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def sum_seconds(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    micros: npt.NDArray[np.int64],
) -> None:
    """Fill the microseconds of all seconds in a list of upstreams, -1 where it has none.

    Lines with other texts in it, or more than six decimals, are not `plain`.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        micros[line] = -1
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] == NOT_PLAIN:
            continue
        while at < stop:
            end = find_either(buffer, at, stop, _BLANK, _COMMA)
            is_null = at == end or is_dash(buffer, at, end) or is_minus_one(buffer, at, end)
            if not is_null:
                entry = micros_of(buffer, at, end)
                if entry < 0:
                    plain[line] = NOT_PLAIN
                    break
                micros[line] = max(micros[line], np.int64(0)) + entry
            at = _behind(buffer, end, stop) if end < stop else stop


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, POSITIONS, POSITIONS)
def cut_word(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    word_begins: Positions,
    word_stops: Positions,
) -> None:
    """Move the first word of each text to the other places; the text begins behind the blanks."""
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        word_begins[line] = word_stops[line] = at
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        end = find(buffer, at, stop, _BLANK)
        word_stops[line] = at if end - at == ONE and buffer[at] == ord("-") else end
        while end < stop and buffer[end] == _BLANK:
            end += ONE
        begins[line] = end
        if stop - end == ONE and buffer[end] == ord("-"):
            stops[line] = end
