"""Which month an event belongs to, which months are kept, and how many may be made."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from ingest.errors import SettingsError
from ingest.search.months import check_number, is_month, month_names, oldest_kept
from ingest.settings import SearchSettings


def test_the_names_sort_by_time() -> None:
    days = [date(987, 6, 5), date(2025, 12, 31), date(2026, 1, 1), date(9999, 12, 31)]
    names = month_names("i", pa.array(days)).to_list()
    assert names == ["i-0987.06", "i-2025.12", "i-2026.01", "i-9999.12"]
    assert all(is_month(name, "i") for name in names)


@pytest.mark.parametrize(
    "name", ["i", "i-2026", "i-2026.1", "i-2026.01-x", "j-2026.01", "ii-2026.01"]
)
def test_other_names_are_no_months(name: str) -> None:
    assert not is_month(name, "i")


@pytest.mark.parametrize(
    ("keep", "oldest"),
    [(0, None), (1, "i-2026.02"), (2, "i-2026.01"), (3, "i-2025.12"), (14, "i-2025.01")],
)
def test_this_month_is_the_first_that_is_kept(keep: int, oldest: str | None) -> None:
    search = SearchSettings(index="i", layout="monthly", keep_months=keep)
    assert oldest_kept(search, date(2026, 2, 28)) == oldest


def test_a_single_index_is_kept() -> None:
    assert oldest_kept(SearchSettings(keep_months=1), date(2026, 2, 28)) is None


def test_hostile_dates_make_no_thousand_indices() -> None:
    names = {f"i-{year}.01" for year in range(2000, 2121)}
    check_number(names - {"i-2000.01"})
    with pytest.raises(SettingsError, match=r"in 121 months, from i-2000\.01 to i-2120\.01, but"):
        check_number(names)
