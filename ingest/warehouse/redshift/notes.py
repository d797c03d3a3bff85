"""Notes about the tables, in the database itself: whoever drops it takes them along.

Each is a view beside the pre-aggregates, where dbt has its own note of this kind: a view is
replaced in one step, and every target, with a schema of its own, has its own notes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingest.errors import ObjectUnreadable
from ingest.warehouse.redshift.statements import Statement, literal

# Bytes. A note is a few hashes.
_WIDTH = 4096


class ViewNotes:
    """Notes in views of `schema`. `run` runs statements in one transaction, and returns rows."""

    def __init__(self, schema: str, run: Callable[[Statement], list[tuple[Any, ...]]]) -> None:
        self._schema = schema
        self._run = run

    def read(self, key: str) -> bytes:
        """Return the note `key`; raises ObjectUnreadable when there is none."""
        there = Statement(
            "SELECT 1 FROM pg_catalog.pg_views WHERE schemaname = %s AND viewname = %s",
            (self._schema, _view(key)),
        )
        if not self._run(there):
            raise ObjectUnreadable(f"{self._schema}.{_view(key)}: not there")
        ((content,),) = self._run(Statement(f"SELECT content FROM {self._relation(key)}"))  # noqa: S608
        return str(content).encode()

    def put(self, key: str, data: bytes) -> None:
        """Write the note `key`, replacing what was there."""
        self._run(Statement(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"'))
        # A view takes no bound values.
        content = literal(data.decode())
        self._run(
            Statement(
                f"CREATE OR REPLACE VIEW {self._relation(key)} AS"
                f" SELECT CAST({content} AS VARCHAR({_WIDTH})) AS content"
            )
        )

    def _relation(self, key: str) -> str:
        return f'"{self._schema}".{_view(key)}'


def _view(key: str) -> str:
    return f"note_{key}"
