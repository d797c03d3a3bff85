"""Redshift's own tables about COPY, which a rollback does not touch."""

from __future__ import annotations

from pathlib import Path

from redshift.backend import Backend, literal
from redshift.copy_command import CopyCommand
from redshift.copy_load import Loaded
from redshift.refusal import CopyRefused

_ABOUT = "nextval('standin_query'), to_regclass({relation}), localtimestamp"


class LoadLog:
    """Writes about the loads of one connection, over another connection to its database."""

    def __init__(self, socket: Path, database: str, *, session_id: int) -> None:
        self._socket = socket
        self._database = database
        self._session_id = session_id

    async def refused(self, command: CopyCommand, refusal: CopyRefused) -> None:
        """Write the row that sys_load_error_detail and stl_load_errors show."""
        column = refusal.column
        about = (None, None, None) if column is None else (column.name, column.type, column.width)
        what = (refusal.code, refusal.context[:512])
        await self._insert("standin_load_error", command, refusal.file, *about, *what)

    async def loaded(self, command: CopyCommand, loaded: Loaded) -> None:
        """Write the rows that sys_load_detail shows."""
        for name, rows in loaded.files:
            await self._insert("standin_load", command, name, rows)

    async def _insert(self, table: str, command: CopyCommand, *values: object) -> None:
        backend = await Backend.open(self._socket, {"database": self._database})
        try:
            listed = ", ".join(literal(value) for value in (self._session_id, *values))
            about = _ABOUT.format(relation=literal(command.relation))
            await backend.query(f"insert into pg_catalog.{table} values ({about}, {listed})")  # noqa: S608
        finally:
            await backend.close()
