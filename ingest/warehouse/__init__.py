"""Hops 4 and 5 on the engine of the dbt target: sealed batches into landing, then the marts.

`Warehouse` is all that hops and commands need of an engine. Spark implements it in
`ingest.warehouse.spark`; another engine is one more folder beside it and a few lines below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ingest.errors import SettingsError
from ingest.pseudonyms import Keys
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.warehouse.ledger import Ledger, LedgerRow, LoadedBatch
from ingest.warehouse.remembered import remembered_target
from ingest.warehouse.target import engine_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """The names of a target's schemas: `marts` comes from profiles.yml, dbt derives the rest."""

    marts: str
    landing: str = "landing"

    @property
    def all(self) -> tuple[str, ...]:
        """Every schema, the one of the marts first."""
        return (self.marts, self.landing, self.staging, self.intermediate, self.seeds)

    @property
    def staging(self) -> str:
        """The schema of the `stg_` views."""
        return f"{self.marts}_staging"

    @property
    def intermediate(self) -> str:
        """The schema of the pre-aggregates."""
        return f"{self.marts}_intermediate"

    @property
    def seeds(self) -> str:
        """The schema of the seeds."""
        return f"{self.marts}_seeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The answer to a query. Times are datetimes in UTC, whatever the machine's zone is."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Column(NamedTuple):
    """A column of a table or view, and its type as the engine writes it."""

    name: str
    type: str


class Notes(Protocol):
    """Texts by name that last as long as the tables of a target."""

    def read(self, key: str) -> bytes:
        """Return the note `key`; raises ObjectUnreadable when there is none."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write the note `key`, replacing what was there."""
        ...


class Warehouse(Protocol):
    """An open engine. Every call raises ClickstreamError when the engine fails."""

    @property
    def schemas(self) -> Schemas:
        """The names of the target's schemas."""
        ...

    @property
    def notes(self) -> Notes:
        """Where notes about the tables are kept, as long as they are."""
        ...

    def ledger(self) -> Ledger:
        """Return which batches readers see now; empty before the first load."""
        ...

    def load(
        self, lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Sequence[LedgerRow]:
        """Let readers see `ledger`: one row for each batch of `lake`, in number order.

        `changed` are those of its rows that readers do not see yet. A live one appears with all its
        events, rejects and files at the moment when what it replaces disappears. What a crash left
        unfinished is completed, so this is called even when nothing changed. Returns those of
        `changed` that this call wrote: another loader may have been first.

        Raises BooksError when the loaded rows, or their first and last time, are not those of the
        record, SettingsError when the tables belong to another lake. Readers see nothing of a batch
        that fails; an engine with transactions may have loaded the batches before it.
        """
        ...

    def describe(
        self, lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Iterator[str]:
        """Yield what `load` would do, a statement or a step each, without doing any of it."""
        ...

    def query(self, sql: str, *, at_most: int | None = None) -> Rows:
        """Return the first `at_most` rows of `sql` (None = all), marts as the current schema.

        Raises SettingsError when `sql` would change anything.
        """
        ...

    def relations(self) -> list[str]:
        """Return the tables and views of the target's schemas, as queries name them.

        Those of the marts come first and need no schema before their name.
        """
        ...

    def columns(self, relation: str) -> list[Column]:
        """Return the columns of a table or view. ClickstreamError when there is none."""
        ...

    def cancel(self) -> None:
        """Stop the query that another thread is running, which raises ClickstreamError there."""
        ...

    def exists(self, relation: str) -> bool:
        """Return whether there is a table or view `relation`, written `schema.name`."""
        ...

    def store_keys(self, keys: Keys) -> None:
        """Write `landing.pseudonym_keys`, which the views that hide clients look up.

        Whoever may read it may read landing, where the addresses are.
        """
        ...

    def repair(self) -> None:
        """Remove what a killed dbt build left behind and the next one would fail on."""
        ...

    def close(self) -> None:
        """Release the engine; no other call may follow."""
        ...


def open_warehouse(settings: Settings) -> Warehouse:
    """Return the engine of the dbt target that `settings` names, ready to use.

    Raises SettingsError when profiles.yml lacks the target or its engine is not one that this
    version loads into, WarehouseBusy when another process uses the local warehouse.
    """
    target = remembered_target(settings)
    if target.type == "spark":
        # Here, because pyspark is imported only where Spark is wanted.
        from ingest.warehouse.spark.warehouse import open_spark

        return open_spark(settings, target)
    if target.type == "redshift":
        from ingest.warehouse.redshift.warehouse import open_redshift

        return open_redshift(settings, target)
    raise SettingsError(
        f"target {target.name} is of type {target.type}, but this version loads into spark and "
        "redshift only: set CLICKSTREAM_TARGET=local"
    )


def is_on_spark(settings: Settings) -> bool:
    """Return whether the target's engine is Spark, or cannot be told, without importing dbt."""
    return engine_of(settings) in (None, "spark")


def shown_batches(settings: Settings) -> Mapping[str, LoadedBatch]:
    """Return what readers of the target see, by batch id, without starting Spark.

    Empty when nothing was loaded. Raises what `ledger` raises.
    """
    if is_on_spark(settings):
        from ingest.warehouse.spark.ledger import shown_ledger

        return shown_ledger(settings)
    with closing(open_warehouse(settings)) as warehouse:
        return warehouse.ledger().batches
