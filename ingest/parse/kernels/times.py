"""Times of lines: section 3.5 of the format specification."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import BYTES, FLAGS, INT, NUMBERS, POSITIONS, helper, kernel
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.words import (
    EIGHT,
    TWO,
    Bytes,
    Flags,
    Positions,
    digits_at,
    low_bytes,
    word_at,
)

# Years of which every time stays within 1 to 9999 under any offset.
_FIRST_YEAR: Final = 2
_LAST_YEAR: Final = 9998
MOST_OFFSET: Final = 14 * 3600
_DAY: Final = 86_400
_MONTHS: Final = tuple(
    sum(ord(letter) << 8 * place for place, letter in enumerate(month))
    for month in (
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"
    )
)  # fmt: skip
_LOWER_CASE: Final = 0x202020
_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# `dd/Mon/yyyy:HH:mm:ss`, and the same with ` +HHmm`: where its parts are.
_BARE: Final = np.uint64(20)
_ZONED: Final = np.uint64(26)
_MONTH: Final = np.uint64(3)
_FOUR: Final = np.uint64(4)
_YEAR: Final = np.uint64(7)
_SIXTEEN: Final = np.uint64(16)
_ZONE: Final = np.uint64(20)
# `yyyy-MM-dd`
_DATE: Final = np.uint64(10)
NOT_A_TIME: Final = np.int64(-(1 << 62))
# `yyyy-MM-ddTHH:mm:ssZ`, and the same with up to six decimals.
_ISO: Final = np.uint64(20)
_LONGEST_ISO: Final = np.uint64(27)
_ISO_POINT_ALONE: Final = np.uint64(21)
_MINUTE: Final = 60_000_000
_SECOND: Final = 1_000_000
# Of the years that every engine shows.
LAST_MICROS: Final = 253_402_300_799_999_999
_UNITS: Final = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)


@helper
def month_at(buffer: Bytes, at: np.uint64) -> int:
    """Return the month, from 1, that three letters in any case name; 0 for other text."""
    letters = (
        np.int64(buffer[at])
        | np.int64(buffer[at + np.uint64(1)]) << 8
        | np.int64(buffer[at + TWO]) << 16
    )
    letters |= _LOWER_CASE  # of other characters this makes no letter
    for index in range(12):
        if _MONTHS[index] == letters:
            return index + 1
    return 0


@helper
def days_of(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    # Years begin in March here, so that the leap day is the last one.
    years = year - (1 if month <= 2 else 0)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return years * 365 + years // 4 - years // 100 + years // 400 + of_year - 719_468


@helper
def exists(year: int, month: int, day: int) -> bool:
    """Return whether there is this date, under any offset."""
    if year < _FIRST_YEAR or year > _LAST_YEAR or month == 0 or day < 1:
        return False
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= _LENGTHS[month - 1] + (1 if month == 2 and is_leap else 0)


@helper
def _offset(buffer: Bytes, at: np.uint64) -> int:
    """Return the seconds east of UTC that ` +HHmm` at `at` means, NOT_A_TIME for other text."""
    sign = buffer[at + np.uint64(1)]
    hours, minutes = digits_at(buffer, at + TWO, TWO), digits_at(buffer, at + _FOUR, TWO)
    seconds = hours * 3600 + minutes * 60
    is_sign = sign == ord("+") or sign == ord("-")
    if buffer[at] != ord(" ") or not is_sign or hours < 0 or minutes < 0 or minutes > 59:
        return NOT_A_TIME
    if seconds > MOST_OFFSET:
        return NOT_A_TIME
    return -seconds if sign == ord("-") else seconds


@helper
def _clf_seconds(buffer: Bytes, at: np.uint64) -> int:
    """Return the seconds since 1970 that the 20 bytes at `at` write, as if they were in UTC."""
    year, day = digits_at(buffer, at + _YEAR, _FOUR), digits_at(buffer, at, TWO)
    month = month_at(buffer, at + _MONTH)
    hour = digits_at(buffer, at + np.uint64(12), TWO)
    minute = digits_at(buffer, at + np.uint64(15), TWO)
    second = digits_at(buffer, at + np.uint64(18), TWO)
    slashes = buffer[at + TWO] == ord("/") and buffer[at + np.uint64(6)] == ord("/")
    colons = buffer[at + np.uint64(11)] == ord(":") and buffer[at + np.uint64(14)] == ord(":")
    if not (slashes and colons and buffer[at + np.uint64(17)] == ord(":")):
        return NOT_A_TIME
    if not exists(year, month, day) or hour > 23 or minute > 59 or second > 59:
        return NOT_A_TIME
    if hour < 0 or minute < 0 or second < 0:
        return NOT_A_TIME
    return days_of(year, month, day) * _DAY + hour * 3600 + minute * 60 + second


@helper
def _is_same(buffer: Bytes, one: np.uint64, other: np.uint64, length: np.uint64) -> bool:
    """Return whether the texts of `length` bytes, 17 to 32, at `one` and `other` are equal."""
    last = low_bytes(length - _SIXTEEN)
    return (
        word_at(buffer, one) == word_at(buffer, other)
        and word_at(buffer, one + EIGHT) == word_at(buffer, other + EIGHT)
        and (word_at(buffer, one + _SIXTEEN) ^ word_at(buffer, other + _SIXTEEN)) & last
        == np.uint64(0)
        and (
            length <= np.uint64(24)
            or (word_at(buffer, one + np.uint64(24)) ^ word_at(buffer, other + np.uint64(24)))
            & low_bytes(length - np.uint64(24))
            == np.uint64(0)
        )
    )


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS, FLAGS)
def read_clf_times(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    seconds: npt.NDArray[np.int64],
    zoned: Flags,
) -> None:
    """Fill `seconds` since 1970 in UTC, and whether the text names its zone (else it is UTC).

    Other texts than `dd/Mon/yyyy:HH:mm:ss`, perhaps with ` +HHmm`, and times that do not exist or
    need a warning of their own are not `plain`.
    """
    # Logs are in order of time: many lines have the time of the one before.
    last, last_length, last_seconds = np.uint64(0), np.uint64(0), np.int64(0)
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        at = np.uint64(begins[line])
        length = np.uint64(stops[line]) - at
        if length != _BARE and length != _ZONED:
            plain[line] = NOT_PLAIN
            continue
        if length != last_length or not _is_same(buffer, at, last, length):
            local = _clf_seconds(buffer, at)
            offset = _offset(buffer, at + _ZONE) if length == _ZONED else 0
            if local == NOT_A_TIME or offset == NOT_A_TIME:
                plain[line] = NOT_PLAIN
                continue
            last, last_length, last_seconds = at, length, local - offset
        seconds[line] = last_seconds
        zoned[line] = length == _ZONED


@helper
def _iso_minutes(buffer: Bytes, at: np.uint64) -> int:
    """Return the minutes since 1970 that `yyyy-MM-ddTHH:mm` at `at` is, or NOT_A_TIME."""
    year, month = digits_at(buffer, at, _FOUR), digits_at(buffer, at + np.uint64(5), TWO)
    day, hour = digits_at(buffer, at + EIGHT, TWO), digits_at(buffer, at + np.uint64(11), TWO)
    minute = digits_at(buffer, at + np.uint64(14), TWO)
    dashes = buffer[at + _FOUR] == ord("-") and buffer[at + _YEAR] == ord("-")
    if not dashes or buffer[at + np.uint64(10)] != ord("T"):
        return NOT_A_TIME
    if buffer[at + np.uint64(13)] != ord(":") or month < 1 or month > 12:
        return NOT_A_TIME
    if not exists(year, month, day) or not 0 <= hour <= 23 or not 0 <= minute <= 59:
        return NOT_A_TIME
    return (days_of(year, month, day) * 24 + hour) * 60 + minute


@helper
def _iso_micros(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds of the minute that `:ss[.f]Z` in [at, stop) is, or NOT_A_TIME."""
    point, last = at + np.uint64(3), stop - np.uint64(1)
    second = digits_at(buffer, at + np.uint64(1), TWO)
    if buffer[at] != ord(":") or buffer[last] != ord("Z") or not 0 <= second <= 59:
        return NOT_A_TIME
    if point == last:
        return second * _SECOND
    decimals = last - point - np.uint64(1)
    fraction = digits_at(buffer, point + np.uint64(1), decimals)
    if buffer[point] != ord(".") or fraction < 0:
        return NOT_A_TIME
    return second * _SECOND + fraction * _UNITS[decimals]


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def read_iso_times(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    micros: npt.NDArray[np.int64],
) -> None:
    """Fill the UTC microseconds of `yyyy-MM-ddTHH:mm:ssZ`, perhaps with up to six decimals.

    Other texts, and times that do not exist or need a warning of their own, are not `plain`.
    """
    one, other, minutes = np.uint64(0), np.uint64(0), np.int64(0)
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        length = stop - at
        if length < _ISO or length > _LONGEST_ISO or length == _ISO_POINT_ALONE:
            plain[line] = NOT_PLAIN
            continue
        # Logs are in order of time: many lines are of the minute of the one before.
        if word_at(buffer, at) != one or word_at(buffer, at + EIGHT) != other:
            one, other = word_at(buffer, at), word_at(buffer, at + EIGHT)
            minutes = np.int64(_iso_minutes(buffer, at))
        rest = _iso_micros(buffer, at + _SIXTEEN, stop)
        if minutes == NOT_A_TIME or rest == NOT_A_TIME:
            plain[line] = NOT_PLAIN
            continue
        micros[line] = minutes * _MINUTE + rest


@helper
def _iso_days(buffer: Bytes, at: np.uint64) -> int:
    """Return the days since 1970 of the date `yyyy-MM-dd` at `at`, NOT_A_TIME for other text."""
    year, month = digits_at(buffer, at, _FOUR), digits_at(buffer, at + np.uint64(5), TWO)
    day = digits_at(buffer, at + EIGHT, TWO)
    dashes = buffer[at + _FOUR] == ord("-") and buffer[at + _YEAR] == ord("-")
    if not dashes or month < 1 or month > 12 or not exists(year, month, day):
        return NOT_A_TIME
    return days_of(year, month, day)


@helper
def _clock_seconds(buffer: Bytes, at: np.uint64) -> int:
    """Return the seconds since midnight of `HH:mm:ss` at `at`, NOT_A_TIME for other text."""
    hour, minute = digits_at(buffer, at, TWO), digits_at(buffer, at + _MONTH, TWO)
    second = digits_at(buffer, at + np.uint64(6), TWO)
    colons = buffer[at + TWO] == ord(":") and buffer[at + np.uint64(5)] == ord(":")
    if not colons or hour < 0 or minute < 0 or second < 0:
        return NOT_A_TIME
    if hour > 23 or minute > 59 or second > 59:
        return NOT_A_TIME
    return hour * 3600 + minute * 60 + second


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, POSITIONS, FLAGS, NUMBERS)
def read_dates_and_clocks(
    buffer: Bytes,
    date_begins: Positions,
    date_stops: Positions,
    clock_begins: Positions,
    clock_stops: Positions,
    plain: Flags,
    seconds: npt.NDArray[np.int64],
) -> None:
    """Fill `seconds` since 1970 of the dates `yyyy-MM-dd` and the times `HH:mm:ss`.

    Lines with other texts, and times that do not exist or need a warning, are not `plain`.
    """
    # Logs are in order of time: most lines are of the day of the one before.
    one, other, last = np.uint64(0), np.uint64(0), np.int64(NOT_A_TIME)
    for number in range(plain.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        date, clock = np.uint64(date_begins[line]), np.uint64(clock_begins[line])
        if date_stops[line] - date != _DATE or clock_stops[line] - clock != EIGHT:
            plain[line] = NOT_PLAIN
            continue
        if word_at(buffer, date) != one or word_at(buffer, date + TWO) != other:
            one, other = word_at(buffer, date), word_at(buffer, date + TWO)
            last = np.int64(_iso_days(buffer, date))
        of_day = _clock_seconds(buffer, clock)
        if last == NOT_A_TIME or of_day == NOT_A_TIME:
            plain[line] = NOT_PLAIN
            continue
        seconds[line] = last * _DAY + of_day


@helper
def _zone_micros(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds east of UTC that `Z`, `+HH:mm` or `+HHmm` means, or NOT_A_TIME."""
    length = stop - at
    if length == np.uint64(1) and buffer[at] == ord("Z"):
        return np.int64(0)
    colon = np.uint64(1 if length == np.uint64(6) else 0)
    if length != np.uint64(5) + colon or (colon and buffer[at + _MONTH] != ord(":")):
        return NOT_A_TIME
    hours = digits_at(buffer, at + np.uint64(1), TWO)
    minutes = digits_at(buffer, at + _MONTH + colon, TWO)
    is_sign = buffer[at] == ord("+") or buffer[at] == ord("-")
    seconds = hours * 3600 + minutes * 60
    if not is_sign or hours < 0 or minutes < 0 or minutes > 59 or seconds > MOST_OFFSET:
        return NOT_A_TIME
    return (-seconds if buffer[at] == ord("-") else seconds) * _SECOND


@helper
def _fraction(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds that the decimals [at, stop) of a second mean, or NOT_A_TIME."""
    count = min(stop - at, np.uint64(6))
    known = digits_at(buffer, at, count)
    rest = digits_at(buffer, at + count, min(stop - at - count, EIGHT))
    if stop == at or stop - at - count > EIGHT or known < 0 or rest < 0:
        return NOT_A_TIME
    return known * _UNITS[count]


@helper
def _zoned_micros(buffer: Bytes, at: np.uint64, stop: np.uint64) -> int:
    """Return the microseconds of the minute, in UTC, of `:ss` with decimals and a zone behind."""
    second = digits_at(buffer, at + np.uint64(1), TWO)
    zone, fraction = at + _MONTH, np.int64(0)
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
    return second * _SECOND + fraction - offset


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
            fraction += digit * _UNITS[place + 1]
    if decimals == 9:
        return whole // 1000
    return whole * _UNITS[decimals] + fraction if whole < 10 ** (12 + decimals) else NOT_A_TIME


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
        if stop - at >= _ISO and buffer[at + _FOUR] == ord("-"):
            # Logs are in order of time: many lines are of the minute of the one before.
            if word_at(buffer, at) != one or word_at(buffer, at + EIGHT) != other:
                one, other = word_at(buffer, at), word_at(buffer, at + EIGHT)
                minutes = np.int64(_iso_minutes(buffer, at))
            rest = _zoned_micros(buffer, at + _SIXTEEN, stop)
            if minutes != NOT_A_TIME and rest != NOT_A_TIME:
                found = minutes * _MINUTE + rest
        elif stop - at == _ZONED and buffer[at + TWO] == ord("/"):
            local, offset = _clf_seconds(buffer, at), _offset(buffer, at + _ZONE)
            if local != NOT_A_TIME and offset != NOT_A_TIME:
                found = (local - offset) * _SECOND
        else:
            found = np.int64(_epoch_micros(buffer, at, stop, decimals))
        if found == NOT_A_TIME or found > LAST_MICROS:
            plain[line] = NOT_PLAIN
        else:
            micros[line] = found
