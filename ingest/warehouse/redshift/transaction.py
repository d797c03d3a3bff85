"""One batch in one transaction: all of it with proof, what it replaces gone, or nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Timer
from typing import Any, TypeVar

from ingest.contract import BATCHES, EVENTS, Table
from ingest.errors import BooksError
from ingest.lake.records import BatchRecord
from ingest.lake.states import LIVE
from ingest.storage import Storage
from ingest.warehouse.ledger import LedgerRow, is_behind, to_arrow
from ingest.warehouse.redshift import statements
from ingest.warehouse.redshift.copy_errors import copy_problem
from ingest.warehouse.redshift.faults import DRIVER_ERRORS, is_about_data
from ingest.warehouse.redshift.manifest import manifest_key, write_manifest
from ingest.warehouse.redshift.repeat import repeat
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import DATA, Statement

_log = logging.getLogger(__name__)

# The driver sends at most 32,767 values with a statement; a row of the ledger has 21.
_SLICE = 1_000
_PATIENCE_SECONDS = 10.0
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one transaction writes: rows of the ledger, at most one of them a batch to load."""

    rows: tuple[LedgerRow, ...]

    @property
    def ids(self) -> list[str]:
        """The ids of its batches."""
        return [row.record.batch_id for row in self.rows]

    @property
    def name(self) -> str:
        """The number and the id of its newest batch, for messages."""
        newest = self.rows[-1].record
        return f"batch {newest.number} ({newest.batch_id[:6]})"


def write_change(
    session: Session, lake: Storage, change: Change, role: str
) -> tuple[LedgerRow, ...]:
    """Write what another loader has not written of `change`; return those of its rows.

    Raises BooksError when rows or times are not those of the record, SettingsError when a grant is
    missing, ClickstreamError for everything else.
    """

    def write() -> tuple[LedgerRow, ...]:
        with session.transaction():
            return _write(session, lake, change, role)

    written = repeat(change.name, write)
    if len(written) < len(change.rows):
        _log.info("%s: another loader was first", change.name)
    return written


def describe_change(lake: str, change: Change, role: str) -> Iterator[Statement]:
    """Yield the statements of `change`, as if no other loader had been there."""
    yield Statement("BEGIN")
    yield statements.lock()
    for ids in _slices(change.ids):
        yield statements.states(ids)
    for table in DATA:
        for ids in _slices(change.ids):
            yield statements.delete(table, ids)
    for row in change.rows:
        for table in _loaded_tables(row):
            uri = f"{lake}/{manifest_key(row.record, table)}"
            yield statements.copy(table, table.names_of(row.record.contract_version), uri, role)
            yield statements.copied()
            yield statements.found(table, row.record.batch_id)
    yield from _ledger_statements(change.rows)
    yield Statement("COMMIT")


def _write(session: Session, lake: Storage, change: Change, role: str) -> tuple[LedgerRow, ...]:
    with _telling_who_waits(change):
        session.run(statements.lock())
    there = [row for ids in _slices(change.ids) for row in session.run(statements.states(ids))]
    if rows := _pending(change, there):
        _replace(session, lake, rows, role)
        return rows
    # A transaction of ours whose COMMIT was not answered, and which is tried again here.
    ours = {(batch_id, at) for batch_id, _, _, at in there}
    return tuple(row for row in change.rows if (row.record.batch_id, _naive(row.loaded_at)) in ours)


def _replace(session: Session, lake: Storage, rows: Sequence[LedgerRow], role: str) -> None:
    """Put `rows`, and what the live ones load, in the place of all that there is of them."""
    for table in DATA:
        for ids in _slices([row.record.batch_id for row in rows]):
            session.run(statements.delete(table, ids))
    for row in rows:
        for table in _loaded_tables(row):
            _copy(session, lake, row.record, table, role)
    for statement in _ledger_statements(rows):
        session.run(statement)


def _pending(change: Change, found: Sequence[tuple[Any, ...]]) -> tuple[LedgerRow, ...]:
    """Return the rows that another loader has not written meanwhile, or gone beyond.

    `found` are (batch id, state, manifest hash, when it was loaded). Raises BooksError when one was
    loaded from other files.
    """
    there = {batch_id: (state, manifest) for batch_id, state, manifest, _ in found}
    for row in change.rows:
        _, manifest = there.get(row.record.batch_id, (None, None))
        if manifest is not None and row.manifest_hash not in (None, manifest):
            raise BooksError(
                f"{change.name} is in {statements.LEDGER} with other files than its record names"
            )
    return tuple(
        row
        for row in change.rows
        if is_behind(there.get(row.record.batch_id, (None, None))[0], row)
    )


def _loaded_tables(row: LedgerRow) -> list[Table]:
    if row.state != LIVE:
        return []
    return [table for table in DATA if row.record.files.get(table.name)]


def _copy(session: Session, lake: Storage, record: BatchRecord, table: Table, role: str) -> None:
    started = time.monotonic()
    manifest = write_manifest(lake, record, table)
    columns = table.names_of(record.contract_version)
    try:
        session.run(statements.copy(table, columns, manifest, role))
    except DRIVER_ERRORS as error:
        if not is_about_data(error):
            raise
        raise copy_problem(session, lake, record, table, error) from error
    ((loaded,),) = session.run(statements.copied())
    ((rows, first, last),) = session.run(statements.found(table, record.batch_id))
    _prove(record, table, loaded=loaded, found=(rows, _utc(first), _utc(last)))
    _log.info(
        "landing.%s: %s rows of batch %s copied in %.1f s; rows and times are those of the record",
        *(table.name, f"{rows:,}", record.number, time.monotonic() - started),
    )


def _prove(
    record: BatchRecord,
    table: Table,
    *,
    loaded: int,
    found: tuple[int, datetime | None, datetime | None],
) -> None:
    files = record.files[table.name]
    firsts = [file.min_event_time for file in files if file.min_event_time]
    lasts = [file.max_event_time for file in files if file.max_event_time]
    said = (sum(file.rows for file in files), min(firsts, default=None), max(lasts, default=None))
    if table is not EVENTS:
        said = (said[0], None, None)
    if said != found or loaded != said[0]:
        raise BooksError(
            f"landing.{table.name} of batch {record.number}: the record says {_counted(said)};"
            f" COPY loaded {loaded:,} rows, and the table has {_counted(found)}"
        )


def _counted(counted: tuple[int, datetime | None, datetime | None]) -> str:
    rows, first, last = counted
    return f"{rows:,} rows" + (f" from {first} to {last}" if first else "")


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


def _ledger_statements(rows: Sequence[LedgerRow]) -> Iterator[Statement]:
    """Yield what replaces the rows of the ledger."""
    values = [tuple(map(_naive, row.values())) for row in to_arrow(rows).to_pylist()]
    for ids in _slices([row.record.batch_id for row in rows]):
        yield statements.delete(BATCHES, ids)
    for some in _slices(values):
        yield statements.insert_ledger(some)


def _slices(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Yield `values` in parts for one statement each."""
    for start in range(0, len(values), _SLICE):
        yield values[start : start + _SLICE]


@contextmanager
def _telling_who_waits(change: Change) -> Iterator[None]:
    """Say once that the lock is waited for, if that takes long."""
    timer = Timer(
        _PATIENCE_SECONDS,
        _log.warning,
        ("%s waits: another loader, or dbt, holds %s", change.name, statements.LEDGER),
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _naive(value: Any) -> Any:
    """Return `value` as TIMESTAMP holds it: in UTC, without a zone."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
