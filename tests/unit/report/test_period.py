"""The days that a report is about."""

from __future__ import annotations

from datetime import date

import pytest

from ingest.errors import SettingsError
from ingest.report.period import EVERYTHING, Period

FIRST, LAST = date(2025, 3, 1), date(2025, 3, 7)


@pytest.mark.parametrize(
    ("period", "title", "file_name"),
    [
        (EVERYTHING, "", "index.html"),
        (
            Period(first=FIRST, last=LAST),
            "2025-03-01 to 2025-03-07",
            "2025-03-01-to-2025-03-07.html",
        ),
        (Period(first=FIRST, last=FIRST), "2025-03-01", "2025-03-01.html"),
        (Period(first=FIRST), "since 2025-03-01", "since-2025-03-01.html"),
        (Period(last=LAST), "until 2025-03-07", "until-2025-03-07.html"),
    ],
)
def test_a_period_has_a_title_and_a_page_of_its_own(
    period: Period, title: str, file_name: str
) -> None:
    assert (period.title, period.file_name) == (title, file_name)


def test_an_open_end_has_every_day() -> None:
    assert EVERYTHING.bounds == {"first": "0001-01-01", "last": "9999-12-31"}


def test_a_period_without_a_day_is_refused() -> None:
    with pytest.raises(SettingsError, match="2025-03-01, lies before the first, 2025-03-07"):
        Period(first=LAST, last=FIRST)
