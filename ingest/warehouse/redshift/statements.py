"""The statements of one load, as text with bound values: what is run and what a dry run prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingest.contract import BATCHES, EVENTS, FILES, REJECTS, Table
from ingest.errors import SettingsError
from ingest.pseudonyms import KEYS_TABLE, Keys

SCHEMA = "landing"
# The tables that a batch has files for.
DATA = (EVENTS, REJECTS, FILES)
LEDGER = f"{SCHEMA}.{BATCHES.name}"
_URI = re.compile(r"s3://[A-Za-z0-9._/=-]+")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+|default")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with a `%s` for each of `values`."""

    sql: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        """Return the statement with its values written in, for people."""
        return self.sql % tuple(map(literal, self.values)) + ";"


def lock() -> Statement:
    """Loaders wait here for one another; the next statement sees what the one before committed."""
    return Statement(f"LOCK TABLE {LEDGER}")


def forget() -> Statement:
    """Empty the ledger. Not TRUNCATE, which commits."""
    return Statement(f"DELETE FROM {LEDGER}")  # noqa: S608


def key_statements(keys: Keys) -> Iterator[Statement]:
    """Yield what replaces the keys of pseudonyms by `keys`."""
    table = f"{SCHEMA}.{KEYS_TABLE}"
    yield Statement(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    yield Statement(
        f"CREATE TABLE IF NOT EXISTS {table} (inner_key VARCHAR(64), outer_key VARCHAR(64))"
    )
    yield Statement(f"DELETE FROM {table}")  # noqa: S608
    yield Statement(f"INSERT INTO {table} VALUES (%s, %s)", (keys.inner, keys.outer))  # noqa: S608


def states(batch_ids: Sequence[str]) -> Statement:
    """Ask for (batch_id, state, manifest_hash, loaded_at) of those that the ledger has."""
    marks = _marks(batch_ids)
    return Statement(
        f"SELECT batch_id, state, manifest_hash, loaded_at FROM {LEDGER}"  # noqa: S608
        f" WHERE batch_id IN ({marks})",
        tuple(batch_ids),
    )


def delete(table: Table, batch_ids: Sequence[str]) -> Statement:
    """Remove the rows of these batches."""
    return Statement(
        f"DELETE FROM {SCHEMA}.{table.name} WHERE batch_id IN ({_marks(batch_ids)})",  # noqa: S608
        tuple(batch_ids),
    )


def copy(table: Table, columns: Sequence[str], manifest: str, role: str) -> Statement:
    """Load all files of a manifest. `columns` are those of the files, in their order.

    COPY takes no bound values. Raises SettingsError for a place or a role that cannot be written
    between quotes.
    """
    if not _URI.fullmatch(manifest):
        raise SettingsError(
            f"the lake has a name that COPY cannot read, {manifest}: it must be s3://bucket/prefix,"
            " of letters, digits and . _ / = -"
        )
    if not _ROLE.fullmatch(role):
        raise SettingsError(
            f"REDSHIFT_COPY_ROLE_ARN {role}: must be arn:aws:iam::<12 digits>:role/<name>, or"
            " default"
        )
    iam = "default" if role == "default" else f"'{role}'"
    return Statement(
        f"COPY {SCHEMA}.{table.name} ({', '.join(columns)}) FROM '{manifest}'"
        f" IAM_ROLE {iam} FORMAT AS PARQUET MANIFEST"
    )


def copied() -> Statement:
    """Ask how many rows the last COPY loaded; what the driver says of it is -1."""
    return Statement("SELECT pg_last_copy_count()")


def found(table: Table, batch_id: str) -> Statement:
    """Ask for (rows, first time, last time) of a batch; the times are null outside of events."""
    times = "min(event_time), max(event_time)" if table is EVENTS else "null, null"
    return Statement(
        f"SELECT count(*), {times} FROM {SCHEMA}.{table.name} WHERE batch_id = %s",  # noqa: S608
        (batch_id,),
    )


def insert_ledger(rows: Iterable[Sequence[Any]]) -> Statement:
    """Write rows of the ledger, each with the columns of the contract in order."""
    listed = list(rows)
    columns, marks = ", ".join(BATCHES.names), f"({_marks(BATCHES.columns)})"
    return Statement(
        f"INSERT INTO {LEDGER} ({columns}) VALUES {', '.join([marks] * len(listed))}",  # noqa: S608
        tuple(value for values in listed for value in values),
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("%s" for _ in values)


def literal(value: Any) -> str:
    """Return a bound value as SQL, for people and for what takes no bound values.

    A backslash is written as its code: in a text Redshift takes it for an escape, PostgreSQL not.
    """
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
    return "'" + text.replace("'", "''").replace("\\", "' || chr(92) || '") + "'"
