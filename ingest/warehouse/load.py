"""Hop 4 on any engine: what readers must see, decided from the log of batches and the past."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ingest.contract import CONTRACT_VERSION
from ingest.errors import BooksError, SettingsError, TooManyRejects
from ingest.lake.accepted import accepted_ids, find_batches, record_acceptances
from ingest.lake.checks import first_few
from ingest.lake.records import BatchRecord, open_lake, read_log
from ingest.lake.states import LIVE, QUARANTINED, REPLACED, BatchState, decide
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.warehouse import Warehouse
from ingest.warehouse.ledger import Ledger, LedgerRow, LoadedBatch, is_behind, manifest_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSummary:
    """What one load did. `loaded`, `replaced` and `quarantined` are batch ids.

    `loaded` and `replaced` changed in this load, which added `events` rows, not in one of another
    loader meanwhile; `quarantined` are all that await a decision; `live` is the number of batches
    that readers now see.
    """

    loaded: tuple[str, ...]
    replaced: tuple[str, ...]
    quarantined: tuple[str, ...]
    live: int
    events: int
    seconds: float

    @property
    def nothing_new(self) -> bool:
        """Whether this load changed nothing that readers see."""
        return not (self.loaded or self.replaced)

    @property
    def exit_code(self) -> int:
        """3 while batches are quarantined: nothing failed, but their events are in no table."""
        return TooManyRejects.exit_code if self.quarantined else 0


def load(settings: Settings, warehouse: Warehouse, *, accept: Sequence[str] = ()) -> LoadSummary:
    """Bring the landing tables to the state of the log, after accepting the batches `accept`.

    `accept` are ids of quarantined batches, or beginnings of ids; every target accepts them then.
    Batches over the reject limit of their source are left out and listed in the summary. Raises
    SettingsError when the tables belong to another lake, a newer clickstream wrote a batch or
    `accept` names none, and BooksError when the engine does not find what a record says; readers
    then see no change. BooksError as well when readers do not see afterwards what they must.
    """
    started = time.monotonic()
    plan = _plan(settings, warehouse, accept)
    record_acceptances(plan.lake, plan.to_accept)
    written = warehouse.load(plan.lake, plan.ledger, plan.changed)
    shown = warehouse.ledger() if plan.changed else plan.shown
    states = {batch_id: row.state for batch_id, row in shown.batches.items()}
    _check_written(plan.changed, states, settings.target)
    return LoadSummary(
        loaded=_ids(written, LIVE),
        replaced=_ids(written, REPLACED),
        quarantined=tuple(id_ for id_ in _ids(plan.ledger) if states.get(id_) == QUARANTINED),
        live=list(states.values()).count(LIVE),
        events=sum(row.record.totals.events for row in written if row.state == LIVE),
        seconds=time.monotonic() - started,
    )


def describe_load(
    settings: Settings, warehouse: Warehouse, *, accept: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return what `load` would do, in the words of the engine; none of it is done.

    Raises what `load` raises before it changes anything.
    """
    plan = _plan(settings, warehouse, accept)
    return tuple(warehouse.describe(plan.lake, plan.ledger, plan.changed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a load does: accept batches, then show `ledger`, of which `shown` lacks `changed`."""

    lake: Storage
    to_accept: tuple[str, ...]
    shown: Ledger
    ledger: tuple[LedgerRow, ...]
    changed: tuple[LedgerRow, ...]


def _plan(settings: Settings, warehouse: Warehouse, accept: Sequence[str]) -> _Plan:
    lake = open_lake(settings.lake)
    records = read_log(lake)
    _check_versions(records)
    to_accept = find_batches(records, accept)
    shown = warehouse.ledger()
    _check_lake(settings, shown, records)
    states = decide(records, accepted_ids(lake) | set(to_accept))
    past = {} if shown.lost else shown.batches
    ledger = _next_ledger(records, states, past)
    changed = tuple(row for row in ledger if _is_news(row, past))
    return _Plan(lake=lake, to_accept=to_accept, shown=shown, ledger=ledger, changed=changed)


def _next_ledger(
    records: Sequence[BatchRecord],
    states: Mapping[str, BatchState],
    past: Mapping[str, LoadedBatch],
) -> tuple[LedgerRow, ...]:
    """Return the ledger as it must be after this load, in number order."""
    now = datetime.now(UTC)
    return tuple(_row(record, states[record.batch_id], past, now) for record in records)


def _row(
    record: BatchRecord,
    state: BatchState,
    past: Mapping[str, LoadedBatch],
    now: datetime,
) -> LedgerRow:
    known = past.get(record.batch_id)
    was_loaded = known is not None and known.manifest_hash is not None
    row = LedgerRow(
        record=record,
        state=state.state,
        replaced_by=state.replaced_by,
        manifest_hash=manifest_hash(record) if state.state == LIVE or was_loaded else None,
        loaded_at=now,
    )
    if known is None or _is_news(row, past):
        return row
    return replace(row, loaded_at=known.loaded_at)


def _is_news(row: LedgerRow, past: Mapping[str, LoadedBatch]) -> bool:
    known = past.get(row.record.batch_id)
    return known is None or (known.state, known.replaced_by) != (row.state, row.replaced_by)


def _ids(rows: Iterable[LedgerRow], state: str | None = None) -> tuple[str, ...]:
    """Return the ids of the rows that are to be in `state`, None = of all."""
    return tuple(row.record.batch_id for row in rows if state in (None, row.state))


def _check_written(rows: Sequence[LedgerRow], states: Mapping[str, str], target: str) -> None:
    """Raise BooksError when readers, who see `states` after a load, lack one of `rows`."""
    lacking = [row.record for row in rows if is_behind(states.get(row.record.batch_id), row)]
    if lacking:
        raise BooksError(
            f"landing.batches of target {target} does not show the load of"
            f" {first_few([f'batch {record.number}' for record in lacking])}: somebody else changed"
            " it meanwhile; run `clickstream load` again"
        )


def _check_versions(records: Sequence[BatchRecord]) -> None:
    newest = max((record.contract_version for record in records), default=0)
    if newest > CONTRACT_VERSION:
        raise SettingsError(
            f"the lake holds batches of contract version {newest}, but this clickstream knows "
            f"versions up to {CONTRACT_VERSION}: use a newer clickstream"
        )


def _check_lake(settings: Settings, shown: Ledger, records: Sequence[BatchRecord]) -> None:
    """Raise SettingsError when a loaded batch is not in this lake, or differs there."""
    hashes = {record.batch_id: manifest_hash(record) for record in records}
    if any(
        row.manifest_hash not in (None, hashes.get(batch_id))
        for batch_id, row in shown.batches.items()
    ):
        raise SettingsError(
            f"target {settings.target} was loaded from another lake than {settings.lake}: use a "
            "separate warehouse for each lake (the local one is in CLICKSTREAM_DATA), or delete "
            f"this one (the local one is {settings.data}/metastore and {settings.data}/warehouse) "
            "and run again; it is rebuilt from the lake. If batches/ was lost, restore it from "
            "a backup instead"
        )
