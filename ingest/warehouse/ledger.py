"""What a target has loaded: one row per batch, a pure function of the log and the past.

States: `live` (its events count), `replaced` (a later batch supersedes it), `quarantined` (over the
reject limit of its source: not loaded until it is accepted or replaced).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from ingest.contract import BATCHES
from ingest.errors import SettingsError
from ingest.lake.counts import COUNTS
from ingest.lake.records import BatchRecord, NamedFile, hash_json, is_quarantined
from ingest.render import arrow_schema
from ingest.settings import Settings, Source

LIVE, REPLACED, QUARANTINED = "live", "replaced", "quarantined"
# For a source that has since been removed from clickstream.toml.
_DEFAULT_LIMIT = Source(name="", uri="").reject_limit_ratio
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


def states(
    records: Sequence[BatchRecord], *, quarantined: Collection[str]
) -> dict[str, tuple[str, str | None]]:
    """Return batch_id -> (state, replaced_by) for the whole log.

    `quarantined` are the batches over their limit that nobody has accepted. What they replace stays
    live: nothing disappears before its successor is there.
    """
    replaced_by: dict[str, str] = {}
    for record in reversed(records):
        if record.batch_id not in quarantined or record.batch_id in replaced_by:
            replaced_by |= dict.fromkeys(record.replaces, record.batch_id)
    return {
        record.batch_id: _state(record.batch_id, replaced_by, quarantined=quarantined)
        for record in records
    }


def _state(
    batch_id: str, replaced_by: Mapping[str, str], *, quarantined: Collection[str]
) -> tuple[str, str | None]:
    if batch_id in replaced_by:
        return REPLACED, replaced_by[batch_id]
    return (QUARANTINED if batch_id in quarantined else LIVE), None


def quarantined_batches(
    settings: Settings,
    records: Sequence[BatchRecord],
    *,
    accept: Collection[str] = (),
    accepted: Collection[str] = (),
) -> frozenset[str]:
    """Return the ids over their source's limit, but for those that were accepted now or before.

    `accept` are those accepted now; `accepted` are live already. Raises SettingsError when an id
    of `accept` is not in the log.
    """
    unknown = set(accept) - {record.batch_id for record in records}
    if unknown:
        raise SettingsError(
            f"--accept: {settings.lake} has no batch {', '.join(sorted(unknown))}; "
            "`clickstream status` lists the quarantined ones"
        )
    limits = {source.name: source.reject_limit_ratio for source in settings.sources}
    return frozenset(
        record.batch_id
        for record in records
        if record.batch_id not in accept
        and record.batch_id not in accepted
        and is_quarantined(
            record,
            reject_limit_ratio=limits.get(record.source, _DEFAULT_LIMIT),
        )
    )


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
