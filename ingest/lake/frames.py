"""Columns of the events of a batch, as polars reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl
import pyarrow as pa

from ingest.lake.parquet import read_columns
from ingest.lake.records import BatchRecord
from ingest.storage import Storage

# Distinct sessions that are held in memory for a comparison.
MOST_SESSIONS = 1_000_000


class Distinct:
    """Counts distinct texts by hashes of 64 bits: of a million, two are equal once in 37 million.

    More than `most` are not told apart, so that memory is bounded.
    """

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._known = pl.Series([], dtype=pl.UInt64)
        self._waiting: list[pl.Series] = []

    def add(self, values: pl.Series) -> None:
        """Count `values` too; nulls are none."""
        if len(self._known) > self._most:
            return
        self._waiting.append(values.cast(pl.String).drop_nulls().hash().unique())
        # Only when as many wait as are known: else the work grows with the square of the rows.
        if sum(map(len, self._waiting)) > len(self._known):
            self._merge()

    @property
    def number(self) -> int:
        """How many there are; `most` + 1 for any number above that."""
        self._merge()
        return min(len(self._known), self._most + 1)

    def _merge(self) -> None:
        self._known = pl.concat([self._known, *self._waiting]).unique()
        self._waiting.clear()


def event_frames(
    lake: Storage,
    record: BatchRecord,
    columns: Sequence[str],
    *,
    hide: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield `columns` of the events of `record` as `hide` shows them, some thousand rows at a time.

    A column that its contract did not have is null. Raises ObjectUnreadable when a file cannot be
    read.
    """
    for file in record.files.get("events", ()):
        for rows in read_columns(lake, file.path, columns):
            frame = pl.DataFrame(rows if hide is None else hide(rows))
            absent = [pl.lit(None).alias(name) for name in columns if name not in frame.columns]
            yield frame.with_columns(absent)
