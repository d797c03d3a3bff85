"""What a target has loaded: one row per batch, a pure function of the log and the past.

`ingest.lake.states` decides what becomes of each batch; here is what a target keeps of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from ingest.contract import BATCHES
from ingest.lake.counts import COUNTS
from ingest.lake.records import BatchRecord, NamedFile, hash_json
from ingest.lake.states import LIVE, QUARANTINED, REPLACED
from ingest.render import arrow_schema

# A batch only moves on: a loader that is late takes no step back.
_RANK = {QUARANTINED: 1, LIVE: 2, REPLACED: 3}
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

    `version` differs after every change, and is empty before the first load. `lost` are the tables
    of the batches that are gone, by whatever hand: then all batches must be loaded again.
    """

    version: str
    batches: Mapping[str, LoadedBatch]
    lost: tuple[str, ...] = ()


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


def is_behind(shown: str | None, row: LedgerRow) -> bool:
    """Return whether a target that shows a batch as `shown`, None = not at all, still lacks `row`.

    It does not when another loader wrote the row, or went beyond it.
    """
    return _RANK.get(shown or "", 0) < _RANK[row.state]


def to_arrow(entries: Iterable[LedgerRow]) -> pa.Table:
    """Return the ledger as the contract's table `batches`, in number order."""
    ordered = sorted(entries, key=lambda entry: entry.record.number)
    return pa.Table.from_pylist([_row(entry) for entry in ordered], schema=arrow_schema(BATCHES))


def changes(
    ledger: Iterable[LedgerRow], changed: Iterable[LedgerRow]
) -> list[tuple[LedgerRow, ...]]:
    """Return the rows of `changed` in groups that an engine must show at once.

    A group is a batch that is not replaced, behind all that it takes the place of. What was
    replaced by a batch that does not change comes last, each successor's in a group of its own.
    """
    successors = {row.record.batch_id: row.replaced_by for row in ledger}
    groups: dict[str, list[LedgerRow]] = {}
    for row in sorted(changed, key=lambda row: row.record.number):
        groups.setdefault(_last(row.record.batch_id, successors), []).append(row)
    return [tuple(rows) for _, rows in sorted(groups.items(), key=lambda item: _order(*item))]


def _order(last: str, rows: Sequence[LedgerRow]) -> tuple[bool, int]:
    newest = rows[-1].record
    return newest.batch_id != last, newest.number


def _last(batch_id: str, successors: Mapping[str, str | None]) -> str:
    """Return the batch at the end of the chain of replacements that begins with `batch_id`."""
    while (successor := successors[batch_id]) is not None:
        batch_id = successor
    return batch_id


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
