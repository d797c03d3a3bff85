"""The `Warehouse` on Spark.

Spark has no transactions over tables. So partitions are added and proved first, while no reader
looks at them; then one metastore call points `landing.batches` at a new ledger, and every reader
takes what that ledger calls live. Running again repairs what a crash left at any point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingest.contract import BATCHES, EVENTS
from ingest.errors import SettingsError
from ingest.lake.states import LIVE, REPLACED
from ingest.pseudonyms import Keys
from ingest.settings import Settings
from ingest.spark.failure import spark_failure
from ingest.spark.session import warehouse_session
from ingest.spark.temporary import forget_resources
from ingest.storage import Storage, open_storage
from ingest.terminal.text import count_of
from ingest.warehouse import Column, Rows, Schemas
from ingest.warehouse.ledger import Ledger, LedgerRow
from ingest.warehouse.spark.catalog import columns, relations
from ingest.warehouse.spark.cleanup import remove_incomplete
from ingest.warehouse.spark.folders import is_empty, subfolders
from ingest.warehouse.spark.landing import (
    SCHEMA,
    add_partitions,
    create_tables,
    drop_partitions,
    location,
    point_batches_at,
    prove,
    store_keys,
)
from ingest.warehouse.spark.ledger import LedgerFolders, local_ledgers, shared_ledgers
from ingest.warehouse.spark.query import query
from ingest.warehouse.target import Target


def open_spark(settings: Settings, target: Target) -> SparkWarehouse:
    """Return the warehouse of a Spark target; its session is this process's own.

    Raises SettingsError when its tables point into another lake: it was copied, or the lake moved.
    """
    session = warehouse_session(target.parameters, settings.data)
    ledgers = local_ledgers(settings) if target.is_local else shared_ledgers(settings)
    schemas = Schemas(marts=target.schema, landing=SCHEMA)
    found = SparkWarehouse(session, schemas, ledgers, data=settings.data)
    try:
        found.check_lake(open_storage(settings.lake).uri)
    except BaseException:
        found.close()
        raise
    return found


class SparkWarehouse:
    """A Spark session with its metastore and the ledgers of what is in its tables.

    `data` is the folder of everything local.
    """

    def __init__(
        self, session: SparkSession, schemas: Schemas, ledgers: LedgerFolders, *, data: Path
    ) -> None:
        self.schemas = schemas
        self.notes = ledgers.storage
        self._session = session
        self._ledgers = ledgers
        self._data = data

    def ledger(self) -> Ledger:
        """Return which batches readers see now; empty before the first load.

        Raises SettingsError when the warehouse was deleted without its metastore.
        """
        with self._failures():
            place = location(self._session, BATCHES.name)
        if place is None:
            return Ledger(version="", batches={})
        return Ledger(version=place, batches=self._ledgers.read(Path(place).name))

    def load(
        self, lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Sequence[LedgerRow]:
        """Add and prove the partitions of `changed`, switch to `ledger`, drop what was replaced."""
        with self._failures():
            shown = location(self._session, BATCHES.name)
            if shown is None:
                self._check_metastore()
            create_tables(self._session, lake.uri)
            self.check_lake(lake.uri)
            loaded = [row.record for row in changed if row.state == LIVE]
            add_partitions(self._session, lake.uri, loaded)
            prove(self._session, loaded)
            if shown is None or changed:
                shown = self._ledgers.write(ledger)
                point_batches_at(self._session, shown)
            self._ledgers.note_shown(Path(shown).name)
            replaced = [row.record.batch_id for row in ledger if row.state == REPLACED]
            drop_partitions(self._session, replaced)
        return changed

    def describe(
        self, lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Iterator[str]:
        """Yield the steps in words: most of them are calls of the metastore, not SQL."""
        self.check_lake(lake.uri)
        for row in changed:
            yield f"batch {row.record.number} ({row.record.batch_id[:6]}): {_step(row)}"
        if changed:
            shown = count_of(len(ledger), "batch", "batches")
            yield f"point landing.batches at a new ledger of {shown}"

    def query(self, sql: str, *, at_most: int | None = None) -> Rows:
        """Return the first `at_most` rows of `sql` (None = all), marts as the current schema."""
        with self._failures():
            return query(self._session, self.schemas.marts, sql, at_most=at_most)

    def relations(self) -> list[str]:
        """Return the tables and views of the target's schemas, those of the marts without one."""
        with self._failures():
            return relations(self._session, self.schemas)

    def columns(self, relation: str) -> list[Column]:
        """Return the columns of a table or view. ClickstreamError when there is none."""
        with self._failures():
            return columns(self._session, self.schemas.marts, relation)

    def cancel(self) -> None:
        """Stop the query that another thread is running, which raises ClickstreamError there."""
        with self._failures():
            self._session.sparkContext.cancelAllJobs()

    def exists(self, relation: str) -> bool:
        """Return whether there is a table or view `relation`, written `schema.name`."""
        with self._failures():
            return bool(self._session.catalog.tableExists(relation))

    def store_keys(self, keys: Keys) -> None:
        """Replace the view that shows them: a metastore has no other readers than its tables."""
        with self._failures():
            store_keys(self._session, keys)

    def repair(self) -> None:
        """Remove incomplete tables, which dbt could not build again."""
        with self._failures():
            remove_incomplete(self._session, self.schemas)

    def close(self) -> None:
        """Stop the session; the JVM ends with this process."""
        # A JVM that has died has nothing left to stop.
        with suppress(PySparkException, Py4JError, OSError):
            self._session.stop()
        forget_resources(self._data)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (PySparkException, Py4JError) as error:
            raise spark_failure(error, self._data) from error

    def _check_metastore(self) -> None:
        """Raise SettingsError when the warehouse has tables that the metastore does not know.

        Spark would refuse to create each of them, with a message about its location only.
        """
        warehouse = self._session.conf.get("spark.sql.warehouse.dir")
        for schema in self.schemas.all:
            for name, folder in subfolders(self._session, f"{warehouse}/{schema}.db").items():
                known = self._session.catalog.tableExists(f"{schema}.{name}")
                if not known and not is_empty(self._session, folder):
                    raise SettingsError(
                        f"{folder} exists, but the metastore does not know it:"
                        f" {self._ledgers.remedy}"
                    )

    def check_lake(self, lake: str) -> None:
        """Raise SettingsError when there are tables, and they point into another lake."""
        with self._failures():
            place = location(self._session, EVENTS.name)
        if place not in (None, f"{lake}/none"):
            raise SettingsError(
                f"the warehouse was loaded from another lake than {lake}; or one of them was moved"
                " or copied, and the metastore refers to the old place: use another warehouse (the"
                f" local one is in CLICKSTREAM_DATA), or {self._ledgers.remedy}"
            )


def _step(row: LedgerRow) -> str:
    """Return what a load does with the files of a batch."""
    if row.state == LIVE:
        events = count_of(row.record.totals.events, "event")
        return f"add its partitions ({events}), compare rows and times with the batch record"
    if row.state == REPLACED:
        return "replaced: drop its partitions after the switch"
    return "quarantined: load none of its files"
