"""The ledger in files: numbered folders, of which `landing.batches` shows one at a time.

They lie beside the local warehouse, or in the lake where a cluster keeps the metastore, so that
each job finds them.

This needs no Spark, so `clickstream status` can tell without a JVM what readers see: the file
`shown` names the ledger that `landing.batches` was pointed at. A load writes it right after
the switch, and every load checks it. So it is out of date after a crash between the two, until the
next load; and it does not notice when somebody deletes the metastore alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ingest.contract import BATCHES
from ingest.errors import ObjectUnreadable, SettingsError
from ingest.lake.parquet import ParquetSink, open_parquet
from ingest.settings import Settings
from ingest.storage import Storage, open_storage
from ingest.warehouse.ledger import LedgerRow, LoadedBatch, to_arrow

_FILE = "batches.parquet"
_SHOWN = "shown"
_COLUMNS = ("batch_id", "state", "replaced_by", "manifest_hash", "loaded_at")


def local_ledgers(settings: Settings) -> LedgerFolders:
    """Return the ledgers of the local warehouse."""
    data = settings.data
    return LedgerFolders(
        open_storage(str(data / "warehouse" / "_loads")),
        remedy=f"delete {data}/metastore and {data}/warehouse together and run again; both are"
        " rebuilt from the lake",
    )


def shared_ledgers(settings: Settings) -> LedgerFolders:
    """Return the ledgers of a target whose metastore is a cluster's."""
    return LedgerFolders(
        open_storage(f"{settings.lake}/loads/{settings.target}"),
        remedy=f"drop the databases of target {settings.target} in its metastore, delete their"
        " folders and run again; all is rebuilt from the lake",
    )


def shown_ledger(settings: Settings) -> Mapping[str, LoadedBatch]:
    """Return what readers of the target see, by batch id; empty when nothing was loaded.

    Only a target with a shared metastore has ledgers in the lake. Raises what `read` raises.
    """
    for ledgers in (shared_ledgers(settings), local_ledgers(settings)):
        if (name := ledgers.shown()) is not None:
            return ledgers.read(name)
    return {}


class LedgerFolders:
    """The ledgers of a target; a crashed load leaves one that is never shown.

    `remedy` says what to do about a warehouse that is broken, or not that of its lake.
    """

    def __init__(self, storage: Storage, *, remedy: str) -> None:
        self.storage = storage
        self.remedy = remedy

    def newest(self) -> str | None:
        """Return the name of the newest ledger, None when there is none.

        After a crash it may be one that readers never see.
        """
        keys = (found.key.split("/") for found in self.storage.list())
        return max((name for name, *file in keys if file == [_FILE]), default=None)

    def shown(self) -> str | None:
        """Return the name of the ledger that readers see, None before the first load."""
        if not any(found.key == _SHOWN for found in self.storage.list(_SHOWN)):
            return None
        return self.storage.read(_SHOWN).decode()

    def note_shown(self, name: str) -> None:
        """Note that readers see the ledger `name`, unless that is known."""
        if self.shown() != name:
            self.storage.put(_SHOWN, name.encode())

    def read(self, name: str) -> dict[str, LoadedBatch]:
        """Return the rows of the ledger `name` by batch id.

        Raises SettingsError when it is missing or damaged.
        """
        try:
            with open_parquet(self.storage, f"{name}/{_FILE}") as file:
                rows = file.read(columns=list(_COLUMNS)).to_pylist()
        except (ObjectUnreadable, OSError, pa.ArrowException) as error:
            raise SettingsError(
                f"{self.storage.uri}/{name} is gone or damaged, but the metastore refers to it:"
                f" {self.remedy}"
            ) from error
        return {row.pop("batch_id"): LoadedBatch(**row) for row in rows}

    def write(self, ledger: Sequence[LedgerRow]) -> str:
        """Write `ledger` under the next number and return where, as a path or URI."""
        rows = _to_parquet(ledger)
        number = int(self.newest() or 0) + 1
        while not self.storage.put_if_absent(f"{number:020}/{_FILE}", rows):
            number += 1
        return f"{self.storage.uri}/{number:020}"


def _to_parquet(ledger: Sequence[LedgerRow]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        with ParquetSink(path, BATCHES) as sink:
            sink.write(to_arrow(ledger))
            sink.close()
        return path.read_bytes()
