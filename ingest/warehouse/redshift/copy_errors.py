"""Why COPY refused a batch: what Redshift logged, and what differs between files and table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pyarrow as pa

from ingest.contract import Table
from ingest.errors import BooksError, ClickstreamError, ObjectUnreadable
from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord
from ingest.render import arrow_schema
from ingest.storage import Storage
from ingest.terminal.text import printable
from ingest.warehouse.redshift.faults import DRIVER_ERRORS, message_of, unsigned
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement

# Neither raw_line nor raw_field_value: they hold what was logged. Of this session and these files:
# what another COPY was refused for is no reason.
_LOGGED = (
    "SELECT file_name, column_name, error_message FROM sys_load_error_detail"
    " WHERE session_id = %s ORDER BY start_time DESC LIMIT 3"
)
# What S3 and IAM say, as Redshift repeats it, and what to do: COPY of Parquet takes no REGION.
_REMEDIES = {
    r"different region|permanentredirect|specified endpoint|authorizationheadermalformed": (
        "COPY reads Parquet in its own region only: put the lake (CLICKSTREAM_LAKE) into a bucket"
        " in the region of Redshift"
    ),
    r"expired ?token": "the credentials of the COPY role have expired: run the command again",
    r"access ?denied": (
        "let the role of REDSHIFT_COPY_ROLE_ARN read the lake: docs/operations/redshift.md"
    ),
}


def copy_problem(
    session: Session, lake: Storage, record: BatchRecord, table: Table, error: BaseException
) -> ClickstreamError:
    """Return the error that says which batch, file and column COPY refused, and why.

    It is a BooksError when the lake no longer holds what the record says.
    """
    place = f"landing.{table.name} of batch {record.number} ({record.batch_id[:6]})"
    if lost := _unlike_the_record(lake, record, table):
        return BooksError(
            f"{place} was refused by COPY, since landing.{table.name} cannot be read:"
            f" {'; '.join(map(printable, lost))}: restore the file, or ingest its raw logs again"
        )
    logged = _logged(session, [file.path for file in record.files[table.name]])
    reasons = [message_of(error), *logged, *_other_columns(lake, record, table)]
    reasons += _remedies(" ".join(reasons))
    told = "; ".join(printable(reason) for reason in dict.fromkeys(filter(None, reasons)))
    return ClickstreamError(f"{place} was refused by COPY: {told}")


def _remedies(told: str) -> list[str]:
    """Return what to do where S3 or IAM refused the role of COPY."""
    return [remedy for words, remedy in _REMEDIES.items() if re.search(words, told, re.IGNORECASE)]


def _logged(session: Session, paths: Sequence[str]) -> list[str]:
    """Return the newest load errors of `session` about the files `paths`.

    A connection of its own sees them after a failure.
    """
    with suppress(ClickstreamError, *DRIVER_ERRORS), Session(session.place) as other:
        with other.transaction():
            rows = other.run(Statement(_LOGGED, (session.pid,)))
        return [
            unsigned(": ".join(str(value).strip() for value in row if value))
            for row in rows
            if str(row[0]).strip().endswith(tuple(paths))
        ]
    return []


def _unlike_the_record(lake: Storage, record: BatchRecord, table: Table) -> list[str]:
    """Return which files are missing, damaged, or have another number of rows."""
    found = []
    for file in record.files[table.name]:
        try:
            with open_parquet(lake, file.path) as parquet:
                rows = parquet.metadata.num_rows
        except ObjectUnreadable as error:
            found.append(str(error))
            continue
        if rows != file.rows:
            found.append(f"{file.path}: the record says {file.rows:,} rows, it has {rows:,}")
    return found


def _other_columns(lake: Storage, record: BatchRecord, table: Table) -> list[str]:
    """Return which columns of the files are not those of the table."""
    wanted = arrow_schema(table)
    found = []
    for file in record.files[table.name]:
        with open_parquet(lake, file.path) as parquet:
            unlike = list(_differences(parquet.schema_arrow, wanted))
        found += [f"{file.path}: {', '.join(unlike)}"] if unlike else []
    return found


def _zoneless(kind: pa.DataType) -> pa.DataType:
    """Return a type without its time zone: Parquet's times for Redshift have none."""
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind


def _differences(schema: pa.Schema, wanted: pa.Schema) -> Iterator[str]:
    for field in schema:
        if field.name not in wanted.names:
            yield f"{field.name} is no column of the table"
        elif _zoneless(field.type) != _zoneless(wanted.field(field.name).type):
            yield f"{field.name} is {field.type}, not {wanted.field(field.name).type}"
