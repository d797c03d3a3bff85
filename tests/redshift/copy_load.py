"""COPY from S3, done on the client's own connection and so in its transaction."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from redshift.backend import Backend, literal
from redshift.columns import TableColumn
from redshift.copy_checks import check_rows, check_schema, open_file
from redshift.copy_command import CopyCommand
from redshift.copy_files import DataFile, fetch
from redshift.refusal import CopyRefused

_ROWS = 65_536
# Every value is quoted, so that an empty text is not a null.
_CSV = pacsv.WriteOptions(include_header=False, quoting_style="all_valid")
_COLUMNS = """
    select attname, typname, atttypmod, attnotnull
    from pg_attribute join pg_type on pg_type.oid = atttypid
    where attrelid = to_regclass({relation}) and attnum > 0 and not attisdropped
    order by attnum
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a COPY did: the number of all rows, and each file with its own."""

    rows: int
    files: tuple[tuple[str, int], ...]


async def load(command: CopyCommand, backend: Backend, s3: Any) -> Loaded:
    """Run `command`. All files are there and have the right types before a row is sent.

    Raises BackendError, or CopyRefused, after which the transaction may not be aborted yet.
    """
    columns = await _columns(command, backend)
    with tempfile.TemporaryDirectory(prefix="copy-") as folder:
        files = await asyncio.to_thread(fetch, command, s3, folder=Path(folder))
        counts = await asyncio.to_thread(_checked, command, files, columns=columns)
        names = tuple(column.name for column in columns)
        sql = command.from_stdin(names, "(FORMAT csv, NULL '')")
        rows = await backend.copy_in(sql, _parts(files, columns))
    await backend.query(f"select set_config('standin.last_copy_count', '{rows}', false)")
    return Loaded(rows, tuple(counts))


async def _columns(command: CopyCommand, backend: Backend) -> tuple[TableColumn, ...]:
    """Return the columns that COPY fills, in its order. Raises CopyRefused, BackendError."""
    rows = await backend.query(_COLUMNS.format(relation=literal(command.relation)))
    if not rows:
        raise CopyRefused(f"Cannot COPY into nonexistent table {'.'.join(command.table)}")
    found = {str(row[0]): _column(row) for row in rows}
    for name in command.columns:
        if name not in found:
            raise CopyRefused(f'column "{name}" of relation "{command.table[-1]}" does not exist')
    return tuple(found[name] for name in command.columns or found)


def _column(row: Sequence[str | None]) -> TableColumn:
    name, kind, modifier, not_null = map(str, row)
    return TableColumn(name=name, type=kind, modifier=int(modifier), not_null=not_null == "t")


def _checked(
    command: CopyCommand, files: Sequence[DataFile], *, columns: tuple[TableColumn, ...]
) -> list[tuple[str, int]]:
    """Check the types of all files and return each with its number of rows."""
    counts = []
    for file in files:
        with open_file(file) as parquet:
            check_schema(file, parquet, columns, fillrecord=command.fillrecord)
            counts.append((str(file.url), parquet.metadata.num_rows))
    return counts


async def _parts(
    files: Sequence[DataFile], columns: tuple[TableColumn, ...]
) -> AsyncIterator[bytes]:
    """Yield the rows of `files` as CSV; reading goes on in another thread."""
    for file in files:
        parts = _read(file, columns)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part


def _read(file: DataFile, columns: tuple[TableColumn, ...]) -> Iterator[bytes]:
    with open_file(file) as parquet:
        for rows in parquet.iter_batches(batch_size=_ROWS):
            check_rows(file, rows, columns)
            for column in columns[rows.num_columns :]:  # FILLRECORD
                rows = rows.append_column(column.name, pa.nulls(rows.num_rows))
            text = io.BytesIO()
            pacsv.write_csv(rows, text, _CSV)
            yield text.getvalue()
