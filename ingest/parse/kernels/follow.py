"""Where the values of lines are that a log format string describes: one walk along each line.

It does what `layout.cut` does, without a look back: where that is not sure to be the same, the line
is not plain.
"""

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
    WORDS,
    helper,
    inlined,
    kernel,
)
from ingest.parse.kernels.formatted import MOST_PARTS, NOWHERE, Items, Parts, time_end
from ingest.parse.kernels.program import (
    ADDRESSES,
    AT_BLANK,
    AT_TEXT,
    BEGINS,
    CLF,
    CLOSED,
    CLOSING,
    COUNT,
    ENDS,
    FIRST_BYTE,
    FIRST_WORD,
    FITS,
    FORMATTED,
    ITEM,
    ITEM_STOP,
    LAST,
    LIST,
    MASK,
    NO_BLANK,
    NUMBER,
    OPTIONAL,
    STATUS,
    TEXT,
    TEXT_STOP,
    UPSTREAM_LIST,
    UPSTREAMS,
)
from ingest.parse.kernels.split import NOT_PLAIN, closing_quote, look_at
from ingest.parse.kernels.values import is_dash, is_minus_one
from ingest.parse.kernels.words import (
    EIGHT,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    find,
    find_either,
    is_digit,
    word_at,
)

_BLANK: Final = np.uint64(ord(" "))
_QUOTE: Final = np.uint64(ord('"'))
_BRACKET: Final = np.uint64(ord("]"))
_COMMA: Final = np.uint64(ord(","))
_COLON: Final = ord(":")
_DOT: Final = ord(".")
_COMMENT: Final = ord("#")

Rows = npt.NDArray[np.uint64]


@helper
def _past_blanks(buffer: Bytes, at: np.uint64, end: np.uint64) -> np.uint64:
    while at < end and buffer[at] == _BLANK:
        at += ONE
    return at


@inlined
def _literal_end(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    rows: Rows,
    row: np.uint64,
    texts: Bytes,
    is_strict: bool,
) -> np.uint64:
    """Return where the text behind a value ends that begins at `at`, NOWHERE if it is not there.

    A blank of it stands for a run of them, unless blanks `is_strict`.
    """
    begin, stop = np.uint64(rows[row, TEXT]), np.uint64(rows[row, TEXT_STOP])
    behind = at + (stop - begin)
    if (
        stop - begin <= EIGHT
        and (word_at(buffer, at) ^ rows[row, FIRST_WORD]) & rows[row, MASK] == ZERO
    ):
        is_run = stop > begin and texts[stop - ONE] == _BLANK and buffer[behind] == _BLANK
        if behind <= end and not (is_run and behind < end):
            return behind
    for index in range(begin, stop):
        byte = texts[np.uint64(index)]
        if at >= end or buffer[at] != byte:
            return NOWHERE
        at += ONE
        if byte == _BLANK:
            behind = _past_blanks(buffer, at, end)
            if is_strict and behind != at:
                return NOWHERE
            at = behind
    return at


@inlined
def _find_literal(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    rows: Rows,
    row: np.uint64,
    texts: Bytes,
    is_strict: bool,
) -> np.uint64:
    """Return where the text behind the value at `at` begins, NOWHERE without it."""
    first = rows[row, FIRST_BYTE]
    while True:
        at = find(buffer, at, end, first)
        if at == end:
            return NOWHERE
        if _literal_end(buffer, at, end, rows, row, texts, is_strict) != NOWHERE:
            return at
        behind = _past_blanks(buffer, at, end) if first == _BLANK else at + ONE
        if is_strict and behind > at + ONE:
            return NOWHERE
        at = behind


@helper
def _list_end(buffer: Bytes, at: np.uint64, end: np.uint64, has_colons: bool) -> np.uint64:
    """Return where a list of addresses ends, or one of upstreams, which colons separate too."""
    at = find_either(buffer, at, end, _BLANK, _COMMA)
    while at < end:
        behind = at + ONE
        if buffer[at] == _COMMA:
            behind += ONE if buffer[behind] == _BLANK else ZERO
        elif has_colons and buffer[behind] == _COLON and buffer[behind + ONE] == _BLANK:
            behind += TWO
        else:
            return at
        stop = find_either(buffer, behind, end, _BLANK, _COMMA) if behind < end else behind
        if stop == behind:
            return at
        at = stop
    return at


@helper
def _has_name(buffer: Bytes, at: np.uint64) -> bool:
    """Return whether ` UTC` or ` GMT` may be at `at`, behind the zone of a time."""
    name = buffer[at + ONE]
    return bool(buffer[at] == _BLANK and (name == ord("U") or name == ord("G")))


@inlined
def _open_end(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    rows: Rows,
    row: np.uint64,
    texts: Bytes,
    items: Items,
    parts: Parts,
    is_strict: bool,
) -> np.uint64:
    """Return where a value ends that nothing encloses, NOWHERE when that cannot be told."""
    kind = rows[row, ENDS]
    if kind == AT_TEXT:
        return _find_literal(buffer, at, end, rows, row, texts, is_strict)
    if kind == AT_BLANK:
        return find(buffer, at, end, _BLANK)
    if kind in (LIST, UPSTREAM_LIST):
        return _list_end(buffer, at, end, kind == UPSTREAM_LIST)
    if kind in (CLF, FORMATTED):
        first, after = rows[row, ITEM], rows[row, ITEM_STOP]
        stop = time_end(buffer, at, end, items, first, after, parts)
        return NOWHERE if kind == CLF and stop < end and _has_name(buffer, stop) else stop
    return end


@inlined
def _end(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    rows: Rows,
    row: np.uint64,
    texts: Bytes,
    items: Items,
    parts: Parts,
    is_strict: bool,
) -> np.uint64:
    """Return where the values of a step end, NOWHERE when that cannot be told."""
    closing, limit = rows[row, CLOSING], end
    if closing == _QUOTE:
        limit = closing_quote(buffer, at, end)
    elif closing == _BRACKET:
        limit = find(buffer, at, end, _BRACKET)
    if closing != ZERO and limit == end:
        return NOWHERE
    if rows[row, ENDS] == CLOSED:
        return limit
    stop = _open_end(buffer, at, end, rows, row, texts, items, parts, is_strict)
    return stop if stop <= limit else NOWHERE


@helper
def _are_digits(buffer: Bytes, at: np.uint64, stop: np.uint64, may_have_dot: bool) -> bool:
    begin = at
    while at < stop and (is_digit(buffer[at]) or (may_have_dot and buffer[at] == _DOT)):
        at += ONE
    return bool(begin < at == stop)


@inlined
def _fits(buffer: Bytes, at: np.uint64, stop: np.uint64, fits: np.uint64) -> bool:
    """Return whether a value looks like what it has to be."""
    if fits == NO_BLANK:
        return bool(find(buffer, at, stop, _BLANK) == stop)
    if fits in (COUNT, STATUS, NUMBER):
        is_number = is_dash(buffer, at, stop) or _are_digits(buffer, at, stop, fits == NUMBER)
        return is_number or (fits != COUNT and is_minus_one(buffer, at, stop))
    if fits in (ADDRESSES, UPSTREAMS):
        return bool(_list_end(buffer, at, stop, fits == UPSTREAMS) == stop)
    return True


@inlined
def _place(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    line: np.uint64,
    rows: Rows,
    texts: Bytes,
    items: Items,
    parts: Parts,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    is_strict: bool,
) -> np.uint64:
    """Note the values of a line from `at` on, and return where its tail begins, or NOWHERE."""
    at = _literal_end(buffer, at, end, rows, ZERO, texts, is_strict)
    row, count = ONE, np.uint64(rows.shape[0])
    while row < count and at != NOWHERE:
        last = rows[row, LAST]
        step_end = _end(buffer, at, end, rows, last, texts, items, parts, is_strict)
        if step_end == NOWHERE:
            return NOWHERE
        while row <= last:
            stop = step_end
            if rows[row, BEGINS] != ZERO:
                stop = find(buffer, at, step_end, rows[row, BEGINS])
                if stop == step_end and rows[row, OPTIONAL] == ZERO:
                    return NOWHERE
            if rows[row, FITS] != ZERO and not _fits(buffer, at, stop, rows[row, FITS]):
                return NOWHERE
            is_null = is_dash(buffer, at, stop)
            slot = row - ONE
            begins[slot, line], stops[slot, line] = at, at if is_null else stop
            at = stop
            row += ONE
        at = _literal_end(buffer, step_end, end, rows, last, texts, is_strict)
    return at


@kernel(BYTES, OFFSETS, OFFSETS, WORDS, BYTES, WORDS, TABLE, TABLE, FLAGS, WORD, BOOL, BOOL)
def follow(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    rows: Rows,
    texts: Bytes,
    items: Items,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    plain: Flags,
    longest: np.uint64,
    has_tabs: bool,
    is_strict: bool,
) -> None:
    """Note where the values of each line begin and stop, and which lines fit the program `rows`.

    The value of its second row is in the first row of the tables, and so on; the row behind the
    last one has the text behind all values. Values that are a lone `-` are empty. `plain` is as
    `split` says it; lines that are already are passed over.
    """
    parts = np.empty(MOST_PARTS, dtype=np.int64)
    tail = np.uint64(rows.shape[0] - 1)
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        if plain[line] != NOT_PLAIN:
            continue
        if end == start or end - start > longest or buffer[start] == _COMMENT:
            continue
        look = look_at(buffer, start, end, has_tabs)
        if look == NOT_PLAIN:
            continue
        at = _past_blanks(buffer, start, end)
        while end > at and buffer[end - ONE] == _BLANK:
            end -= ONE
        at = _place(
            buffer, at, end, line, rows, texts, items, parts, begins, stops, is_strict
        )  # fmt: skip
        if at == NOWHERE or (at < end and buffer[at] != _BLANK):
            continue
        begins[tail, line], stops[tail, line] = _past_blanks(buffer, at, end), end
        plain[line] = look
