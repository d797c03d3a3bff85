"""Time texts and epochs to UTC microseconds: section 3.5 of the format specification.

All arithmetic is on integers: no clock, no locale, no environment time zone.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000  # in microseconds, the unit of this module
DAY = 86_400 * SECOND
_EPOCH_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH_TIME.toordinal()
# What Python, Spark and Redshift can all show: the years 1 to 9999.
_FIRST = (date(1, 1, 1).toordinal() - _EPOCH_DAY) * DAY
_LAST = (date(9999, 12, 31).toordinal() - _EPOCH_DAY + 1) * DAY - 1
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_TEXT = re.compile(
    r"(?:([0-9]{1,2})/([A-Za-z]{3})/([0-9]{4})[: ]|([0-9]{4})-([0-9]{2})-([0-9]{2})[T ])"
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]+))?"
    r"(?: ?(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?(?: (?:UTC|GMT))?))?"
)
_EPOCH = re.compile(r"(-?)([0-9]{1,20})(?:\.([0-9]+))?")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})?")
_ZERO_NAMES = ("UTC", "GMT")
_MAX_OFFSET = 14 * 3600 * SECOND
# Upper limit of an absolute epoch -> its unit as the number of decimals of a second.
_EPOCH_UNITS = ((10**11, 0), (10**14, 3), (10**17, 6))
_DECIMALS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


class BadTime(ValueError):
    """The text is not a time, or one that cannot exist; `field` is what holds it, "" = unknown."""

    def __init__(self, text: str, field: str = "") -> None:
        """`text` is what was logged, or the part of it that cannot be."""
        super().__init__(f"{field}: {text}" if field else text)
        self.field = field


def is_time_text(text: str) -> bool:
    """Return whether `text` is written like a time, be it one that exists or not."""
    return _TEXT.fullmatch(text) is not None


def time_text_end(text: str, at: int) -> int | None:
    """Return where the time that is written at `at` ends, None without one."""
    match = _TEXT.match(text, at)
    return None if match is None else match.end()


def read_time(text: str, warnings: set[str], *, timezone: str) -> int:
    """Return `text` (a time text or an epoch) as UTC microseconds.

    `timezone` (IANA name or offset) applies where the text has no zone, with `no_timezone`.
    Fractions are cut, not rounded. Raises BadTime.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        return _within(_read_epoch(text))
    local = _local_micros(match, warnings)
    zone = match[11]
    if zone is None:
        warnings.add("no_timezone")
        return _within(local - _offset_at(local, timezone))
    return _within(local - _offset(zone))


def is_iso_time(text: str) -> bool:
    """Return whether `text` is written like a time, its year first."""
    return text[4:5] == "-" and is_time_text(text)


def read_utc(text: str, warnings: set[str]) -> int:
    """Return `text` as `read_time` does; without a zone it is in UTC, which needs no warning."""
    codes: set[str] = set()
    time = read_time(text, codes, timezone="UTC")
    warnings |= codes - {"no_timezone"}
    return time


def _local_micros(match: re.Match[str], warnings: set[str]) -> int:
    days = _days(match)
    hour, minute, second = int(match[7]), int(match[8]), int(match[9])
    if second == 60:
        warnings.add("leap_second")
        second = 59
    if hour > 23 or minute > 59 or second > 59:
        raise BadTime(match[0])
    fraction = int((match[10] or "")[:6].ljust(6, "0"))
    return days * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + fraction


def _days(match: re.Match[str]) -> int:
    """Return the days from 1970-01-01 to the date of `match`."""
    if match[1]:
        month = _MONTHS.get(match[2].lower(), 0)
        return _date_days(int(match[3]), month, int(match[1]))
    return _date_days(int(match[4]), int(match[5]), int(match[6]))


@lru_cache(maxsize=4096)
def _date_days(year: int, month: int, day: int) -> int:
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise BadTime(f"{year}-{month}-{day}") from error


@lru_cache(maxsize=1024)
def _offset(zone: str) -> int:
    """Return the offset of `zone`, as the log or the settings write it, in microseconds."""
    if zone in ("Z", *_ZERO_NAMES):
        return 0
    digits, named, _ = zone.partition(" ")
    match = _OFFSET.fullmatch(digits)
    if match is None:
        raise BadTime(zone)
    hours, minutes = int(match[2]), int(match[3] or 0)
    offset = (hours * 60 + minutes) * 60 * SECOND
    # Go writes `+0000 UTC`; a name beside any other offset would contradict it.
    if minutes > 59 or offset > (0 if named else _MAX_OFFSET):
        raise BadTime(zone)
    return -offset if match[1] == "-" else offset


def _offset_at(local: int, timezone: str) -> int:
    """Return the offset of `timezone` at the local time `local`, in microseconds.

    fold=0 is the rule of the specification: the first of two equal local times, and the offset
    before the gap for one that does not exist.
    """
    if timezone == "UTC" or timezone[0] in "+-":
        return _offset(timezone)
    at = datetime(1970, 1, 1, tzinfo=_zone(timezone)) + timedelta(microseconds=local)
    offset = at.utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def read_epoch(text: str, *, unit: str) -> int:
    """Return an epoch in `unit` (s, ms, us or ns) as UTC microseconds; raises BadTime."""
    return _within(_read_epoch(text, _DECIMALS[unit]))


def _read_epoch(text: str, decimals: int | None = None) -> int:
    """Return an epoch in seconds with so many `decimals` as microseconds; None: by its size."""
    match = _EPOCH.fullmatch(text)
    if match is None:
        raise BadTime(text[:64])
    whole = int(match[2])
    if decimals is None:
        decimals = next((digits for limit, digits in _EPOCH_UNITS if whole < limit), 9)
    if decimals == 9:
        micros = whole // 1000
    else:
        fraction = (match[3] or "")[: 6 - decimals].ljust(6 - decimals, "0")
        micros = whole * 10 ** (6 - decimals) + int(fraction or 0)
    return -micros if match[1] else micros


def _within(micros: int) -> int:
    if not _FIRST <= micros <= _LAST:
        raise BadTime(str(micros))
    return micros


def micros_of(at: datetime) -> int:
    """Return the aware datetime `at` as UTC microseconds."""
    return (at - _EPOCH_TIME) // timedelta(microseconds=1)


def datetime_of(micros: int) -> datetime:
    """Return `micros`, of the years 1 to 9999, as an aware datetime in UTC."""
    return _EPOCH_TIME + timedelta(microseconds=micros)
