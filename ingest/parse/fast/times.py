"""Times of many lines at once: `dd/Mon/yyyy:HH:mm:ss`, with or without ` ±HHmm`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.parse.fast.words import (
    Bytes,
    Mask,
    Pattern,
    Positions,
    Words,
    byte,
    following,
    low_bytes,
    word,
)

DAY = 86_400  # seconds, the unit of this module
# Years of which every time stays within 1 to 9999 under any offset.
_FIRST_YEAR, _LAST_YEAR = 2, 9998
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LOWER_CASE = np.int64(0x202020)
# Months by their three letters as a number, in ascending order.
_LETTERS = np.array([int.from_bytes(m.encode(), "little") for m in _MONTHS], dtype=np.int64)
_BY_LETTERS = np.argsort(_LETTERS)
_SORTED_LETTERS = _LETTERS[_BY_LETTERS]
# Days from 1970-01-01 to the first of each month since year 0.
_MONTH_STARTS = np.arange("0000-01", "10000-01", dtype="M8[M]").astype("M8[D]").astype(np.int64)

_DATE = Pattern(b"00/???/0")
_HOUR = Pattern(b"000:00:0")
_ZONED = Pattern(b"0:00 ?00")
_ZONED_END = Pattern(b"00] ????")
_BARE_END = Pattern(b'0:00] "?')
_OPENING = word(b" [")
_ZONED_LENGTH, _BARE_LENGTH = len("dd/Mon/yyyy:HH:mm:ss +0000"), len("dd/Mon/yyyy:HH:mm:ss")


@dataclass(frozen=True, slots=True)
class Times:
    """UTC seconds since 1970 per line, to be trusted only where `valid`.

    `bracket` is the position of the `[`; `zoned` says that the text names its zone (others are
    read as UTC).
    """

    seconds: Positions
    bracket: Positions
    zoned: Mask
    valid: Mask


def read_times(buffer: Bytes, words: Words, request: Positions) -> Times:
    """Return the times in brackets before the quotes at `request`."""
    zoned = (words[request - _ZONED_LENGTH - 4] & low_bytes(2)) == _OPENING
    bracket = request - np.where(zoned, _ZONED_LENGTH, _BARE_LENGTH) - 3
    texts = list(following(buffer, bracket + 1, 4))
    texts[3] = np.where(zoned, texts[3] & low_bytes(4), 0)
    heads, run = _runs(texts)
    seconds, valid = _seconds([text[heads] for text in texts], zoned[heads])
    valid = valid[run]
    bare = np.flatnonzero(~zoned)
    valid[bare] &= (words[bracket[bare] - 1] & low_bytes(2)) == _OPENING
    return Times(seconds[run], bracket, zoned, valid)


def _runs(texts: list[Words]) -> tuple[Positions, Positions]:
    """Return the lines whose text differs from the one before, and for each line its run.

    Logs are in order of time, so that busy ones have many lines per second.
    """
    differs = np.zeros(texts[0].size, dtype=np.bool_)
    for text in texts:
        differs[1:] |= text[1:] != text[:-1]
    differs[:1] = True
    return np.flatnonzero(differs), np.cumsum(differs) - 1


def _seconds(texts: list[Words], zoned: Mask) -> tuple[Positions, Mask]:
    """Return the UTC seconds since 1970, and whether the four words are such a time."""
    date, dates = _DATE.match(texts[0])
    hour, hours = _HOUR.match(texts[1])
    second, bare = _BARE_END.match(texts[2])
    offset, zones = _offsets(texts[2], texts[3])
    days, days_exist = _days(date, hour)
    hh, mm = _two(hour, 4, 5), _ten(byte(hour, 7), byte(second, 0))
    ss = _two(second, 2, 3)
    valid = dates & hours & days_exist & np.where(zoned, zones, bare)
    valid &= (hh < 24) & (mm < 60) & (ss < 60)
    return days * DAY + hh * 3600 + mm * 60 + ss - np.where(zoned, offset, 0), valid


def _days(date: Words, hour: Words) -> tuple[Positions, Mask]:
    """Return the days since 1970-01-01, and whether the date exists."""
    letters = (date >> np.uint64(24)).view(np.int64) & 0xFFFFFF
    # The pattern left these three characters as they are.
    letters |= _LOWER_CASE
    index = np.minimum(np.searchsorted(_SORTED_LETTERS, letters), len(_MONTHS) - 1)
    exists = _SORTED_LETTERS[index] == letters
    year = _ten(byte(date, 7), byte(hour, 0)) * 100 + _two(hour, 1, 2)
    exists &= (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    month = np.where(exists, year, _FIRST_YEAR) * 12 + _BY_LETTERS[index]
    day = _two(date, 0, 1)
    first = _MONTH_STARTS[month]
    exists &= (day >= 1) & (day <= _MONTH_STARTS[month + 1] - first)
    return first + day - 1, exists


def _offsets(middle: Words, end: Words) -> tuple[Positions, Mask]:
    """Return the offsets east of UTC in seconds, and whether they can exist."""
    values, middles = _ZONED.match(middle)
    digits, ends = _ZONED_END.match(end)
    sign = byte(values, 5)
    minutes = _two(digits, 0, 1)
    offset = _two(values, 6, 7) * 3600 + minutes * 60
    valid = middles & ends & (minutes < 60) & (offset <= 14 * 3600)
    valid &= (sign == ord("+")) | (sign == ord("-"))
    return np.where(sign == ord("-"), -offset, offset), valid


def _two(values: Words, tens: int, ones: int) -> Positions:
    return _ten(byte(values, tens), byte(values, ones))


def _ten(tens: Positions, ones: Positions) -> Positions:
    return tens * 10 + ones
