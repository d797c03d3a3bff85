"""The `Warehouse` on Redshift. Its transactions do what Spark needs a protocol of its own for."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from ingest.contract import BATCHES
from ingest.errors import ClickstreamError, SettingsError
from ingest.pseudonyms import Keys
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.warehouse import Column, Rows, Schemas
from ingest.warehouse.ledger import Ledger, LedgerRow, LoadedBatch, changes
from ingest.warehouse.redshift.faults import (
    DRIVER_ERRORS,
    is_denied,
    is_lost,
    message_of,
    missing_grant,
)
from ingest.warehouse.redshift.landing import (
    landing_tables,
    lost_tables,
    needed_changes,
    prepare_tables,
)
from ingest.warehouse.redshift.notes import ViewNotes
from ingest.warehouse.redshift.place import Place, place_of
from ingest.warehouse.redshift.reads import check_reads
from ingest.warehouse.redshift.repeat import repeat
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import LEDGER, SCHEMA, Statement, key_statements
from ingest.warehouse.redshift.transaction import Change, describe_change, write_change
from ingest.warehouse.target import Target, load_credentials

Result = TypeVar("Result")
ROLE = "REDSHIFT_COPY_ROLE_ARN"
# Not pg_...: these are the database's own. Redshift allows 127 bytes, some of which are ours.
_SCHEMA = re.compile(r"(?!pg_)[a-z][a-z0-9_]{0,100}")
_LEDGER = (
    f"SELECT batch_id, state, replaced_by, manifest_hash, loaded_at FROM {LEDGER}"  # noqa: S608
    " ORDER BY batch_id"
)
_RELATIONS = (
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'v') AND n.nspname IN (%s, %s, %s, %s, %s)"
)


def open_redshift(settings: Settings, target: Target) -> RedshiftWarehouse:
    """Return the warehouse of a Redshift target, not connected yet.

    Raises SettingsError when profiles.yml has no valid credentials for it.
    """
    if not _SCHEMA.fullmatch(target.schema) or target.schema == SCHEMA:
        raise SettingsError(
            f"REDSHIFT_SCHEMA {target.schema!r}: must be lower-case letters, digits and _, the"
            f" first a letter, and neither {SCHEMA} nor a name that begins with pg_"
        )
    place = place_of(load_credentials(settings), target.name)
    role = os.environ.get(ROLE, "").strip() or "default"
    return RedshiftWarehouse(place, Schemas(marts=target.schema, landing=SCHEMA), role)


class RedshiftWarehouse:
    """A database of Redshift. `role` is the one that COPY reads the lake with."""

    def __init__(self, place: Place, schemas: Schemas, role: str) -> None:
        self.schemas = schemas
        self.notes = ViewNotes(schemas.intermediate, self._noted)
        self._role = role
        self._session = Session(place)

    def ledger(self) -> Ledger:
        """Return the rows of landing.batches."""
        with self._failures():
            tables = _once_more(lambda: landing_tables(self._session))
            if BATCHES.name not in tables:
                return Ledger(version="", batches={})
            rows = self._rows(Statement(_LEDGER))
        return Ledger(
            version=hashlib.sha256(repr(rows).encode()).hexdigest()[:16],
            batches={
                batch_id: LoadedBatch(
                    state=state, replaced_by=by, manifest_hash=manifest, loaded_at=_in_utc(at)
                )
                for batch_id, state, by, manifest, at in rows
            },
            lost=tuple(table.name for table in lost_tables(tables)),
        )

    def load(
        self, lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Sequence[LedgerRow]:
        """Load each live batch in one transaction, which also removes what the batch replaces."""
        _check_lake(lake)
        all_again = len(changed) == len(ledger)
        repeat("landing", lambda: prepare_tables(self._session, all_again=all_again))
        return [
            row
            for rows in changes(ledger, changed)
            for row in write_change(self._session, lake, Change(rows=rows), self._role)
        ]

    def describe(
        self, lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Iterator[str]:
        """Yield the statements that `load` would run, values written in.

        Those that add or widen a column depend on what the database has, so it is asked.
        """
        _check_lake(lake)
        with self._failures():
            yield from map(str, needed_changes(self._session))
        for rows in changes(ledger, changed):
            for statement in describe_change(lake.uri, Change(rows=rows), self._role):
                yield str(statement)

    def query(self, sql: str, *, at_most: int | None = None) -> Rows:
        """Return the first `at_most` rows of `sql` (None = all), in a transaction that only reads.

        Raises SettingsError when `sql` would do more than read.
        """
        is_select = check_reads(sql) in ("select", "with")

        def read() -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
            with self._session.transaction(read_only=True):
                self._session.run(_search_path(self.schemas.marts))
                if is_select and at_most is not None:
                    return self._session.read_first(sql, at_most)
                columns, rows = self._session.read(sql)
                return columns, rows[:at_most]

        try:
            columns, rows = _once_more(read)
        except DRIVER_ERRORS as error:
            told = message_of(error)
            if "read-only" in told or "read only" in told:
                raise SettingsError(f"`clickstream query` only reads: {told}") from error
            if is_denied(error):
                grant = missing_grant(error, to_read=True)
                raise SettingsError(f"the query failed: {told}: {grant}") from error
            raise ClickstreamError(f"the query failed: {told}") from error
        return Rows(columns=columns, rows=[tuple(map(_in_utc, row)) for row in rows])

    def relations(self) -> list[str]:
        """Return the tables and views of the target's schemas, those of the marts without one."""
        with self._failures():
            found = self._rows(Statement(_RELATIONS, self.schemas.all))
        order = self.schemas.all
        return [
            name if schema == self.schemas.marts else f"{schema}.{name}"
            for schema, name in sorted(found, key=lambda row: (order.index(row[0]), row[1]))
        ]

    def columns(self, relation: str) -> list[Column]:
        """Return the columns of a table or view. ClickstreamError when there is none.

        The catalog does not know those of a late-binding view, but its answer has them.
        """
        if relation not in self.relations():
            raise ClickstreamError(f"there is no table or view {relation}")
        with self._failures(), self._session.transaction():
            self._session.run(_search_path(self.schemas.marts))
            return [
                Column(name, kind)
                for name, kind in self._session.described(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608
            ]

    def cancel(self) -> None:
        """Stop the query that another thread is running, which raises ClickstreamError there."""
        with self._failures():
            self._session.cancel()

    def exists(self, relation: str) -> bool:
        """Return whether there is a table or view `relation`, written `schema.name`."""
        schema, name = relation.split(".")
        with self._failures():
            return bool(
                self._rows(
                    Statement(
                        "SELECT 1 FROM pg_catalog.pg_class AS c"
                        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
                        " WHERE n.nspname = %s AND c.relname = %s",
                        (schema, name),
                    )
                )
            )

    def store_keys(self, keys: Keys) -> None:
        """Replace the row of the table. Not a view: every user may read how a view is made."""
        with self._failures(), self._session.transaction():
            for statement in key_statements(keys):
                self._session.run(statement)

    def repair(self) -> None:
        """Do nothing: a killed dbt build leaves no half of a table in a database."""

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def _noted(self, statement: Statement) -> list[tuple[Any, ...]]:
        with self._failures():
            return self._rows(statement)

    def _rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """Run what may run twice: a connection that was idle too long is found lost only then."""

        def run() -> list[tuple[Any, ...]]:
            with self._session.transaction():
                return self._session.run(statement)

        return _once_more(run)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except DRIVER_ERRORS as error:
            lost = "the connection was lost: " if is_lost(error) else ""
            told = f"{self._session.place.name}: {lost}{message_of(error)}"
            if is_denied(error):
                raise SettingsError(f"{told}: {missing_grant(error)}") from error
            raise ClickstreamError(told) from error


def _once_more(run: Callable[[], Result]) -> Result:
    """Run it again, once, where the connection was lost."""
    try:
        return run()
    except DRIVER_ERRORS as error:
        if not is_lost(error):
            raise
    return run()


def _check_lake(lake: Storage) -> None:
    if not lake.uri.startswith("s3://"):
        raise SettingsError(
            f"the lake {lake.uri} is not in S3, from where Redshift reads it: set"
            " CLICKSTREAM_LAKE / lake.uri to s3://bucket/prefix and ingest again"
        )


def _search_path(schema: str) -> Statement:
    return Statement(f'SET LOCAL search_path TO "{schema}"')


def _in_utc(value: Any) -> Any:
    """Return `value`; a time without a zone is in UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value
