"""Where the scalars of JSON objects are, and which objects have the same skeleton.

A skeleton is all of an object but its texts and numbers: keys in their order, brackets, and of each
scalar its kind. Lines with the same one differ only in what their scalars say.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BYTES,
    FLAGS,
    KINDS,
    NUMBERS,
    OFFSETS,
    POSITIONS,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.percent import hexadecimal
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN, closing_quote, look_at
from ingest.parse.kernels.texts import hash_of
from ingest.parse.kernels.words import (
    EIGHT,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    copied,
    find,
    is_digit,
    low_bytes,
    word_at,
)

# Kinds of scalars, and brackets. A decimal is LOOSE where it may not be the shortest way to write
# its number, or where JSON would write that with an exponent.
_TEXT: Final = np.uint64(1)
_DASH: Final = np.uint64(2)
_EMPTY: Final = np.uint64(3)
_INTEGER: Final = np.uint64(4)
_DECIMAL: Final = np.uint64(5)
_LOOSE: Final = np.uint64(6)
_TRUE: Final = np.uint64(7)
_FALSE: Final = np.uint64(8)
_NULL: Final = np.uint64(9)
_OPEN_OBJECT: Final = np.uint64(10)
_OPEN_ARRAY: Final = np.uint64(11)
_CLOSED: Final = np.uint64(12)
# What is expected next.
_VALUE: Final = 0
_FIRST_VALUE: Final = 1
_KEY: Final = 2
_FIRST_KEY: Final = 3
_END: Final = 4
_DEEPEST: Final = 32
_LONGEST_INTEGER: Final = np.uint64(18)
# So many digits come back from a double as they were.
_EXACT_DIGITS: Final = np.uint64(15)
_TINY_ZEROS: Final = np.uint64(4)
_QUOTE: Final = np.uint64(ord('"'))
_BACKSLASH: Final = np.uint64(ord("\\"))
_ZERO_DIGIT: Final = np.uint8(ord("0"))
_DOT: Final = np.uint8(ord("."))
_MINUS: Final = np.uint8(ord("-"))
_HALF: Final = np.uint64(32)
_FOUR: Final = np.uint64(4)
_FIVE: Final = np.uint64(5)
_SIX: Final = np.uint64(6)
_SIXTEEN: Final = np.int64(16)
_TRUE_WORD: Final = np.uint64(int.from_bytes(b"true", "little"))
_FALSE_WORD: Final = np.uint64(int.from_bytes(b"false", "little"))
_NULL_WORD: Final = np.uint64(int.from_bytes(b"null", "little"))
_ESCAPE_ZEROS: Final = np.uint64(int.from_bytes(b"\\u00", "little"))
NOWHERE: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@helper
def _mixed(hashed: np.uint64, token: np.uint64, factor: np.uint64) -> np.uint64:
    hashed = (hashed ^ token) * factor
    return hashed ^ hashed >> _HALF


@helper
def _digits_end(buffer: Bytes, at: np.uint64, end: np.uint64) -> np.uint64:
    while at < end and is_digit(buffer[at]):
        at += ONE
    return at


@helper
def _literal(buffer: Bytes, at: np.uint64, end: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return kind and length of `true`, `false` or `null` at `at`, zeros for other text."""
    bytes_ = word_at(buffer, at)
    four = bytes_ & low_bytes(_FOUR)
    if at + _FOUR <= end and four == _TRUE_WORD:
        return _TRUE, _FOUR
    if at + _FOUR <= end and four == _NULL_WORD:
        return _NULL, _FOUR
    if at + _FIVE <= end and bytes_ & low_bytes(_FIVE) == _FALSE_WORD:
        return _FALSE, _FIVE
    return ZERO, ZERO


@helper
def _number(
    buffer: Bytes, begin: np.uint64, end: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return kind, end, and end of the shortest form of the number at `begin`.

    The kind of text that is no number, or has an exponent, is 0; the former end is then of no use.
    """
    first = begin + ONE if buffer[begin] == _MINUS else begin
    stop = _digits_end(buffer, first, end)
    whole = stop - first
    if whole == ZERO or (buffer[first] == _ZERO_DIGIT and whole > ONE):
        return ZERO, stop, stop
    if stop == end or buffer[stop] != _DOT:
        is_zero = buffer[first] == _ZERO_DIGIT and first != begin
        return (ZERO if is_zero or whole > _LONGEST_INTEGER else _INTEGER), stop, stop
    after = _digits_end(buffer, stop + ONE, end)
    if after == stop + ONE or after - first > _LONGEST_INTEGER + TWO:
        return ZERO, after, after
    short = after
    while short > stop + TWO and buffer[short - ONE] == _ZERO_DIGIT:
        short -= ONE
    zeros = ZERO
    while stop + ONE + zeros < short and buffer[stop + ONE + zeros] == _ZERO_DIGIT:
        zeros += ONE
    is_tiny = buffer[first] == _ZERO_DIGIT and zeros >= _TINY_ZEROS
    is_loose = is_tiny or short - first > _EXACT_DIGITS + ONE
    return (_LOOSE if is_loose else _DECIMAL), after, short


@helper
def unescaped(
    buffer: Bytes, at: np.uint64, stop: np.uint64, texts: Flags, to: np.uint64
) -> np.uint64:
    """Write [at, stop) to `to` without its escapes, and return where that ends.

    That is NOWHERE for escapes that mean no printable ASCII character.
    """
    while True:
        escape = find(buffer, at, stop, _BACKSLASH)
        to = copied(buffer, at, escape, texts, to)
        if escape == stop:
            return to
        byte = buffer[escape + ONE]
        at = escape + TWO
        if byte == ord("u"):
            if word_at(buffer, escape) & low_bytes(_FOUR) != _ESCAPE_ZEROS or at + _FOUR > stop:
                return NOWHERE
            code = hexadecimal(buffer[at + TWO]) * _SIXTEEN + hexadecimal(buffer[at + TWO + ONE])
            if code < 0x20 or code > 0x7E:
                return NOWHERE
            byte = np.uint8(code)
            at += _FOUR
        elif byte != ord('"') and byte != ord("\\") and byte != ord("/"):
            return NOWHERE
        texts[to] = byte
        to += ONE


@helper
def _is_told(buffer: Bytes, at: np.uint64, stop: np.uint64, told: npt.NDArray[np.uint64]) -> bool:
    length = stop - at
    if length == ZERO or length > EIGHT:
        return False
    name = word_at(buffer, at) & low_bytes(length)
    found = False
    for index in range(told.size):
        found |= told[np.uint64(index)] == name
    return found


@helper
def _scan_line(
    buffer: Bytes,
    at: np.uint64,
    end: np.uint64,
    is_escaped: bool,
    top: npt.NDArray[np.uint64],
    inner: npt.NDArray[np.uint64],
    seed: np.uint64,
    factor: np.uint64,
    count: np.uint64,
    begins: Positions,
    stops: Positions,
    texts: Flags,
    used: np.uint64,
    loose: Positions,
    unsure: np.uint64,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Note the scalars of the object [at, end) from number `count` on.

    Returns the hash of the skeleton, and how many scalars, bytes of `texts` and loose decimals
    there are then; the second is NOWHERE for other text.
    """
    base = np.uint64(buffer.size)
    hashed, arrays, depth, expected, is_told = seed, ZERO, 0, _VALUE, False
    while at < end:
        byte = buffer[at]
        if byte == ord(" "):
            at += ONE
            continue
        kind, stop = ZERO, at + ONE
        is_array = arrays & ONE != ZERO
        if byte == ord('"'):
            begin = at + ONE
            stop = find(buffer, begin, end, _QUOTE)
            has_escape = is_escaped and find(buffer, begin, stop, _BACKSLASH) != stop
            if has_escape:
                stop = closing_quote(buffer, begin, end)
            if stop == end:
                return ZERO, NOWHERE, used, unsure
            if expected in (_KEY, _FIRST_KEY):
                if has_escape:
                    return ZERO, NOWHERE, used, unsure
                hashed = _mixed(hashed, hash_of(buffer, begin, stop, seed, factor), factor)
                is_told = False
                if depth == 1:
                    is_told = _is_told(buffer, begin, stop, top)
                elif arrays & TWO != ZERO:
                    is_told = _is_told(buffer, begin, stop, inner)
                at = stop + ONE
                while at < end and buffer[at] == ord(" "):
                    at += ONE
                if at == end or buffer[at] != ord(":"):
                    return ZERO, NOWHERE, used, unsure
                at += ONE
                expected = _VALUE
                continue
            if expected != _VALUE and expected != _FIRST_VALUE:
                return ZERO, NOWHERE, used, unsure
            text_stop = stop
            if has_escape:
                if is_told:
                    return ZERO, NOWHERE, used, unsure
                behind = unescaped(buffer, begin, stop, texts, used)
                if behind == NOWHERE:
                    return ZERO, NOWHERE, used, unsure
                begins[count], stops[count] = base + used, base + behind
                kind = _DASH if behind == used + ONE and texts[used] == _MINUS else _TEXT
                used = behind
            else:
                begins[count], stops[count] = begin, text_stop
                kind = _TEXT
                if begin == stop:
                    kind = _EMPTY
                elif begin + ONE == stop and buffer[begin] == _MINUS:
                    kind = _DASH
                if is_told:
                    hashed = _mixed(hashed, hash_of(buffer, begin, stop, seed, factor), factor)
            stop += ONE
        elif byte == ord("}") or byte == ord("]"):
            is_first = expected == (_FIRST_VALUE if is_array else _FIRST_KEY)
            if depth == 0 or not (expected == _END or is_first) or is_array != (byte == ord("]")):
                return ZERO, NOWHERE, used, unsure
            hashed = _mixed(hashed, _CLOSED, factor)
            arrays >>= ONE
            depth -= 1
            expected = _END
            at += ONE
            continue
        elif byte == ord(","):
            if depth == 0 or expected != _END:
                return ZERO, NOWHERE, used, unsure
            expected = _VALUE if is_array else _KEY
            is_told = False
            at += ONE
            continue
        elif expected != _VALUE and expected != _FIRST_VALUE:
            return ZERO, NOWHERE, used, unsure
        elif byte == ord("{") or byte == ord("["):
            if depth == _DEEPEST:
                return ZERO, NOWHERE, used, unsure
            is_object = byte == ord("{")
            hashed = _mixed(hashed, _OPEN_OBJECT if is_object else _OPEN_ARRAY, factor)
            arrays = arrays << ONE | (ZERO if is_object else ONE)
            depth += 1
            expected = _FIRST_KEY if is_object else _FIRST_VALUE
            is_told = False
            at += ONE
            continue
        else:
            if is_digit(byte) or byte == _MINUS:
                kind, stop, short = _number(buffer, at, end)
                begins[count], stops[count] = at, short
            else:
                kind, length = _literal(buffer, at, end)
                stop = at + length
                begins[count], stops[count] = at, stop
            if kind == _LOOSE:
                loose[unsure] = count
                unsure += ONE
            elif kind == ZERO:
                return ZERO, NOWHERE, used, unsure
        if depth == 0:
            return ZERO, NOWHERE, used, unsure
        hashed = _mixed(hashed, kind, factor)
        count += ONE
        expected = _END
        at = stop
    return hashed, (count if depth == 0 and expected == _END else NOWHERE), used, unsure


@kernel(
    BYTES, OFFSETS, OFFSETS, KINDS, KINDS, WORD, WORD, WORD, FLAGS, NUMBERS, POSITIONS, POSITIONS,
    POSITIONS, FLAGS, POSITIONS, NUMBERS,
)  # fmt: skip
def scan(
    buffer: Bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    top: npt.NDArray[np.uint64],
    inner: npt.NDArray[np.uint64],
    longest: np.uint64,
    seed: np.uint64,
    factor: np.uint64,
    plain: Flags,
    skeletons: npt.NDArray[np.int64],
    firsts: Positions,
    begins: Positions,
    stops: Positions,
    texts: Flags,
    loose: Positions,
    totals: npt.NDArray[np.int64],
) -> None:
    """Note the hash of each line's skeleton, the number of its first scalar, and where all are.

    Lines that are no object, longer than `longest`, or hold bytes that are not UTF-8, control
    characters, rare escapes or numbers are NOT_PLAIN, others with a backslash ESCAPED. `top` and
    `inner` are the words of names of which the texts belong to the skeleton: in the outermost
    object, and in objects of arrays. Texts that are written with escapes are without them in
    `texts`, from position `buffer.size` on. `loose` are the numbers of scalars that are only sure
    if JSON would write them like that; `totals` says how many bytes of `texts` and how many of
    those there are.
    """
    count, used, unsure = ZERO, ZERO, ZERO
    for number in range(starts.size):
        line = np.uint64(number)
        start, end = np.uint64(starts[line]), np.uint64(ends[line])
        plain[line] = NOT_PLAIN
        firsts[line] = count
        skeletons[line] = 0
        if end == start or end - start > longest or buffer[start] != ord("{"):
            continue
        look = look_at(buffer, start, end, False)
        if look == NOT_PLAIN:
            continue
        hashed, behind, used_then, unsure_then = _scan_line(
            buffer, start, end, look & ESCAPED != 0, top, inner, seed, factor, count, begins,
            stops, texts, used, loose, unsure,
        )  # fmt: skip
        if behind != NOWHERE:
            plain[line] = look
            skeletons[line] = np.int64(hashed)
            count, used, unsure = behind, used_then, unsure_then
    totals[0], totals[1] = used, unsure
