"""Time texts, zones and epochs against Python's own calendar: sections 3.5 and 7.8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.parse.fields.times import BadTime, micros_of, read_time


def at(text: str, *, timezone: str = "UTC") -> tuple[datetime, set[str]]:
    codes: set[str] = set()
    micros = read_time(text, codes, timezone=timezone)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros), codes


def utc(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    micros: int = 0,
) -> datetime:
    return datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("03/Mar/2024:07:08:09 +0100", utc(2024, 3, 3, 6, 8, 9)),
        ("3/mAR/2024 07:08:09 Z", utc(2024, 3, 3, 7, 8, 9)),
        ("2024-03-03T07:08:09+01:00", utc(2024, 3, 3, 6, 8, 9)),
        ("2024-03-03 07:08:09-05", utc(2024, 3, 3, 12, 8, 9)),
        ("2024-03-03T07:08:09.5Z", utc(2024, 3, 3, 7, 8, 9, 500_000)),
        ("2024-03-03T07:08:09,123456999Z", utc(2024, 3, 3, 7, 8, 9, 123_456)),
        ("29/Feb/2024:23:59:59 +1400", utc(2024, 2, 29, 9, 59, 59)),
        ("01/Jan/1969:00:00:00 -1400", utc(1969, 1, 1, 14)),
        ("31/Dec/9999:23:59:59 +0000", utc(9999, 12, 31, 23, 59, 59)),
        ("0", utc(1970, 1, 1)),
        ("1714979289", utc(2024, 5, 6, 7, 8, 9)),
        ("1714979289.1234567", utc(2024, 5, 6, 7, 8, 9, 123_456)),
        ("1714979289123", utc(2024, 5, 6, 7, 8, 9, 123_000)),
        ("1714979289123.4567", utc(2024, 5, 6, 7, 8, 9, 123_456)),
        ("1714979289123456", utc(2024, 5, 6, 7, 8, 9, 123_456)),
        ("1714979289123456789", utc(2024, 5, 6, 7, 8, 9, 123_456)),
        ("99999999999", utc(5138, 11, 16, 9, 46, 39)),
        ("100000000000", utc(1973, 3, 3, 9, 46, 40)),
        ("-1", utc(1969, 12, 31, 23, 59, 59)),
    ],
)
def test_times_that_name_their_zone(text: str, expected: datetime) -> None:
    assert at(text) == (expected, set())


@pytest.mark.parametrize(
    ("text", "timezone", "expected"),
    [
        ("03/Mar/2024:07:08:09", "UTC", utc(2024, 3, 3, 7, 8, 9)),
        ("03/Mar/2024:07:08:09", "+02:30", utc(2024, 3, 3, 4, 38, 9)),
        ("03/Jul/2024:07:08:09", "Europe/Berlin", utc(2024, 7, 3, 5, 8, 9)),
        ("03/Jan/2024:07:08:09", "Europe/Berlin", utc(2024, 1, 3, 6, 8, 9)),
        # The clocks go back at 03:00: 02:30 comes twice, the first is summer time.
        ("2024-10-27 02:30:00", "Europe/Berlin", utc(2024, 10, 27, 0, 30)),
        # The clocks go forward at 02:00: 02:30 does not exist, the offset before is +01:00.
        ("2024-03-31 02:30:00", "Europe/Berlin", utc(2024, 3, 31, 1, 30)),
    ],
)
def test_the_setting_holds_where_no_zone_is(text: str, timezone: str, expected: datetime) -> None:
    assert at(text, timezone=timezone) == (expected, {"no_timezone"})


def test_the_zone_of_the_log_wins() -> None:
    assert at("2024-07-03T07:08:09Z", timezone="Asia/Tokyo") == (utc(2024, 7, 3, 7, 8, 9), set())


def test_leap_second_becomes_second_59() -> None:
    expected = utc(2016, 12, 31, 23, 59, 59, 250_000)
    assert at("31/Dec/2016:23:59:60.25 +0000") == (expected, {"leap_second"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "29/Feb/2023:00:00:00 Z",
        "2024-3-03T07:08:09Z",
        "2024-03-03T07:08:09z",
        "2024-03-03t07:08:09Z",
        "2024-03-03T07:08:09 +1",
        "2024-03-03T07:08:09  Z",
        "2024-03-03T07:08:09.Z",
        "2024-03-03T07:08Z",
        "31/Dec/9999:23:59:59 -0100",
        "٠٣/Mar/2024:07:08:09 Z",
        "9" * 21,
        "1e9",
        "9" * 1_000_000,
    ],
)
def test_no_times(text: str) -> None:
    with pytest.raises(BadTime):
        at(text)


def test_micros_of() -> None:
    assert micros_of(utc(1970, 1, 2, 0, 0, 0, 5)) == 86_400_000_005
    assert micros_of(utc(1969, 12, 31)) == -86_400_000_000
