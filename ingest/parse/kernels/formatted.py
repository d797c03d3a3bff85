"""Times that a log format string describes, `%{format}t`: section 4.2 of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BYTES,
    FLAGS,
    NUMBERS,
    POSITIONS,
    WORD,
    WORDS,
    helper,
    inlined,
    kernel,
)
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.times import (
    LAST_MICROS,
    MOST_OFFSET,
    NOT_A_TIME,
    days_of,
    exists,
    month_at,
)
from ingest.parse.kernels.words import (
    ALL,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    digits_at,
    is_digit,
    is_same,
)
from ingest.parse.layout.times import CODES, FIRST_OF_LAST_CENTURY, TimeFormat

NOWHERE: Final = ALL
# How an item of a format is written.
_LITERAL: Final = np.uint64(0)
_DIGITS: Final = np.uint64(1)
_SHORT_DAY: Final = np.uint64(2)
_NAME: Final = np.uint64(3)
_ZONE: Final = np.uint64(4)
_EPOCH: Final = np.uint64(5)
_KINDS: Final = {"%e": _SHORT_DAY, "%b": _NAME, "%h": _NAME, "%z": _ZONE} | dict.fromkeys(
    ("%s", "sec", "msec", "usec"), _EPOCH
)
_WIDTHS: Final = {"%Y": 4, "msec_frac": 3, "usec_frac": 6}
# The parts of a time, by their place in an array; the last is for what counts no more.
_PARTS: Final = (
    "day", "name", "month", "short_year", "year", "hour", "minute", "second", "zone", "s", "ms",
    "us", "fraction", "nothing",
)  # fmt: skip
MOST_PARTS: Final = len(_PARTS)
_DAY, _MONTH_NAME, _MONTH, _SHORT_YEAR, _YEAR, _HOUR, _MINUTE, _SECOND, _OFFSET = map(
    np.uint64, range(9)
)
_S, _MS, _US, _FRACTION = map(np.uint64, range(9, 13))
_MILLIS_DIGITS: Final = np.uint64(3)
_EPOCH_DIGITS: Final = np.uint64(18)
_MISSING: Final = np.int64(NOT_A_TIME)
_MICROS: Final = np.int64(1_000_000)
_THOUSAND: Final = np.int64(1_000)
_MOST_SECONDS: Final = np.int64(10**12)

Items = npt.NDArray[np.uint64]
Parts = npt.NDArray[np.int64]


def items_of(form: TimeFormat) -> Items:
    """Return the items of `form` as the kernels follow them: kind, argument and part, a row each.

    The argument is a byte, or the number of digits.
    """
    rows = [row for item in form.items for row in _rows(item)]
    return np.array(rows, dtype=np.uint64).reshape(-1, 3)


def _rows(item: str) -> Iterator[tuple[int, int, int]]:
    if item not in CODES:
        for byte in item.encode():
            yield int(_LITERAL), byte, _PARTS.index("nothing")
        return
    part, _ = CODES[item]
    yield int(_KINDS.get(item, _DIGITS)), _WIDTHS.get(item, 2), _PARTS.index(part)


@helper
def _count_digits(buffer: Bytes, at: np.uint64, stop: np.uint64) -> np.uint64:
    count = ZERO
    while at + count < stop and is_digit(buffer[at + count]):
        count += ONE
    return count


@helper
def _zone_end(buffer: Bytes, at: np.uint64, parts: Parts, part: np.uint64) -> np.uint64:
    """Note the seconds east of UTC of `+HHmm` or `+HH:mm` at `at`, and return where it ends."""
    sign = buffer[at]
    minutes_at = at + np.uint64(3)
    minutes_at += ONE if buffer[minutes_at] == ord(":") else ZERO
    hours, minutes = digits_at(buffer, at + ONE, TWO), digits_at(buffer, minutes_at, TWO)
    seconds = hours * 3600 + minutes * 60
    is_sign = sign == ord("+") or sign == ord("-")
    if not is_sign or hours < 0 or minutes < 0 or minutes > 59 or seconds > MOST_OFFSET:
        return NOWHERE
    parts[part] = -seconds if sign == ord("-") else seconds
    return minutes_at + TWO


@helper
def _digits_end(
    buffer: Bytes, at: np.uint64, count: np.uint64, parts: Parts, part: np.uint64
) -> np.uint64:
    number = digits_at(buffer, at, count)
    parts[part] = number
    return at + count if number >= 0 else NOWHERE


@inlined
def _item_end(
    buffer: Bytes,
    at: np.uint64,
    stop: np.uint64,
    kind: np.uint64,
    argument: np.uint64,
    part: np.uint64,
    parts: Parts,
) -> np.uint64:
    """Note the part of a time that an item at `at` is, and return where it ends, or NOWHERE.

    Some bytes behind the line may be read.
    """
    if kind == _LITERAL:
        return at + ONE if buffer[at] == argument else NOWHERE
    if kind == _DIGITS:
        end = _digits_end(buffer, at, argument, parts, part)
        if part == _FRACTION and argument == _MILLIS_DIGITS:
            parts[part] *= _THOUSAND
        return end
    if kind == _SHORT_DAY:
        if buffer[at] == ord(" "):
            at += ONE
        count = min(_count_digits(buffer, at, stop), TWO)
        return _digits_end(buffer, at, count, parts, part) if count != ZERO else NOWHERE
    if kind == _NAME:
        parts[part] = month_at(buffer, at)
        return at + np.uint64(3) if parts[part] != 0 else NOWHERE
    if kind == _ZONE:
        return _zone_end(buffer, at, parts, part)
    count = _count_digits(buffer, at, stop)
    if count == ZERO or count > _EPOCH_DIGITS:
        return NOWHERE
    return _digits_end(buffer, at, count, parts, part)


@inlined
def time_end(
    buffer: Bytes,
    at: np.uint64,
    stop: np.uint64,
    items: Items,
    first: np.uint64,
    after: np.uint64,
    parts: Parts,
) -> np.uint64:
    """Note the parts of the time at `at` that `items` from `first` on describe.

    Return where it ends, NOWHERE when it is not sure that there is one before `stop`.
    """
    for index in range(parts.size):
        parts[np.uint64(index)] = _MISSING
    for index in range(first, after):
        item = np.uint64(index)
        at = _item_end(buffer, at, stop, items[item, 0], items[item, 1], items[item, 2], parts)
        if at > stop:
            return NOWHERE
    return at


@helper
def _epoch(parts: Parts) -> np.int64:
    """Return the microseconds of the epoch among `parts`, NOT_A_TIME without one."""
    fraction = max(parts[_FRACTION], np.int64(0))
    if parts[_S] != _MISSING:
        return parts[_S] * _MICROS + fraction if parts[_S] < _MOST_SECONDS else _MISSING
    if parts[_MS] != _MISSING:
        is_near = parts[_MS] < _MOST_SECONDS * _THOUSAND
        return parts[_MS] * _THOUSAND if is_near else _MISSING
    return np.int64(parts[_US])


@helper
def _micros_of(parts: Parts) -> np.int64:
    """Return the UTC microseconds of `parts`; NOT_A_TIME when there is none, or it would warn."""
    epoch = _epoch(parts)
    if epoch != _MISSING:
        return np.int64(epoch) if epoch <= LAST_MICROS else _MISSING
    year, short = parts[_YEAR], parts[_SHORT_YEAR]
    if year == _MISSING:
        year = short + np.int64(1900 if short >= FIRST_OF_LAST_CENTURY else 2000)
    month = parts[_MONTH] if parts[_MONTH_NAME] == _MISSING else parts[_MONTH_NAME]
    day, hour = parts[_DAY], parts[_HOUR]
    minute, second = max(parts[_MINUTE], np.int64(0)), max(parts[_SECOND], np.int64(0))
    if month < 1 or month > 12 or not exists(year, month, day):
        return _MISSING
    if hour < 0 or hour > 23 or minute > 59 or second > 59:
        return _MISSING
    offset = np.int64(0) if parts[_OFFSET] == _MISSING else parts[_OFFSET]
    seconds = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset
    return np.int64(seconds) * _MICROS + np.int64(max(parts[_FRACTION], np.int64(0)))


@kernel(BYTES, POSITIONS, POSITIONS, WORDS, WORD, WORD, FLAGS, NUMBERS, FLAGS)
def read_formatted(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    items: Items,
    first: np.uint64,
    after: np.uint64,
    plain: Flags,
    micros: npt.NDArray[np.int64],
    zoned: Flags,
) -> None:
    """Fill the UTC microseconds of times in the format of `items`, and whether they name a zone.

    Other texts, and times that do not exist or need a warning of their own, are not `plain`.
    """
    parts = np.empty(MOST_PARTS, dtype=np.int64)
    # Logs are in order of time: many lines have the time of the one before.
    last, last_stop, last_micros, last_zoned = ZERO, ZERO, _MISSING, False
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        at, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if last == last_stop or not is_same(buffer, at, stop, last, last_stop):
            end = time_end(buffer, at, stop, items, first, after, parts)
            last_micros = _micros_of(parts) if end == stop else _MISSING
            last_zoned = _epoch(parts) != _MISSING or parts[_OFFSET] != _MISSING
            last, last_stop = at, stop
        if last_micros == _MISSING:
            plain[line] = NOT_PLAIN
            continue
        micros[line], zoned[line] = last_micros, last_zoned
