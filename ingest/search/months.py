"""Monthly indices: the month that each event belongs to, and the months that are kept.

The month is that of event_date, which is never null and plausible, unlike event_time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date

import polars as pl
import pyarrow as pa

from ingest.errors import SettingsError
from ingest.lake.parquet import read_columns
from ingest.settings import SearchSettings
from ingest.storage import Storage

MONTH_OF = "event_date"
# Each is a shard at least, and hostile dates would make thousands.
MOST_MONTHS = 120


def is_monthly(search: SearchSettings) -> bool:
    """Return whether the documents go to an index for each month."""
    return search.layout == "monthly"


def is_month(name: str, index: str) -> bool:
    """Return whether `name` is that of a monthly index behind the alias `index`."""
    return re.fullmatch(rf"{re.escape(index)}-\d{{4}}\.\d\d", name) is not None


def month_names(index: str, dates: pa.Array) -> pl.Series:
    """Return the monthly index of each of `dates`; `index` is the alias."""
    return pl.Series(dates).dt.strftime(month_format(index))


def month_format(index: str) -> str:
    """Return what makes the name of a monthly index of a date."""
    return f"{index}-%Y.%m"


def oldest_kept(search: SearchSettings, today: date) -> str | None:
    """Return the name of the oldest monthly index that is kept; None when all are."""
    if not is_monthly(search) or not search.keep_months:
        return None
    year, month = divmod(today.year * 12 + today.month - search.keep_months, 12)
    return f"{search.index}-{max(year, 0):04}.{month + 1:02}"


def months_in(lake: Storage, paths: Iterable[str], *, index: str) -> set[str]:
    """Return the monthly indices that the events in the Parquet files `paths` go to."""
    return {
        name
        for path in paths
        for rows in read_columns(lake, path, [MONTH_OF])
        for name in month_names(index, rows[MONTH_OF].unique())
    }


def check_number(names: Collection[str]) -> None:
    """Raise SettingsError when one run would need more monthly indices than is sensible."""
    if len(names) > MOST_MONTHS:
        raise SettingsError(
            f"the events to export are in {len(names):,} months, from {min(names)} to {max(names)},"
            f' but an export makes at most {MOST_MONTHS} indices: set search.layout = "single", or '
            "min_event_time of the source and read its logs again (`clickstream replay`)"
        )
