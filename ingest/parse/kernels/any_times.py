"""Times that a JSON log may hold: with any zone, or epochs, in one column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import BYTES, FLAGS, INT, NUMBERS, POSITIONS, helper, kernel
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.times import (
    FOUR,
    ISO,
    LAST_MICROS,
    MINUTE,
    MONTH,
    MOST_OFFSET,
    NOT_A_TIME,
    SECOND,
    SIXTEEN,
    UNITS,
    ZONE,
    ZONED,
    clf_seconds,
    iso_minutes,
    offset_at,
)
from ingest.parse.kernels.words import EIGHT, TWO, Bytes, Flags, Positions, digits_at, word_at


@helper
def _zone_micros(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds east of UTC that `Z`, `+HH:mm` or `+HHmm` means, or NOT_A_TIME."""
    length = stop - at
    if length == np.uint64(1) and buffer[at] == ord("Z"):
        return np.int64(0)
    colon = np.uint64(1 if length == np.uint64(6) else 0)
    if length != np.uint64(5) + colon or (colon and buffer[at + MONTH] != ord(":")):
        return NOT_A_TIME
    hours = digits_at(buffer, at + np.uint64(1), TWO)
    minutes = digits_at(buffer, at + MONTH + colon, TWO)
    is_sign = buffer[at] == ord("+") or buffer[at] == ord("-")
    seconds = hours * 3600 + minutes * 60
    if not is_sign or hours < 0 or minutes < 0 or minutes > 59 or seconds > MOST_OFFSET:
        return NOT_A_TIME
    return (-seconds if buffer[at] == ord("-") else seconds) * SECOND


@helper
def _fraction(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds that the decimals [at, stop) of a second mean, or NOT_A_TIME."""
    count = min(stop - at, np.uint64(6))
    known = digits_at(buffer, at, count)
    rest = digits_at(buffer, at + count, min(stop - at - count, EIGHT))
    if stop == at or stop - at - count > EIGHT or known < 0 or rest < 0:
        return NOT_A_TIME
    return known * UNITS[count]


@helper
def _zoned_micros(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds of the minute, in UTC, of `:ss` with decimals and a zone behind."""
    second = digits_at(buffer, at + np.uint64(1), TWO)
    zone, fraction = at + MONTH, np.int64(0)
    if buffer[at] != ord(":") or not 0 <= second <= 59 or zone >= stop:
        return NOT_A_TIME
    if buffer[zone] == ord("."):
        begin = zone = zone + np.uint64(1)
        while zone < stop and ord("0") <= buffer[zone] <= ord("9"):
            zone += np.uint64(1)
        fraction = _fraction(buffer, begin, zone)
    offset = _zone_micros(buffer, zone, stop)
    if fraction == NOT_A_TIME or offset == NOT_A_TIME:
        return NOT_A_TIME
    return second * SECOND + fraction - offset


@helper
def _epoch_micros(buffer: Bytes, at: np.uint64, stop: np.uint64, decimals: int) -> int:
    """Return the microseconds of an epoch in seconds of so many `decimals`; -1: by its size."""
    dot = at
    while dot < stop and buffer[dot] != ord("."):
        dot += np.uint64(1)
    whole = digits_at(buffer, at, dot - at) if dot - at <= np.uint64(18) else np.int64(-1)
    if dot == at or whole < 0 or dot + np.uint64(1) == stop:
        return NOT_A_TIME
    if decimals < 0:
        decimals = 0 if whole < 10**11 else 3 if whole < 10**14 else 6 if whole < 10**17 else 9
    behind, fraction = dot + np.uint64(1), np.int64(0)
    for index in range(behind, stop):
        digit = digits_at(buffer, np.uint64(index), np.uint64(1))
        if digit < 0:
            return NOT_A_TIME
        place = np.int64(index - behind) + decimals
        if place < 6:
            fraction += digit * UNITS[place + 1]
    if decimals == 9:
        return whole // 1000
    return whole * UNITS[decimals] + fraction if whole < 10 ** (12 + decimals) else NOT_A_TIME


@kernel(BYTES, POSITIONS, POSITIONS, INT, FLAGS, NUMBERS)
def read_any_times(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    decimals: int,
    plain: Flags,
    micros: npt.NDArray[np.int64],
) -> None:
    """Fill the UTC microseconds of times that name their zone, and of epochs; empty texts stay.

    `decimals` of a second is the unit of epochs, -1 where that follows from their size. Lines with
    other texts, and times that do not exist or need a warning, are not `plain`.
    """
    one, other, minutes = np.uint64(0), np.uint64(0), np.int64(0)
    for number in range(begins.size):
        line = np.uint64(number)
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] == NOT_PLAIN or at == stop:
            continue
        found = np.int64(NOT_A_TIME)
        if stop - at >= ISO and buffer[at + FOUR] == ord("-"):
            # Logs are in order of time: many lines are of the minute of the one before.
            if word_at(buffer, at) != one or word_at(buffer, at + EIGHT) != other:
                one, other = word_at(buffer, at), word_at(buffer, at + EIGHT)
                minutes = np.int64(iso_minutes(buffer, at))
            rest = _zoned_micros(buffer, at + SIXTEEN, stop)
            if minutes != NOT_A_TIME and rest != NOT_A_TIME:
                found = minutes * MINUTE + rest
        elif stop - at == ZONED and buffer[at + TWO] == ord("/"):
            local, offset = clf_seconds(buffer, at), offset_at(buffer, at + ZONE)
            if local != NOT_A_TIME and offset != NOT_A_TIME:
                found = (local - offset) * SECOND
        else:
            found = np.int64(_epoch_micros(buffer, at, stop, decimals))
        if found == NOT_A_TIME or found > LAST_MICROS:
            plain[line] = NOT_PLAIN
        else:
            micros[line] = found
