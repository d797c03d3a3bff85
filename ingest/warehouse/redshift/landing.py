"""The landing tables: created from the contract, and brought up to it when it has grown."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator

from ingest.contract import BATCHES, TABLES, Column, Table, Type
from ingest.errors import ClickstreamError, SettingsError
from ingest.render import redshift_ddl, redshift_type
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import DATA, LEDGER, SCHEMA, Statement, forget, lock

_log = logging.getLogger(__name__)
_COLUMNS = Statement(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
    " FROM pg_catalog.pg_class AS c"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid"
    " WHERE n.nspname = %s AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY c.relname, a.attnum",
    (SCHEMA,),
)
_WIDTH = re.compile(r"character varying\((\d+)\)")


def prepare_tables(session: Session, *, all_again: bool) -> None:
    """Create what is missing, add new columns, widen texts.

    A lost table is created again with an empty ledger, since `all_again` promises that every batch
    is loaded next; without that promise it is an error. Raises SettingsError for a column that the
    contract does not know or of another type: a newer clickstream, or somebody by hand, made the
    table.
    """
    found = landing_tables(session)
    if lost_tables(found):
        _restore(session, all_again=all_again)
        found = landing_tables(session)
    for statement in _differences(found):
        # One by one: Redshift widens a column outside of transactions with other statements only.
        with session.transaction():
            session.run(statement)


def needed_changes(session: Session) -> list[Statement]:
    """Return what `prepare_tables` would run; it raises the same."""
    found = landing_tables(session)
    restoring = _restoring(found)
    if restoring:
        restoring = [Statement("BEGIN"), lock(), *restoring, Statement("COMMIT")]
    return [*restoring, *_differences(found)]


def lost_tables(found: Collection[str]) -> tuple[Table, ...]:
    """Return the tables of data that are not among `found`, those of the schema `landing`.

    None before the first load, which creates the ledger last.
    """
    if BATCHES.name not in found:
        return ()
    return tuple(table for table in DATA if table.name not in found)


def _restore(session: Session, *, all_again: bool) -> None:
    """Create lost tables and empty the ledger at once: none is ever empty below a full ledger."""
    with session.transaction():
        session.run(lock())  # another loader may be doing it
        found = _tables(session)
        names = ", ".join(f"{SCHEMA}.{table.name}" for table in lost_tables(found))
        if names and not all_again:
            raise ClickstreamError(f"{names} was dropped meanwhile: run the command again")
        for statement in _restoring(found):
            session.run(statement)
    if names:
        _log.warning("%s was dropped: %s is emptied, all batches are loaded again", names, LEDGER)


def _restoring(found: Collection[str]) -> list[Statement]:
    lost = lost_tables(found)
    return [*(Statement(redshift_ddl(table)) for table in lost), forget()] if lost else []


def landing_tables(session: Session) -> dict[str, dict[str, str]]:
    """Return table -> column -> type, as the database writes it, of the schema `landing`."""
    with session.transaction():
        return _tables(session)


def _tables(session: Session) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in session.run(_COLUMNS):
        found.setdefault(table, {})[column] = kind
    return found


def _differences(found: dict[str, dict[str, str]]) -> Iterator[Statement]:
    if not found:
        yield Statement(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    lost = lost_tables(found)
    for table in TABLES:
        if table.name in found:
            yield from _changes(table, found[table.name])
        elif table not in lost:
            yield Statement(redshift_ddl(table))


def _changes(table: Table, found: dict[str, str]) -> Iterator[Statement]:
    if unknown := sorted(found.keys() - set(table.names)):
        raise SettingsError(
            f"{SCHEMA}.{table.name} has columns that this clickstream does not know:"
            f" {', '.join(unknown)}; use the newer one that added them, or drop them"
        )
    for column in table.columns:
        if column.name not in found:
            yield _add(table, column)
        elif statement := _retype(table, column, found[column.name]):
            yield statement


def _add(table: Table, column: Column) -> Statement:
    kind = redshift_type(column)
    return Statement(f"ALTER TABLE {SCHEMA}.{table.name} ADD COLUMN {column.name} {kind}")


def _retype(table: Table, column: Column, found: str) -> Statement | None:
    """Return what widens a text, None when the type is right.

    Raises SettingsError for any other difference.
    """
    if column.type is Type.STRING and (match := _WIDTH.fullmatch(found)):
        if int(match[1]) >= (column.width or 0):
            return None
        kind = redshift_type(column)
        name = f"{SCHEMA}.{table.name}"
        return Statement(f"ALTER TABLE {name} ALTER COLUMN {column.name} TYPE {kind}")
    if found != _SPELLINGS[column.type]:
        raise SettingsError(
            f"{SCHEMA}.{table.name}.{column.name} is {found}, but this clickstream needs"
            f" {redshift_type(column)}: rename the table, and load again"
        )
    return None


# How the catalog spells the types.
_SPELLINGS = {
    Type.STRING: "character varying",
    Type.INT: "integer",
    Type.BIGINT: "bigint",
    Type.DOUBLE: "double precision",
    Type.TIMESTAMP: "timestamp without time zone",
    Type.DATE: "date",
    Type.BOOLEAN: "boolean",
}
