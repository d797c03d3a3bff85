"""What a target has loaded: one row per batch, a pure function of the log and the past.

`ingest.lake.states` decides what becomes of each batch; here is what a target keeps of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from ingest.contract import BATCHES
from ingest.lake.counts import COUNTS
from ingest.lake.records import BatchRecord, NamedFile, hash_json
from ingest.render import arrow_schema

# Columns of the ledger that are in the totals of a batch record, under the same names.
_TOTALS = ("objects", "bytes", *COUNTS, "rejects", "min_event_time", "max_event_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBatch:
    """A row of the ledger as readers see it.

    `replaced_by` is None unless the state is `replaced`; `manifest_hash` is None when nothing was
    loaded.
    """

    state: str
    replaced_by: str | None
    manifest_hash: str | None
    loaded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What readers of a target see: its batches by id.

    `version` differs after every change, and is empty before the first load.
    """

    version: str
    batches: Mapping[str, LoadedBatch]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A row of the ledger that is to be written, with the record that it describes.

    `replaced_by` and `manifest_hash` are None as in LoadedBatch.
    """

    record: BatchRecord
    state: str
    replaced_by: str | None
    manifest_hash: str | None
    loaded_at: datetime


def manifest_hash(record: BatchRecord) -> str:
    """Return the hash of what a target loads: the named files with their sizes and rows."""
    return hash_json(
        {table: [asdict(file) for file in files] for table, files in sorted_files(record)}
    )


def sorted_files(record: BatchRecord) -> list[tuple[str, tuple[NamedFile, ...]]]:
    """Return (table, named files) of the record, in order of the table's name."""
    return sorted(record.files.items())


def to_arrow(entries: Iterable[LedgerRow]) -> pa.Table:
    """Return the ledger as the contract's table `batches`, in number order."""
    ordered = sorted(entries, key=lambda entry: entry.record.number)
    return pa.Table.from_pylist([_row(entry) for entry in ordered], schema=arrow_schema(BATCHES))


def _row(entry: LedgerRow) -> dict[str, Any]:
    record = entry.record
    return {
        "batch_id": record.batch_id,
        "batch_number": record.number,
        "source": record.source,
        "state": entry.state,
        "replaced_by": entry.replaced_by,
        "contract_version": record.contract_version,
        "manifest_hash": entry.manifest_hash,
        "ingest_time": record.ingest_time,
        "sealed_at": record.sealed_at,
        "loaded_at": entry.loaded_at,
        **{name: getattr(record.totals, name) for name in _TOTALS},
    }
