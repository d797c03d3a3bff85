"""What COPY insists on: columns by position, exact types, widths in bytes, no stray nulls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redshift.columns import TableColumn
from redshift.copy_files import DataFile
from redshift.refusal import SCAN_ERROR, CopyRefused


@contextmanager
def open_file(file: DataFile) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; its INT96 comes as microseconds, right for years 1 to 9999.

    Raises CopyRefused when it is not one, or when a page turns out to be damaged.
    """
    try:
        with pq.ParquetFile(file.path, coerce_int96_timestamp_unit="us") as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        raise _scan_error(file, f"File '{file.url}' is not a Parquet file: {error}") from error


def check_schema(
    file: DataFile,
    parquet: pq.ParquetFile,
    columns: tuple[TableColumn, ...],
    *,
    fillrecord: bool,
) -> None:
    """Raise CopyRefused unless each column of the file has the type of the table's at its place.

    Names do not count. With `fillrecord` the last columns may be missing.
    """
    # Not schema_arrow, which believes what pyarrow noted about types beside them.
    fields = list(parquet.schema.to_arrow_schema())
    missing = columns[len(fields) :]
    if len(fields) > len(columns) or (missing and not fillrecord):
        said = "Unmatched number of columns between table and file."
        counts = f"Table columns: {len(columns)}, Data columns: {len(fields)}"
        raise _scan_error(file, f"{said} {counts}, File name: {file.url}")
    for column, field in zip(columns, fields, strict=False):
        if field.type != column.arrow:
            _refuse_type(file, column, f"{field.name}: {field.type}")
    _check_times(file, parquet, columns[: len(fields)])
    for column in missing:
        _check_null(file, column, has_null=True)


def _check_times(file: DataFile, parquet: pq.ParquetFile, columns: tuple[TableColumn, ...]) -> None:
    """Refuse INT64 timestamps, which Redshift takes and misreads: apache/arrow issue 38000."""
    for number, column in enumerate(columns):
        physical = parquet.schema.column(number).physical_type
        if column.type == "timestamp" and physical != "INT96":
            _refuse_type(file, column, f"{physical} timestamp")


def _refuse_type(file: DataFile, column: TableColumn, found: str) -> None:
    raise _scan_error(
        file,
        f"File '{file.url}' has an incompatible Parquet schema for column "
        f"'{file.url}.{column.name}'. Column type: {column.type.upper()}, Parquet schema: {found}",
        column,
    )


def check_rows(file: DataFile, rows: pa.RecordBatch, columns: tuple[TableColumn, ...]) -> None:
    """Raise CopyRefused when a value of `rows` does not fit into its column."""
    for column, values in zip(columns, rows.columns, strict=False):
        _check_null(file, column, has_null=values.null_count > 0)
        if column.width is not None:
            _check_text(file, column, values.cast(pa.string()))


def _check_null(file: DataFile, column: TableColumn, *, has_null: bool) -> None:
    if has_null and column.not_null:
        said = f"Cannot insert a NULL value into column {column.name}, File name: {file.url}"
        raise _scan_error(file, said, column)


def _check_text(file: DataFile, column: TableColumn, values: pa.Array) -> None:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        said = f"Invalid UTF-8 in column {column.name}: {error}, File name: {file.url}"
        raise _scan_error(file, said, column) from error
    if pc.any(pc.match_substring(values, "\0")).as_py():
        said = f"Zero byte in column {column.name}, File name: {file.url}"
        raise _scan_error(file, said, column)
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if column.width is not None and longest > column.width:
        said = f"The length of the data column {column.name} is longer than the length defined"
        lengths = f"Table: {column.width}, Data: {longest}"
        raise _scan_error(file, f"{said} in the table. {lengths}, File name: {file.url}", column)


def _scan_error(file: DataFile, context: str, column: TableColumn | None = None) -> CopyRefused:
    """Return the refusal of a file; the message of Redshift is always the same."""
    return CopyRefused(
        "Spectrum Scan Error",
        context=context,
        code=SCAN_ERROR,
        file=str(file.url),
        column=column,
    )
