"""Lake files: Parquet that Redshift's COPY, Spark and pyarrow all read the same.

Settings and reasons: the warehouse specification, section 2.7. Timestamps are INT96, because COPY
misreads INT64 timestamps without an error, and INT96 has no unit: read it with `open_parquet`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import Table, Type
from ingest.errors import ObjectUnreadable
from ingest.render import arrow_schema
from ingest.storage import Storage
from ingest.storage.reader import ObjectReader

ROW_GROUP_ROWS = 262_144
# Wide rows make smaller row groups, so that what waits to be written is bounded in bytes too.
_ROW_GROUP_BYTES = 64 << 20
# Rows encoded at a time: as many as the fast path gives at once. pyarrow's 1,024 take 10 % longer.
_BATCH_ROWS = 16_384
# Of more different texts a dictionary may fill its page, if half of all are different.
_MANY_TEXTS = 8_192
# Rows that tell whether nearly all texts of a column differ: counting them takes 10 ns a line.
_SAMPLE_ROWS = 2_048
# Few columns are read at a time, so that many rows are a few megabytes.
_READ_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A finished Parquet file: rows, size in bytes, SHA-256, and the span of its event_time (UTC).

    The times are None when no row has an event_time, or the table has no such column.
    """

    path: Path
    rows: int
    bytes: int
    sha256: str
    min_event_time: datetime | None
    max_event_time: datetime | None


class ParquetSink:
    """Writes one lake file of the contract table `table` chunk by chunk.

    Holds at most one row group in memory, of at most some 64 MiB. The file is complete when
    `close` has returned, and durable once `Storage.upload` has; leaving the `with` block without
    `close` removes it.
    """

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self._schema = encoded_schema(table)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self._rows = 0
        self._span: tuple[datetime, datetime] | None = None
        self._options = _options(table)
        self._file = pa.OSFile(str(path), "wb")
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._file.closed:
            if self._writer is not None:
                self._writer.close()
            self._file.close()
            self.path.unlink()

    def write(self, rows: pa.Table) -> None:
        """Append `rows`: the columns of the contract in order, castable to their types."""
        # Even a cast that changes nothing visits each chunk of each column.
        same = rows.schema.equals(self._schema)
        self._pending.append(rows if same else rows.cast(self._schema))
        self._pending_rows += rows.num_rows
        self._pending_bytes += rows.nbytes
        if self._pending_rows >= ROW_GROUP_ROWS:
            table = pa.concat_tables(self._pending)
            whole = table.num_rows - table.num_rows % ROW_GROUP_ROWS
            self._flush(table.slice(0, whole))
            self._keep(table.slice(whole))
        elif self._pending_bytes > _ROW_GROUP_BYTES:
            self._flush(pa.concat_tables(self._pending))
            self._keep()

    def close(self) -> Written:
        """Write what is pending and the footer, and return the facts."""
        if self._pending_rows:
            self._flush(pa.concat_tables(self._pending))
        self._pending = []
        self._open_writer(self._schema.empty_table()).close()
        self._file.close()
        first, last = self._span or (None, None)
        return Written(
            path=self.path,
            rows=self._rows,
            bytes=self.path.stat().st_size,
            sha256=_sha256(self.path),
            min_event_time=first,
            max_event_time=last,
        )

    def _keep(self, *rest: pa.Table) -> None:
        self._pending = list(rest)
        self._pending_rows = sum(table.num_rows for table in rest)
        self._pending_bytes = sum(table.nbytes for table in rest)

    def _flush(self, table: pa.Table) -> None:
        writer = self._open_writer(table)
        writer.write_table(_with_one_dictionary(table), row_group_size=ROW_GROUP_ROWS)
        self._rows += table.num_rows
        if "event_time" in table.column_names:
            span = pc.min_max(table["event_time"]).as_py()
            self._span = _wider(self._span, span["min"], span["max"])

    def _open_writer(self, first: pa.Table) -> pq.ParquetWriter:
        """Return the writer; the `first` rows tell it which columns a dictionary is wasted on."""
        if self._writer is None:
            names = [name for name in self._options["use_dictionary"] if _repeats(first[name])]
            options = self._options | {"use_dictionary": names}
            self._writer = pq.ParquetWriter(self._file, self._schema, **options)
        return self._writer


def _repeats(column: pa.ChunkedArray) -> bool:
    """Return whether more than an eighth of the texts of `column` are not their first."""
    if pa.types.is_dictionary(column.type):
        return not _has_many_texts(column)
    sample = column.slice(0, _SAMPLE_ROWS)
    texts = len(sample) - sample.null_count
    return texts < _SAMPLE_ROWS // 2 or bool(pc.count_distinct(sample).as_py() * 8 <= texts * 7)


def _with_one_dictionary(table: pa.Table) -> pa.Table:
    """Return `table` with one dictionary for each of its columns whose texts repeat.

    Within a row group pyarrow gives up a dictionary that changes from chunk to chunk. Where nearly
    all texts differ it may: joining such dictionaries costs more than writing the texts.
    """
    columns = [
        column if _has_many_texts(column) else column.unify_dictionaries()
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _has_many_texts(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_dictionary(column.type):
        return False
    texts = sum(len(chunk.dictionary) for chunk in column.chunks)
    return texts > _MANY_TEXTS and 2 * texts > len(column)


def encoded_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of `table` with its dictionary columns as Arrow dictionaries.

    That is the schema in which `ParquetSink` takes rows fastest: values are written without being
    looked at again. In the file they are strings like the others.
    """
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            field.with_type(text) if column.dictionary else field
            for field, column in zip(arrow_schema(table), table.columns, strict=True)
        ]
    )


def open_parquet(storage: Storage, key: str) -> pq.ParquetFile:
    """Open a Parquet file; only the bytes that are asked for are read, the footer first.

    Its INT96 timestamps come as microseconds, right for years 1 to 9999. Raises ObjectUnreadable
    when it is denied, gone or not Parquet; reading rows of a damaged page raises OSError.
    """
    try:
        return pq.ParquetFile(
            ObjectReader(storage, key),
            coerce_int96_timestamp_unit="us",
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError) as error:
        raise ObjectUnreadable(f"{storage.uri}/{key}: not a Parquet file ({error})") from error


def read_columns(
    storage: Storage, key: str, columns: Sequence[str], *, rows: int = _READ_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield those of `columns` that the file has, `rows` (default: some thousand) at a time.

    Raises ObjectUnreadable when the file is denied, gone, damaged or not Parquet.
    """
    with open_parquet(storage, key) as file:
        present = set(file.schema_arrow.names)
        try:
            yield from file.iter_batches(
                rows, columns=[name for name in columns if name in present]
            )
        except (pa.ArrowException, OSError) as error:
            raise ObjectUnreadable(f"{storage.uri}/{key}: is damaged ({error})") from error


def _options(table: Table) -> dict[str, Any]:
    strings = [column for column in table.columns if column.type is Type.STRING]
    return {
        "compression": "snappy",
        "data_page_version": "1.0",
        "store_schema": False,
        "use_deprecated_int96_timestamps": True,
        "write_batch_size": _BATCH_ROWS,
        "write_page_checksum": True,
        "use_dictionary": [column.name for column in strings if not column.unique],
        "write_statistics": [column.name for column in table.columns if column.statistics],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wider(
    span: tuple[datetime, datetime] | None, first: datetime | None, last: datetime | None
) -> tuple[datetime, datetime] | None:
    if first is None or last is None:
        return span
    if span is None:
        return first, last
    return min(span[0], first), max(span[1], last)
