"""Why COPY refused a batch: what Redshift logged, and what differs between files and table."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa

from ingest.contract import Table
from ingest.errors import ClickstreamError, ObjectUnreadable
from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord
from ingest.render import arrow_schema
from ingest.storage import Storage
from ingest.terminal.text import printable
from ingest.warehouse.redshift.faults import DRIVER_ERRORS, message_of
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement

# Neither raw_line nor raw_field_value: they hold what was logged.
_LOGGED = Statement(
    "SELECT file_name, column_name, error_message FROM sys_load_error_detail"
    " ORDER BY start_time DESC LIMIT 3"
)


def copy_problem(
    session: Session, lake: Storage, record: BatchRecord, table: Table, error: BaseException
) -> ClickstreamError:
    """Return the error that says which batch, file and column COPY refused, and why."""
    reasons = [message_of(error), *_logged(session), *_differences(lake, record, table)]
    told = "; ".join(printable(reason) for reason in dict.fromkeys(filter(None, reasons)))
    return ClickstreamError(
        f"landing.{table.name} of batch {record.number} ({record.batch_id[:6]}) was refused by"
        f" COPY: {told}"
    )


def _logged(session: Session) -> list[str]:
    """Return the newest load errors; a connection of its own sees them after a failure."""
    with suppress(ClickstreamError, *DRIVER_ERRORS), Session(session.place) as other:
        with other.transaction():
            rows = other.run(_LOGGED)
        return [": ".join(str(value).strip() for value in row if value) for row in rows]
    return []


def _differences(lake: Storage, record: BatchRecord, table: Table) -> list[str]:
    """Return what is wrong with the files of a batch: unreadable, or other columns."""
    found = []
    for file in record.files[table.name]:
        try:
            with open_parquet(lake, file.path) as parquet:
                found += _other_columns(file.path, parquet.schema_arrow, arrow_schema(table))
        except ObjectUnreadable as error:
            found.append(str(error))
    return found


def _other_columns(path: str, schema: pa.Schema, wanted: pa.Schema) -> list[str]:
    names = [name for name in schema.names if name not in wanted.names]
    types = [
        f"{field.name} is {field.type}"
        for field in schema
        if field.name in wanted.names and field.type != wanted.field(field.name).type
    ]
    told = [*(f"{name} is no column of the table" for name in names), *types]
    return [f"{path}: {', '.join(told)}"] if told else []
