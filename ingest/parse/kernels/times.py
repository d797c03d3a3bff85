"""Times of lines: section 3.5 of the format specification."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import BYTES, FLAGS, NUMBERS, POSITIONS, helper, kernel
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
ZONED: Final = np.uint64(26)
MONTH: Final = np.uint64(3)
FOUR: Final = np.uint64(4)
_YEAR: Final = np.uint64(7)
SIXTEEN: Final = np.uint64(16)
ZONE: Final = np.uint64(20)
# `yyyy-MM-dd`
_DATE: Final = np.uint64(10)
NOT_A_TIME: Final = np.int64(-(1 << 62))
# `yyyy-MM-ddTHH:mm:ssZ`, and the same with up to six decimals.
ISO: Final = np.uint64(20)
_LONGEST_ISO: Final = np.uint64(27)
_ISO_POINT_ALONE: Final = np.uint64(21)
MINUTE: Final = 60_000_000
SECOND: Final = 1_000_000
# Of the years that every engine shows.
LAST_MICROS: Final = 253_402_300_799_999_999
UNITS: Final = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)


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
def offset_at(buffer: Bytes, at: np.uint64) -> int:
    """Return the seconds east of UTC that ` +HHmm` at `at` means, NOT_A_TIME for other text."""
    sign = buffer[at + np.uint64(1)]
    hours, minutes = digits_at(buffer, at + TWO, TWO), digits_at(buffer, at + FOUR, TWO)
    seconds = hours * 3600 + minutes * 60
    is_sign = sign == ord("+") or sign == ord("-")
    if buffer[at] != ord(" ") or not is_sign or hours < 0 or minutes < 0 or minutes > 59:
        return NOT_A_TIME
    if seconds > MOST_OFFSET:
        return NOT_A_TIME
    return -seconds if sign == ord("-") else seconds


@helper
def clf_seconds(buffer: Bytes, at: np.uint64) -> int:
    """Return the seconds since 1970 that the 20 bytes at `at` write, as if they were in UTC."""
    year, day = digits_at(buffer, at + _YEAR, FOUR), digits_at(buffer, at, TWO)
    month = month_at(buffer, at + MONTH)
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
    last = low_bytes(length - SIXTEEN)
    return (
        word_at(buffer, one) == word_at(buffer, other)
        and word_at(buffer, one + EIGHT) == word_at(buffer, other + EIGHT)
        and (word_at(buffer, one + SIXTEEN) ^ word_at(buffer, other + SIXTEEN)) & last
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
        if length != _BARE and length != ZONED:
            plain[line] = NOT_PLAIN
            continue
        if length != last_length or not _is_same(buffer, at, last, length):
            local = clf_seconds(buffer, at)
            offset = offset_at(buffer, at + ZONE) if length == ZONED else 0
            if local == NOT_A_TIME or offset == NOT_A_TIME:
                plain[line] = NOT_PLAIN
                continue
            last, last_length, last_seconds = at, length, local - offset
        seconds[line] = last_seconds
        zoned[line] = length == ZONED


@helper
def iso_minutes(buffer: Bytes, at: np.uint64) -> int:
    """Return the minutes since 1970 that `yyyy-MM-ddTHH:mm` at `at` is, or NOT_A_TIME."""
    year, month = digits_at(buffer, at, FOUR), digits_at(buffer, at + np.uint64(5), TWO)
    day, hour = digits_at(buffer, at + EIGHT, TWO), digits_at(buffer, at + np.uint64(11), TWO)
    minute = digits_at(buffer, at + np.uint64(14), TWO)
    dashes = buffer[at + FOUR] == ord("-") and buffer[at + _YEAR] == ord("-")
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
        return second * SECOND
    decimals = last - point - np.uint64(1)
    fraction = digits_at(buffer, point + np.uint64(1), decimals)
    if buffer[point] != ord(".") or fraction < 0:
        return NOT_A_TIME
    return second * SECOND + fraction * UNITS[decimals]


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
        if length < ISO or length > _LONGEST_ISO or length == _ISO_POINT_ALONE:
            plain[line] = NOT_PLAIN
            continue
        # Logs are in order of time: many lines are of the minute of the one before.
        if word_at(buffer, at) != one or word_at(buffer, at + EIGHT) != other:
            one, other = word_at(buffer, at), word_at(buffer, at + EIGHT)
            minutes = np.int64(iso_minutes(buffer, at))
        rest = _iso_micros(buffer, at + SIXTEEN, stop)
        if minutes == NOT_A_TIME or rest == NOT_A_TIME:
            plain[line] = NOT_PLAIN
            continue
        micros[line] = minutes * MINUTE + rest


@helper
def _iso_days(buffer: Bytes, at: np.uint64) -> int:
    """Return the days since 1970 of the date `yyyy-MM-dd` at `at`, NOT_A_TIME for other text."""
    year, month = digits_at(buffer, at, FOUR), digits_at(buffer, at + np.uint64(5), TWO)
    day = digits_at(buffer, at + EIGHT, TWO)
    dashes = buffer[at + FOUR] == ord("-") and buffer[at + _YEAR] == ord("-")
    if not dashes or month < 1 or month > 12 or not exists(year, month, day):
        return NOT_A_TIME
    return days_of(year, month, day)


@helper
def _clock_seconds(buffer: Bytes, at: np.uint64) -> int:
    """Return the seconds since midnight of `HH:mm:ss` at `at`, NOT_A_TIME for other text."""
    hour, minute = digits_at(buffer, at, TWO), digits_at(buffer, at + MONTH, TWO)
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
