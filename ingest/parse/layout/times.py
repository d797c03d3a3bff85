"""The time directives of Apache, `%{format}t`: section 4.2 of the format specification."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.parse.fields.times import BadTime, read_epoch, read_time

_TWO = "[0-9]{2}"
_EPOCH = "[0-9]{1,20}"
# Code -> (the part of a time that it is, how it is written).
CODES = {
    "%d": ("day", _TWO),
    "%e": ("day", " ?[0-9]{1,2}"),
    "%b": ("name", "[A-Za-z]{3}"),
    "%h": ("name", "[A-Za-z]{3}"),
    "%m": ("month", _TWO),
    "%y": ("short_year", _TWO),
    "%Y": ("year", "[0-9]{4}"),
    "%H": ("hour", _TWO),
    "%M": ("minute", _TWO),
    "%S": ("second", _TWO),
    "%z": ("zone", f"[+-]{_TWO}:?{_TWO}"),
    "%s": ("s", _EPOCH),
    "sec": ("s", _EPOCH),
    "msec": ("ms", _EPOCH),
    "usec": ("us", _EPOCH),
    "msec_frac": ("fraction", "[0-9]{3}"),
    "usec_frac": ("fraction", "[0-9]{6}"),
}
_SHORT_FOR = {"%T": "%H:%M:%S", "%F": "%Y-%m-%d"}
_WORDS = ("sec", "msec", "usec", "msec_frac", "usec_frac")
_ITEM = re.compile("%.|[^%]+|%", re.DOTALL)
_EPOCH_UNITS = ("s", "ms", "us")
# POSIX: 69 to 99 are of the last century.
FIRST_OF_LAST_CENTURY = 69


class RepeatedCode(Exception):
    """A time has a part twice: digits could be shared between them in too many ways."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How a time is written: its `pattern`, the parts of a time that are the pattern's groups.

    `items` are the codes and the literal texts that it was made of.
    """

    pattern: re.Pattern[str]
    parts: tuple[str, ...]
    items: tuple[str, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The parts, of which an epoch is one, in whatever unit: what a time has once."""
        return frozenset("epoch" if part in _EPOCH_UNITS else part for part in self.parts)

    @property
    def is_complete(self) -> bool:
        """Whether a line says when it was: an epoch, or a date and at least the hour."""
        has = set(self.parts)
        has_date = {"day", "hour"} <= has and has & {"year", "short_year"} and has & _MONTHS
        return bool(has_date) or not has.isdisjoint(_EPOCH_UNITS)


_MONTHS = {"name", "month"}


def items_of(text: str) -> list[str]:
    """Return the codes and the literal texts of the text in the braces of `%{...}t`.

    Raises KeyError for a code that does not exist.
    """
    if text in _WORDS:
        return [text]
    for short, long in _SHORT_FOR.items():
        text = text.replace(short, long)
    items = _ITEM.findall(text)
    for item in items:
        if item.startswith("%") and item != "%%" and item not in CODES:
            raise KeyError(item)
    return ["%" if item == "%%" else item for item in items]


def time_format(items: Sequence[str]) -> TimeFormat:
    """Return the format of `items`: codes, and texts in between. Raises RepeatedCode."""
    pattern, parts = "", []
    for item in items:
        if item not in CODES:
            pattern += re.escape(item)
            continue
        part, written = CODES[item]
        if part in parts:
            raise RepeatedCode(item)
        pattern += f"({written})"
        parts.append(part)
    return TimeFormat(re.compile(pattern), tuple(parts), tuple(items))


def read_formatted(form: TimeFormat, text: str, warnings: set[str], *, timezone: str) -> int:
    """Return `text`, written in the format `form`, as `read_time` does. Raises BadTime."""
    match = form.pattern.fullmatch(text)
    if match is None:
        raise BadTime(text[:64])
    parts = dict(zip(form.parts, match.groups(), strict=True))
    fraction = f".{parts['fraction']}" if "fraction" in parts else ""
    unit = next((unit for unit in _EPOCH_UNITS if unit in parts), None)
    if unit is not None:
        return read_epoch(parts[unit] + (fraction if unit == "s" else ""), unit=unit)
    clock = f"{parts['hour']}:{parts.get('minute', '00')}:{parts.get('second', '00')}{fraction}"
    zone = parts.get("zone", "")
    day, year = parts["day"].strip(" ").rjust(2, "0"), _year(parts)
    if "name" in parts:
        written = f"{day}/{parts['name']}/{year}:{clock}{zone}"
    else:
        written = f"{year}-{parts['month']}-{day}T{clock}{zone}"
    return read_time(written, warnings, timezone=timezone)


def _year(parts: dict[str, str]) -> str:
    if "year" in parts:
        return parts["year"]
    short = parts["short_year"]
    return f"{'19' if int(short) >= FIRST_OF_LAST_CENTURY else '20'}{short}"
