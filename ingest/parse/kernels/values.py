"""Numbers of lines, and the fields behind the user agent."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.fields.addresses import MAX_PORT
from ingest.parse.kernels.compiled import (
    BYTES,
    CODES,
    FLAGS,
    NUMBERS,
    POSITIONS,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.words import ONE, TWO, ZERO, Bytes, Flags, Positions, digits_at, find

# Every number of so many digits fits a BIGINT.
_DIGITS: Final = np.uint64(18)
_STATUS_DIGITS: Final = np.uint64(3)
_PORT_DIGITS: Final = np.uint64(5)
_WHOLE_DIGITS: Final = np.uint64(6)
_THREE: Final = np.uint64(3)
_QUOTE: Final = np.uint64(ord('"'))
_BLANK: Final = np.uint64(ord(" "))
_DOT: Final = np.uint64(ord("."))
_BACKSLASH: Final = np.uint64(ord("\\"))
_COLON: Final = ord(":")
# Of more seconds a float does not have all microseconds.
_SECOND_DIGITS: Final = np.uint64(5)
_MICROS: Final = 1_000_000
_DECIMALS: Final = np.uint64(6)
# A double has all numbers of so many digits.
_EXACT_DIGITS: Final = np.uint64(15)
_UNITS: Final = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)


@helper
def _number(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the number that all of [at, stop) is, -1 for other or long texts."""
    return digits_at(buffer, at, stop - at) if ONE <= stop - at <= _DIGITS else np.int64(-1)


@helper
def is_dash(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    """Return whether [at, stop) is a lone `-`."""
    return stop - at == ONE and buffer[at] == ord("-")


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def read_numbers(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    numbers: npt.NDArray[np.int64],
) -> None:
    """Fill `numbers`, -1 for empty texts and `-`; lines with other texts are not `plain`."""
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        numbers[line] = _number(buffer, at, stop)
        if numbers[line] < 0 and at != stop and not is_dash(buffer, at, stop):
            plain[line] = NOT_PLAIN


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, CODES)
def read_statuses(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    statuses: npt.NDArray[np.int32],
) -> None:
    """Fill `statuses`, three digits or `0`, -1 for empty texts; others are not `plain`.

    Those that need a warning are not either.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        status = _number(buffer, at, stop)
        length = stop - at
        is_known = status == 0 or (100 <= status <= 599)
        if length != ZERO and not (is_known and length in (ONE, _STATUS_DIGITS)):
            plain[line] = NOT_PLAIN
            continue
        statuses[line] = status


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def read_thousandths(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    numbers: npt.NDArray[np.int64],
) -> None:
    """Fill the thousandths of decimals, -1 for empty texts and `-1`.

    Lines with more than six digits before the dot or three behind it are not `plain`: the former
    are not exact as a floating point number.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        numbers[line] = -1
        is_null = stop - at == TWO and buffer[at] == ord("-") and buffer[at + ONE] == ord("1")
        if at == stop or is_null:
            continue
        dot = find(buffer, at, stop, _DOT)
        whole, digits = np.int64(-1), ZERO if dot == stop else stop - dot - ONE
        if (
            ONE <= dot - at <= _WHOLE_DIGITS
            and digits <= _THREE
            and (digits != ZERO or dot == stop)
        ):
            whole = digits_at(buffer, at, dot - at)
        rest = digits_at(buffer, dot + ONE, digits)
        if whole < 0 or rest < 0:
            plain[line] = NOT_PLAIN
            continue
        for _ in range(_THREE - digits):
            rest *= np.int64(10)
        numbers[line] = whole * np.int64(1000) + rest


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def read_plain_ports(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    ports: npt.NDArray[np.int64],
) -> None:
    """Fill `ports`, -1 for empty texts; lines with another text are not `plain`.

    Nor are those with a zero before other digits.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        ports[line] = -1
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        port = digits_at(buffer, at, stop - at) if stop - at <= _PORT_DIGITS else np.int64(-1)
        has_zero = buffer[at] == ord("0") and stop - at > ONE
        ports[line] = port
        if has_zero or port < 0 or port > MAX_PORT:
            plain[line] = NOT_PLAIN


@helper
def _decimal_end(buffer: Bytes, at: np.uint64, stop: np.uint64) -> np.uint64:
    """Return where the decimal `0.003` at `at` ends, `at` when there is none."""
    dot, begin = find(buffer, at, stop, _DOT), at
    end = find(buffer, at, stop, _BLANK)
    if dot == begin or dot >= end or dot + ONE == end:
        return begin
    for index in range(begin, end):
        if index != dot and not ord("0") <= buffer[index] <= ord("9"):
            return begin
    return end


@helper
def _are_decimals(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    """Return whether [at, stop) is decimals, such as times of nginx; all but the first may be `-`.

    An integer among them would have a meaning of its own.
    """
    end = _decimal_end(buffer, at, stop)
    if end == at:
        return False
    while end < stop:
        at = end + ONE
        end = find(buffer, at, stop, _BLANK)
        if not is_dash(buffer, at, end):
            end = _decimal_end(buffer, at, stop)
        if end == at:
            return False
    return True


@helper
def _may_be_list(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    """Return whether a quoted text is empty, `-`, or has the points or colon of an address."""
    if at == stop or is_dash(buffer, at, stop):
        return True
    dots = ZERO
    while at < stop:
        if buffer[at] == ord(":"):
            return True
        dots += ONE if buffer[at] == ord(".") else ZERO
        at += ONE
    return dots >= _THREE


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, POSITIONS, POSITIONS, POSITIONS, POSITIONS, NUMBERS)
def read_tails(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    list_begins: Positions,
    list_stops: Positions,
    rest_begins: Positions,
    rest_stops: Positions,
    numbers: npt.NDArray[np.int64],
) -> None:
    """Fill what follows the user agent: a quoted list, an integer, decimals (`rest`), or nothing.

    Without an integer it is -1. The list is behind the begin of the field where there is a quoted
    text, also an empty one. Of other fields `rest` is all, and text right behind the agent is not
    `plain`.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        list_begins[line] = list_stops[line] = rest_begins[line] = rest_stops[line] = at
        numbers[line] = -1
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        all_ = at + ONE
        if buffer[at] != ord(" ") or all_ == stop:
            plain[line] = NOT_PLAIN
            continue
        is_usual = True
        if stop - at > TWO and buffer[all_] == ord('"'):
            begin = at + TWO
            at = find(buffer, begin, stop, _QUOTE)
            is_whole = at < stop and find(buffer, begin, at, _BACKSLASH) == at
            is_usual = is_whole and _may_be_list(buffer, begin, at)
            list_begins[line] = begin
            list_stops[line] = begin if not is_usual or is_dash(buffer, begin, at) else at
            at += ONE
            if is_usual and at == stop:
                continue
            is_usual &= at + ONE < stop and buffer[at] == ord(" ")
        if is_usual:
            numbers[line] = _number(buffer, at + ONE, stop)
            is_usual = numbers[line] >= 0 or _are_decimals(buffer, at + ONE, stop)
        if not is_usual:
            list_stops[line] = list_begins[line]
        if numbers[line] < 0:
            rest_begins[line], rest_stops[line] = at + ONE if is_usual else all_, stop


@helper
def micros_of(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the millionths of the decimal that all of [at, stop) is, -1 for other texts."""
    dot = find(buffer, at, stop, _DOT)
    if dot == at or dot - at > _SECOND_DIGITS:
        return np.int64(-1)
    whole = digits_at(buffer, at, dot - at)
    if whole < 0 or dot == stop:
        return whole * _MICROS if whole >= 0 else np.int64(-1)
    decimals = stop - dot - ONE
    if decimals == ZERO or decimals > _DECIMALS:
        return np.int64(-1)
    fraction = digits_at(buffer, dot + ONE, decimals)
    return whole * _MICROS + fraction * _UNITS[decimals] if fraction >= 0 else np.int64(-1)


@helper
def is_minus_one(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    """Return whether [at, stop) is `-1`."""
    return stop - at == TWO and buffer[at] == ord("-") and buffer[at + ONE] == ord("1")


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def read_seconds(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    micros: npt.NDArray[np.int64],
) -> None:
    """Fill the microseconds of decimals that are seconds, -1 for empty texts and `-1`.

    Lines with other texts, or more than six decimals, are not `plain`.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        micros[line] = -1
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] == NOT_PLAIN or at == stop or is_minus_one(buffer, at, stop):
            continue
        micros[line] = micros_of(buffer, at, stop)
        if micros[line] < 0:
            plain[line] = NOT_PLAIN


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, POSITIONS, NUMBERS)
def read_ports(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    host_stops: Positions,
    ports: npt.NDArray[np.int64],
) -> None:
    """Fill the port behind the last colon, and where the host before it stops.

    Of an empty text the port is -1 and the host empty; lines with other texts are not `plain`.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        host_stops[line], ports[line] = at, -1
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        digits = ZERO
        while digits <= _PORT_DIGITS and at + digits < stop:
            if buffer[stop - digits - ONE] == _COLON:
                break
            digits += ONE
        if digits == ZERO or digits > _PORT_DIGITS or at + digits + ONE >= stop:
            plain[line] = NOT_PLAIN
            continue
        ports[line] = digits_at(buffer, stop - digits, digits)
        host_stops[line] = stop - digits - ONE
        if ports[line] < 0 or ports[line] > MAX_PORT:
            plain[line] = NOT_PLAIN


@helper
def _nanos(buffer: Bytes, at: np.uint64, stop: np.uint64, decimals: np.uint64) -> int:
    """Return the number in [at, stop) times ten to the power of `decimals`, -1 for other texts."""
    dot = find(buffer, at, stop, _DOT)
    behind = ZERO if dot == stop else stop - dot - ONE
    if dot == at or (dot != stop and behind == ZERO) or behind > decimals:
        return np.int64(-1)
    if dot - at + decimals > _EXACT_DIGITS:
        return np.int64(-1)
    whole, rest = digits_at(buffer, at, dot - at), digits_at(buffer, dot + ONE, behind)
    if whole < 0 or rest < 0:
        return np.int64(-1)
    for index in range(decimals):
        whole *= np.int64(10)
        if np.uint64(index) >= behind:
            rest *= np.int64(10)
    return whole + rest


@kernel(BYTES, POSITIONS, POSITIONS, WORD, FLAGS, NUMBERS)
def read_nanos(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    decimals: np.uint64,
    plain: Flags,
    nanos: npt.NDArray[np.int64],
) -> None:
    """Fill durations of which the unit has so many `decimals`, -1 for empty texts, `-` and `-1`.

    Lines with other texts, more decimals, or more digits than a double has, are not `plain`.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        nanos[line] = -1
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        is_null = at == stop or is_dash(buffer, at, stop) or is_minus_one(buffer, at, stop)
        if plain[line] == NOT_PLAIN or is_null:
            continue
        nanos[line] = _nanos(buffer, at, stop, decimals)
        if nanos[line] < 0:
            plain[line] = NOT_PLAIN
