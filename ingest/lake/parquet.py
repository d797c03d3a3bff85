"""Lake files: Parquet that Redshift's COPY, Spark and pyarrow all read the same.

Settings and reasons: the warehouse specification, section 2.7. Timestamps are INT96, because COPY
misreads INT64 timestamps without an error, and INT96 knows no unit: read it with `open_parquet`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import Table, Type
from ingest.render import arrow_schema

ROW_GROUP_ROWS = 262_144
# Rows encoded at a time: as many as the fast path gives at once. pyarrow's 1,024 take 10 % longer.
_BATCH_ROWS = 16_384
# What readers prune by. Statistics of the other columns would only cost time and footer bytes.
_STATISTICS = frozenset(
    ("event_date", "batch_id", "source_offset", "status_code", "client_ip", "session_id")
)
# Unique in every row: a dictionary would be built only to be given up.
_UNIQUE = frozenset(("event_id", "reject_id"))
# Text columns with few different values in most logs. Given as Arrow dictionaries they are written
# without looking at each value again; in the file they are plain strings like the others.
_ENCODED = frozenset(
    (
        "batch_id",
        "source_format",
        "source_file",
        "parse_status",
        "parse_warnings",
        "event_type",
        "event_name",
        "client_ip",
        "client_address",
        "forwarded_for",
        "user_name",
        "http_method",
        "http_version",
        "bytes_scope",
        "referrer_domain",
        "user_agent",
        "item_id",
        "product_id",
        "category",
        "campaign_source",
        "campaign_medium",
        "campaign_name",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A finished Parquet file: rows, its size in bytes, and the span of its event_time (UTC).

    The times are None when no row has an event_time, or the table has no such column.
    """

    path: Path
    rows: int
    bytes: int
    min_event_time: datetime | None
    max_event_time: datetime | None


class ParquetSink:
    """Writes one lake file of the contract table `table` chunk by chunk.

    Holds at most one row group in memory. The file is complete and durable when `close` has
    returned; leaving the `with` block without that removes it.
    """

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self._schema = encoded_schema(table)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._rows = 0
        self._span: tuple[datetime, datetime] | None = None
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, **_options(table))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer.is_open:
            self._writer.close()
            self._file.close()
            self.path.unlink()

    def write(self, rows: pa.Table) -> None:
        """Append `rows`: the columns of the contract in order, castable to their types."""
        # Even a cast that changes nothing visits each chunk of each column.
        same = rows.schema.equals(self._schema)
        self._pending.append(rows if same else rows.cast(self._schema))
        self._pending_rows += rows.num_rows
        if self._pending_rows >= ROW_GROUP_ROWS:
            table = pa.concat_tables(self._pending)
            whole = table.num_rows - table.num_rows % ROW_GROUP_ROWS
            self._flush(table.slice(0, whole))
            self._pending = [table.slice(whole)]
            self._pending_rows = table.num_rows - whole

    def close(self) -> Written:
        """Write what is pending and the footer, force all to disk and return the facts."""
        if self._pending_rows:
            self._flush(pa.concat_tables(self._pending))
        self._pending = []
        self._writer.close()
        self._file.close()
        _sync(self.path)
        _sync(self.path.parent)
        first, last = self._span or (None, None)
        return Written(
            path=self.path,
            rows=self._rows,
            bytes=self.path.stat().st_size,
            min_event_time=first,
            max_event_time=last,
        )

    def _flush(self, table: pa.Table) -> None:
        # Within a row group pyarrow gives up a dictionary that changes from chunk to chunk.
        self._writer.write_table(table.unify_dictionaries(), row_group_size=ROW_GROUP_ROWS)
        self._rows += table.num_rows
        if "event_time" in table.column_names:
            span = pc.min_max(table["event_time"]).as_py()
            self._span = _wider(self._span, span["min"], span["max"])


def encoded_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of `table` with its repetitive texts as dictionaries.

    That is the schema in which `ParquetSink` takes rows fastest.
    """
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            field.with_type(text) if field.name in _ENCODED else field
            for field in arrow_schema(table)
        ]
    )


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a lake file with its INT96 timestamps as microseconds, right for years 1 to 9999."""
    return pq.ParquetFile(path, coerce_int96_timestamp_unit="us")


def _options(table: Table) -> dict[str, object]:
    strings = [column.name for column in table.columns if column.type is Type.STRING]
    return {
        "compression": "snappy",
        "data_page_version": "1.0",
        "store_schema": False,
        "use_deprecated_int96_timestamps": True,
        "write_batch_size": _BATCH_ROWS,
        "use_dictionary": [name for name in strings if name not in _UNIQUE],
        "write_statistics": [name for name in table.names if name in _STATISTICS],
    }


def _wider(
    span: tuple[datetime, datetime] | None, first: datetime | None, last: datetime | None
) -> tuple[datetime, datetime] | None:
    if first is None or last is None:
        return span
    if span is None:
        return first, last
    return min(span[0], first), max(span[1], last)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
