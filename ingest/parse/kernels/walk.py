"""Where the fields of lines are that have a blank between two: one walk along each line."""

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
    helper,
    kernel,
)
from ingest.parse.kernels.declared import Written
from ingest.parse.kernels.split import NOT_PLAIN, closing_quote, look_at
from ingest.parse.kernels.words import ALL, ONE, ZERO, Bytes, Flags, find, find_either

_WORD: Final = np.uint64(Written.WORD)
_QUOTED: Final = np.uint64(Written.QUOTED)
_BRACKETED: Final = np.uint64(Written.BRACKETED)
_NOWHERE: Final = ALL
_BLANK: Final = np.uint64(ord(" "))
_QUOTE: Final = np.uint64(ord('"'))
_OPENING: Final = ord("[")
_CLOSING: Final = np.uint64(ord("]"))
_DASH: Final = ord("-")
_COMMENT: Final = ord("#")


@helper
def _is_null(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    return stop - at == ONE and buffer[at] == _DASH


@helper
def _end_of_word(buffer: Bytes, at: np.uint64, end: np.uint64, kind: np.uint64) -> np.uint64:
    """Return where the word at `at` stops; _NOWHERE when it is empty, or holds a quote."""
    stop = find_either(buffer, at, end, _BLANK, _QUOTE)
    if stop == at or (stop < end and buffer[stop] == _QUOTE):
        return _NOWHERE
    return stop if kind != _QUOTED or _is_null(buffer, at, stop) else _NOWHERE


@helper
def _end_of_field(buffer: Bytes, at: np.uint64, end: np.uint64, kind: np.uint64) -> np.uint64:
    """Return where the field at `at` stops, at its closing mark if it has marks, else _NOWHERE.

    An empty quoted text means something else than `-` where a word may be too.
    """
    first = buffer[at]
    if kind == _BRACKETED:
        stop = find(buffer, at, end, _CLOSING)
        return stop if first == _OPENING and stop < end else _NOWHERE
    if first != _QUOTE:
        return _end_of_word(buffer, at, end, kind)
    stop = closing_quote(buffer, at + ONE, end)
    fits = stop < end and kind != _WORD and (kind == _QUOTED or stop != at + ONE)
    return stop if fits else _NOWHERE


@helper
def _walk(
    buffer: Bytes,
    start: np.uint64,
    end: np.uint64,
    kinds: npt.NDArray[np.uint64],
    line: np.uint64,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> np.uint64:
    """Note the fields of one line, and return how many there are; 0 when one does not fit."""
    known = np.uint64(kinds.size)
    at, count = start, ZERO
    begins[known, line] = stops[known, line] = start
    while at < end:
        kind = kinds[min(count, known - ONE)]
        stop = _end_of_field(buffer, at, end, kind)
        if stop == _NOWHERE:
            return ZERO
        is_marked = kind == _BRACKETED or buffer[at] == _QUOTE
        after = stop + ONE if is_marked else stop
        if after < end and buffer[after] != _BLANK:
            return ZERO
        if count < known:
            begin = at + ONE if is_marked else at
            begins[count, line] = begin
            stops[count, line] = begin if _is_null(buffer, begin, stop) else stop
        elif count == known:
            begins[known, line], stops[known, line] = at, end
        count += ONE
        at = after + ONE
    for index in range(count, known):
        begins[np.uint64(index), line] = stops[np.uint64(index), line] = start
    return count


@kernel(BYTES, OFFSETS, OFFSETS, KINDS, TABLE, TABLE, FLAGS, WORD, WORD)
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
) -> None:
    """Note where the fields of each line begin and stop, and which lines fit the `kinds`.

    Field 3 of a line is in row 3, the surplus behind the last of `kinds` in the row behind that
    one. Fields that a line has not, and those that are a lone `-`, are empty. Lines may have n
    fields where bit n of `widths` is set, or more than `kinds`; the others are NOT_PLAIN, and
    so are those of which `split` says so.
    """
    known = np.uint64(kinds.size)
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        plain[line] = NOT_PLAIN
        if end == start or end - start > longest:
            continue
        if buffer[end - ONE] == _BLANK or buffer[start] == _COMMENT:
            continue
        look = look_at(buffer, start, end)
        if look == NOT_PLAIN:
            continue
        count = _walk(buffer, start, end, kinds, line, begins, stops)
        if count > known or widths >> count & ONE != ZERO:
            plain[line] = look
