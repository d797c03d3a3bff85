"""A session with Redshift: transactions, queries, and what becomes of a lost connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ingest.errors import ClickstreamError
from ingest.warehouse.redshift.faults import DRIVER_ERRORS, is_lost, unsigned
from ingest.warehouse.redshift.place import Place, open_connection
from ingest.warehouse.redshift.statements import Statement

# Rows at once: what a cluster of a single node allows.
_FETCHED = 1_000
_CURSOR = "clickstream_query"


class Session:
    """One connection at a time; it is opened when it is needed, and again when it was lost."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._connection: Any = None
        self._pid: int | None = None
        self._using = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The id of the session in the database, None before the first connection."""
        return self._pid

    def run(self, statement: Statement) -> list[tuple[Any, ...]]:
        """Run one statement in the transaction that is open, or opens with it; return its rows."""
        cursor = self._connected().cursor()
        cursor.execute(statement.sql, statement.values or None)
        return [] if cursor.description is None else [tuple(row) for row in cursor.fetchall()]

    def read(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Run one query as it is, no `%` in it meant for us; return its columns and rows."""
        cursor = self._connected().cursor()
        cursor.execute(sql)
        columns = tuple(_text(column[0]) for column in cursor.description or ())
        return columns, [tuple(row) for row in cursor.fetchall()] if columns else []

    def read_first(self, sql: str, at_most: int) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return the columns and the first `at_most` rows of a SELECT; no others are sent.

        The driver's fetchmany takes in the whole answer first, and Redshift heeds no limit of the
        protocol: its documentation has cursors for that.
        """
        self.run(Statement(f"DECLARE {_CURSOR} CURSOR FOR {sql}"))
        rows: list[tuple[Any, ...]] = []
        while True:
            asked = min(_FETCHED, at_most - len(rows))
            columns, found = self.read(f"FETCH FORWARD {asked} FROM {_CURSOR}")
            rows += found
            if len(found) < asked or len(rows) == at_most:
                return columns, rows

    def described(self, sql: str) -> list[tuple[str, str]]:
        """Run a query; return name and type of its columns, as the database calls the types."""
        cursor = self._connected().cursor()
        cursor.execute(sql)
        columns = [(_text(column[0]), int(column[1])) for column in cursor.description or ()]
        names = dict(self.run(Statement("SELECT oid, typname FROM pg_catalog.pg_type")))
        return [(name, str(names.get(kind, "unknown"))) for name, kind in columns]

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator[None]:
        """Commit what the block runs, or nothing of it.

        `read_only` refuses to write, and takes back what a query may change all the same: settings.
        A connection that was lost is forgotten, so that the next transaction opens another one.
        """
        with self._using:
            try:
                if read_only:
                    self._begin_read_only()
                yield
                if read_only:
                    self._connected().rollback()
                else:
                    self._connected().commit()
            except BaseException as error:
                _leave_out_details(error)
                self._undo(error)
                raise

    def cancel(self) -> None:
        """End what another thread is running, over a connection of its own."""
        if self._pid is None:
            return
        with Session(self.place) as other, other.transaction():
            other.run(Statement("SELECT pg_cancel_backend(%s)", (self._pid,)))

    def close(self) -> None:
        """End the connection; an open transaction is rolled back by the server."""
        if self._connection is not None:
            with suppress(*DRIVER_ERRORS):
                self._connection.close()
        self._connection = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _undo(self, error: BaseException) -> None:
        if self._connection is None:
            return
        if not isinstance(error, Exception):  # an interruption, while the server still works
            with suppress(ClickstreamError, *DRIVER_ERRORS):
                self.cancel()
            self.close()
            return
        try:
            self._connection.rollback()
        except DRIVER_ERRORS:
            self.close()
        if is_lost(error):
            self.close()

    def _begin_read_only(self) -> None:
        # The driver begins a transaction that may write, unless there is one.
        connection = self._connected()
        connection.autocommit = True
        try:
            connection.cursor().execute("BEGIN READ ONLY")
        finally:
            connection.autocommit = False

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = open_connection(self.place, again=self._pid is not None)
            cursor = self._connection.cursor()
            cursor.execute("SELECT pg_backend_pid()")
            self._pid = int(cursor.fetchone()[0])
            # The snapshot of the first transaction is not to be older than its own first statement.
            self._connection.commit()
        return self._connection


def _leave_out_details(error: BaseException) -> None:
    """Keep of an error of the server what may be logged: its detail may hold a row."""
    if isinstance(told := next(iter(error.args), None), dict):
        error.args = (
            {name: unsigned(str(told[name])) for name in ("S", "C", "M") if name in told},
        )


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
