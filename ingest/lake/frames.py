"""Columns of the events of a batch, as polars reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from ingest.lake.parquet import read_columns
from ingest.lake.records import BatchRecord
from ingest.storage import Storage


def event_frames(
    lake: Storage, record: BatchRecord, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Yield `columns` of the events of `record`, some thousand rows at a time.

    A column that its contract did not have is null. Raises ObjectUnreadable when a file cannot be
    read.
    """
    for file in record.files.get("events", ()):
        for rows in read_columns(lake, file.path, columns):
            frame = pl.DataFrame(rows)
            absent = [pl.lit(None).alias(name) for name in columns if name not in frame.columns]
            yield frame.with_columns(absent)
