"""Hop 4 on Spark: sealed batches become visible in the landing tables, all at once or not at all.

Spark has no transaction over tables. So partitions are added and proved first, while no reader
looks at them; then one metastore call points `landing.batches` at a new ledger, and what that
ledger calls live is what every reader takes. A crash anywhere is repaired by running again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from ingest.contract import BATCHES, CONTRACT_VERSION, EVENTS
from ingest.errors import SettingsError
from ingest.lake.parquet import ParquetSink, open_parquet
from ingest.lake.records import BatchRecord, read_log
from ingest.render import spark_ddl
from ingest.settings import Settings
from ingest.storage import Storage, open_storage
from ingest.warehouse.ledger import (
    LIVE,
    QUARANTINED,
    REPLACED,
    LedgerRow,
    manifest_hash,
    quarantined_batches,
    states,
    to_arrow,
)
from ingest.warehouse.spark.landing import (
    SCHEMA,
    add_partitions,
    create_tables,
    drop_partitions,
    location,
    prove,
    quoted,
)

_FILE = "batches.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSummary:
    """What one load did. `loaded`, `replaced` and `quarantined` are batch ids.

    `loaded` and `replaced` changed in this load, with `events` rows that came; `quarantined` are
    all that wait for somebody's decision; `live` is the number of batches that readers now see.
    """

    loaded: tuple[str, ...]
    replaced: tuple[str, ...]
    quarantined: tuple[str, ...]
    live: int
    events: int
    seconds: float

    @property
    def nothing_new(self) -> bool:
        """Whether readers see exactly what they saw before."""
        return not (self.loaded or self.replaced)

    @property
    def exit_code(self) -> int:
        """3 while batches are quarantined: nothing failed, but their events are in no table."""
        return 3 if self.quarantined else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """A row of the ledger as it was before this load."""

    state: str
    replaced_by: str | None
    manifest_hash: str | None
    loaded_at: datetime


def load(settings: Settings, session: SparkSession, *, accept: Sequence[str] = ()) -> LoadSummary:
    """Bring the landing tables to the state of the log; `accept` names quarantined batches.

    Batches over the reject limit of their source are left out and are in the summary. Raises
    SettingsError when the tables belong to another lake or a newer clickstream wrote a batch, and
    BooksError when Spark does not find what a record says; then nothing has changed for readers.
    """
    started = time.monotonic()
    lake = open_storage(settings.lake)
    records = read_log(lake)
    _check_versions(records)
    create_tables(session, lake.uri)
    ledger = _Ledger(session, settings.data / "warehouse" / "_loads")
    shown = ledger.read()
    if shown is None:
        _check_parted(session, settings.data / "warehouse")
    past = shown or {}
    _check_lake(settings, session, lake, past, records)
    entries = _entries(settings, records, past, accept=accept)
    loaded = [entry.record for entry in entries if entry.state == LIVE and _is_news(entry, past)]
    add_partitions(session, lake.uri, loaded)
    prove(session, loaded)
    if shown is None or any(_is_news(entry, past) for entry in entries):
        ledger.switch(entries)
    drop_partitions(session, _ids(entries, REPLACED))
    return LoadSummary(
        loaded=tuple(record.batch_id for record in loaded),
        replaced=_ids((entry for entry in entries if _is_news(entry, past)), REPLACED),
        quarantined=_ids(entries, QUARANTINED),
        live=len(_ids(entries, LIVE)),
        events=sum(record.totals.events for record in loaded),
        seconds=time.monotonic() - started,
    )


def _check_parted(session: SparkSession, warehouse: Path) -> None:
    """Raise SettingsError when tables lie in `warehouse` that the metastore does not know.

    Spark would refuse to make them anew, one after the other, in words about locations.
    """
    for folder in warehouse.glob("*.db/*"):
        schema = folder.parent.name.removesuffix(".db")
        if any(folder.glob("*")) and not session.catalog.tableExists(f"{schema}.{folder.name}"):
            raise SettingsError(
                f"{folder} is there, but the metastore does not know it: delete the metastore and "
                "the warehouse folder together and run again; both are rebuilt from the lake."
            )


def _ids(entries: Iterable[LedgerRow], state: str) -> tuple[str, ...]:
    return tuple(entry.record.batch_id for entry in entries if entry.state == state)


def _is_news(entry: LedgerRow, past: Mapping[str, _Past]) -> bool:
    known = past.get(entry.record.batch_id)
    return known is None or (known.state, known.replaced_by) != (entry.state, entry.replaced_by)


def _entries(
    settings: Settings,
    records: Sequence[BatchRecord],
    past: Mapping[str, _Past],
    *,
    accept: Sequence[str],
) -> tuple[LedgerRow, ...]:
    """Return the ledger as it must be after this load, in number order."""
    accepted = {batch_id for batch_id, row in past.items() if row.state == LIVE}
    quarantined = quarantined_batches(settings, records, accept=accept, accepted=accepted)
    state = states(records, quarantined=quarantined)
    now = datetime.now(UTC)
    return tuple(_entry(record, state[record.batch_id], past, now) for record in records)


def _entry(
    record: BatchRecord,
    state: tuple[str, str | None],
    past: Mapping[str, _Past],
    now: datetime,
) -> LedgerRow:
    known = past.get(record.batch_id)
    was_loaded = known is not None and known.manifest_hash is not None
    entry = LedgerRow(
        record=record,
        state=state[0],
        replaced_by=state[1],
        manifest_hash=manifest_hash(record) if state[0] == LIVE or was_loaded else None,
        loaded_at=now,
    )
    if known is None or _is_news(entry, past):
        return entry
    return replace(entry, loaded_at=known.loaded_at)


def _check_versions(records: Sequence[BatchRecord]) -> None:
    newest = max((record.contract_version for record in records), default=0)
    if newest > CONTRACT_VERSION:
        raise SettingsError(
            f"The lake holds batches of contract version {newest}, this clickstream knows "
            f"{CONTRACT_VERSION}: use a newer one."
        )


def _check_lake(
    settings: Settings,
    session: SparkSession,
    lake: Storage,
    past: Mapping[str, _Past],
    records: Sequence[BatchRecord],
) -> None:
    """Raise SettingsError when the tables were loaded from another lake, or this one was moved."""
    hashes = {record.batch_id: manifest_hash(record) for record in records}
    strange = [
        batch_id
        for batch_id, row in past.items()
        if row.manifest_hash not in (None, hashes.get(batch_id))
    ]
    if strange or location(session, EVENTS.name) != f"{lake.uri}/none":
        raise SettingsError(
            f"The warehouse in {settings.data} was loaded from another lake than {lake.uri}, or "
            f"the lake was moved. Set CLICKSTREAM_DATA to a folder of its own, or delete "
            f"{settings.data}/metastore and {settings.data}/warehouse and run again: both are "
            "rebuilt from the lake."
        )


class _Ledger:
    """The numbered folders that `landing.batches` points at, the newest one at a time."""

    def __init__(self, session: SparkSession, folder: Path) -> None:
        self._session = session
        self._folder = folder
        self._storage = open_storage(str(folder))

    def read(self) -> dict[str, _Past] | None:
        """Return the rows that readers see now by batch id; None before the first load.

        Raises SettingsError when the warehouse was deleted and its metastore was not.
        """
        where = location(self._session, BATCHES.name)
        if where is None:
            return None
        path = self._folder / Path(where).name / _FILE
        if not path.is_file():
            raise SettingsError(
                f"{path} is gone, but the metastore speaks of it: delete the metastore and the "
                "warehouse folder together and run again; both are rebuilt from the lake."
            )
        table = open_parquet(path).read()
        columns = ["batch_id", "state", "replaced_by", "manifest_hash", "loaded_at"]
        return {row.pop("batch_id"): _Past(**row) for row in table.select(columns).to_pylist()}

    def switch(self, entries: Sequence[LedgerRow]) -> None:
        """Write the ledger under the next number and let `landing.batches` point at it."""
        rows = self._bytes(entries)
        number = self._last() + 1
        while not self._storage.put_if_absent(f"{number:020}/{_FILE}", rows):
            number += 1
        where = quoted(f"{self._storage.uri}/{number:020}")
        self._session.sql(spark_ddl(BATCHES).replace("{location}", where))
        self._session.sql(f"ALTER TABLE {SCHEMA}.{BATCHES.name} SET LOCATION '{where}'")
        self._session.catalog.refreshTable(f"{SCHEMA}.{BATCHES.name}")

    def _last(self) -> int:
        """Return the highest number there is; crashed loads leave some that nobody points at."""
        return max((int(entry.key.split("/")[0]) for entry in self._storage.list()), default=0)

    def _bytes(self, entries: Sequence[LedgerRow]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _FILE
            with ParquetSink(path, BATCHES) as sink:
                sink.write(to_arrow(entries))
                sink.close()
            return path.read_bytes()
