"""Bytes of a buffer, eight to a machine word: the helpers that all kernels share.

A word is a little-endian uint64 read at any byte: its lowest byte is the first character. Callers
see to it that eight bytes can be read (`READ_AHEAD` of `ingest.parse.lines`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import helper

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.uint8]

WORD: Final = 8
ZERO: Final = np.uint64(0)
ONE: Final = np.uint64(1)
TWO: Final = np.uint64(2)
EIGHT: Final = np.uint64(WORD)
ALL: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
LOW: Final = np.uint64(0x0101_0101_0101_0101)
HIGH: Final = np.uint64(0x8080_8080_8080_8080)
_SEVEN: Final = np.uint64(7)
_TOP: Final = np.uint64(56)
# Times a word with one byte of 1, this has the number of that byte at the top.
_NUMBER_OF_BYTE: Final = np.uint64(0x0001_0203_0405_0607)
_SHIFTS: Final = tuple(np.uint64(8 * i) for i in range(WORD))
_INDEX: Final = tuple(np.uint64(i) for i in range(WORD))


def word(text: bytes) -> np.uint64:
    """Return `text`, at most eight bytes, as a word padded with zero bytes."""
    return np.uint64(int.from_bytes(text.ljust(WORD, b"\0"), "little"))


def mask(length: int) -> np.uint64:
    """Return the word that keeps the first `length` characters of another."""
    return np.uint64((1 << 8 * min(length, WORD)) - 1)


@helper
def word_at(buffer: Bytes, at: np.uint64) -> np.uint64:
    """Return the word at `at`: one load, as LLVM sees."""
    return (
        np.uint64(buffer[at])
        | np.uint64(buffer[at + _INDEX[1]]) << _SHIFTS[1]
        | np.uint64(buffer[at + _INDEX[2]]) << _SHIFTS[2]
        | np.uint64(buffer[at + _INDEX[3]]) << _SHIFTS[3]
        | np.uint64(buffer[at + _INDEX[4]]) << _SHIFTS[4]
        | np.uint64(buffer[at + _INDEX[5]]) << _SHIFTS[5]
        | np.uint64(buffer[at + _INDEX[6]]) << _SHIFTS[6]
        | np.uint64(buffer[at + _INDEX[7]]) << _SHIFTS[7]
    )


@helper
def put_word(buffer: Bytes, at: np.uint64, bytes_: np.uint64) -> None:
    """Store a word at `at`: one store, as LLVM sees."""
    buffer[at] = np.uint8(bytes_)
    buffer[at + _INDEX[1]] = np.uint8(bytes_ >> _SHIFTS[1])
    buffer[at + _INDEX[2]] = np.uint8(bytes_ >> _SHIFTS[2])
    buffer[at + _INDEX[3]] = np.uint8(bytes_ >> _SHIFTS[3])
    buffer[at + _INDEX[4]] = np.uint8(bytes_ >> _SHIFTS[4])
    buffer[at + _INDEX[5]] = np.uint8(bytes_ >> _SHIFTS[5])
    buffer[at + _INDEX[6]] = np.uint8(bytes_ >> _SHIFTS[6])
    buffer[at + _INDEX[7]] = np.uint8(bytes_ >> _SHIFTS[7])


@helper
def copied(
    buffer: Bytes, at: np.uint64, stop: np.uint64, data: npt.NDArray[np.uint8], to: np.uint64
) -> np.uint64:
    """Copy [at, stop) to `to`, and return where the copy ends; up to seven bytes more are lost."""
    end = to + (stop - at)
    while at < stop:
        put_word(data, to, word_at(buffer, at))
        at += EIGHT
        to += EIGHT
    return end


@helper
def low_bytes(count: np.uint64) -> np.uint64:
    """Return the word that keeps the first `count` characters, at least one, of another."""
    return ALL if count >= EIGHT else ALL >> (_TOP + EIGHT - count * EIGHT)


@helper
def has_zero(bytes_: np.uint64) -> np.uint64:
    """Return a word that is 0 when no byte is; else its lowest set bit is that of the first."""
    return (bytes_ - LOW) & ~bytes_ & HIGH


@helper
def first_byte(bits: np.uint64) -> np.uint64:
    """Return the number of the byte that has the lowest set bit of `bits`, as of `has_zero`."""
    return ((bits & (~bits + ONE)) >> _SEVEN) * _NUMBER_OF_BYTE >> _TOP


@helper
def find(buffer: Bytes, at: np.uint64, stop: np.uint64, wanted: np.uint64) -> np.uint64:
    """Return where the first byte `wanted` of [at, stop) is, `stop` without any."""
    pattern = wanted * LOW
    while at < stop:
        zeros = has_zero(word_at(buffer, at) ^ pattern)
        if zeros != ZERO:
            return min(at + first_byte(zeros), stop)
        at += EIGHT
    return stop


@helper
def find_either(
    buffer: Bytes, at: np.uint64, stop: np.uint64, one: np.uint64, other: np.uint64
) -> np.uint64:
    """Return where the first byte of [at, stop) is that is `one` or `other`, else `stop`."""
    first, second = one * LOW, other * LOW
    while at < stop:
        bytes_ = word_at(buffer, at)
        zeros = has_zero(bytes_ ^ first) | has_zero(bytes_ ^ second)
        if zeros != ZERO:
            return min(at + first_byte(zeros), stop)
        at += EIGHT
    return stop


@helper
def is_digit(byte: np.uint8) -> bool:
    """Return whether `byte` is a digit."""
    return bool(ord("0") <= byte <= ord("9"))


@helper
def is_same(
    buffer: Bytes, one: np.uint64, one_stop: np.uint64, other: np.uint64, other_stop: np.uint64
) -> bool:
    """Return whether the texts [one, one_stop) and [other, other_stop) are equal."""
    if one_stop - one != other_stop - other:
        return False
    while one + EIGHT <= one_stop:
        if word_at(buffer, one) != word_at(buffer, other):
            return False
        one, other = one + EIGHT, other + EIGHT
    if one == one_stop:
        return True
    rest = low_bytes(one_stop - one)
    return bool((word_at(buffer, one) ^ word_at(buffer, other)) & rest == ZERO)


@helper
def digits_at(buffer: Bytes, at: np.uint64, count: np.uint64) -> np.int64:
    """Return the number that `count` digits at `at` write, at most 18; -1 for other text."""
    number = np.int64(0)
    for index in range(count):
        digit = np.int64(buffer[at + np.uint64(index)]) - np.int64(48)
        if digit < 0 or digit > 9:
            return np.int64(-1)
        number = number * np.int64(10) + digit
    return number
