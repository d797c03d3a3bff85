"""The rejected lines that a batch keeps, counted by log and reason without reading the lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from ingest.lake.parquet import read_columns
from ingest.lake.records import BatchRecord
from ingest.storage import Storage

_GROUP = ("source_format", "reason", "source_file")
_LINE = ("source_offset", "source_line", "detail", "raw_length", "raw_text", "raw_base64")
# A row holds up to 64 KB of base64.
_LINES_READ = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedLines:
    """Lines that `record` rejected of one log for one reason; `path` is the file they are in.

    `longest` counts the bytes of the longest one.
    """

    record: BatchRecord
    path: str
    source_format: str
    reason: str
    source_file: str
    lines: int
    longest: int


def rejected_lines(lake: Storage, record: BatchRecord) -> Iterator[RejectedLines]:
    """Yield what `record` rejected; raises ObjectUnreadable when a file cannot be read."""
    for file in record.files.get("rejects", ()):
        parts = [
            pl.DataFrame(rows)
            .with_columns(pl.col(_GROUP).cast(pl.String))
            .group_by(_GROUP, maintain_order=True)
            .agg(pl.len().alias("lines"), pl.col("raw_length").max().alias("longest"))
            for rows in read_columns(lake, file.path, [*_GROUP, "raw_length"])
        ]
        if not parts:
            continue
        sums = [pl.col("lines").sum(), pl.col("longest").max()]
        found = pl.concat(parts).group_by(_GROUP, maintain_order=True).agg(sums)
        for row in found.iter_rows(named=True):
            yield RejectedLines(record=record, path=file.path, **row)


def first_line(lake: Storage, lines: RejectedLines) -> dict[str, Any]:
    """Return the row of the first of `lines`; raises ObjectUnreadable as above."""
    wanted = (lines.source_format, lines.reason, lines.source_file)
    return next(
        rows.slice(index, 1).to_pylist()[0]
        for rows in read_columns(lake, lines.path, [*_GROUP, *_LINE], rows=_LINES_READ)
        for index, one in enumerate(
            zip(*(rows.column(name).to_pylist() for name in _GROUP), strict=True)
        )
        if one == wanted
    )
