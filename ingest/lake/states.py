"""What becomes of each batch of the log: one rule, the same for every target.

A batch over the reject limit that its source had when it was sealed is quarantined: it replaces
nothing until somebody accepts it (`ingest.lake.accepted`). Where a batch that counts replaces it,
its own replacements are handed on: of 1 <- 2 (quarantined) <- 3 only 3 is live.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ingest.errors import BooksError
from ingest.lake.records import BatchRecord

LIVE, REPLACED, QUARANTINED = "live", "replaced", "quarantined"
# A share of rejects says little about fewer lines than this.
QUARANTINE_FROM_LINES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """What becomes of a batch. `state` is live, replaced or quarantined.

    `replaced_by` is the id of the batch that supersedes it, None unless it is replaced. That batch
    is live, or replaced itself. `is_accepted` tells that it counts only because it was accepted.
    """

    state: str
    replaced_by: str | None = None
    is_accepted: bool = False


def decide(records: Sequence[BatchRecord], accepted: Collection[str] = ()) -> dict[str, BatchState]:
    """Return batch id -> state for `records`, which are the whole log, in its order.

    `accepted` are ids. More records and more acceptances never bring a replaced batch back.
    Raises BooksError when a batch is in the log twice: its events would count twice.
    """
    _check_ids(records)
    over_limit = {record.batch_id for record in records if exceeds_limit(record)}
    waiting = over_limit.difference(accepted)
    replaced_by: dict[str, str] = {}
    # Who replaces a batch comes after it, so all that decides about it is known here.
    for record in reversed(records):
        if record.batch_id not in waiting or record.batch_id in replaced_by:
            replaced_by |= dict.fromkeys(record.replaces, record.batch_id)
    return {
        record.batch_id: BatchState(
            state=_state(record.batch_id, replaced_by, waiting),
            replaced_by=replaced_by.get(record.batch_id),
            is_accepted=record.batch_id in over_limit - waiting,
        )
        for record in records
    }


def _check_ids(records: Sequence[BatchRecord]) -> None:
    numbers: dict[str, int] = {}
    for record in records:
        first = numbers.setdefault(record.batch_id, record.number)
        if first != record.number:
            raise BooksError(
                f"batch {record.batch_id} is sealed twice: {first} and {record.number}"
            )


def exceeds_limit(record: BatchRecord) -> bool:
    """Return whether more lines were rejected than the source allowed (from 1,000 lines on)."""
    totals = record.totals
    if totals.lines_read < QUARANTINE_FROM_LINES:
        return False
    return totals.lines_reject > record.reject_limit_ratio * totals.lines_read


def in_state(
    records: Sequence[BatchRecord], states: Mapping[str, BatchState], state: str
) -> tuple[BatchRecord, ...]:
    """Return those of `records` that are in `state`, in order."""
    return tuple(record for record in records if states[record.batch_id].state == state)


def last_read(records: Sequence[BatchRecord]) -> tuple[BatchRecord, ...]:
    """Return those of `records`, the whole log, that no other one replaces, in order.

    Quarantined or not, they are the newest reading of all bytes, so only they may be read again.
    """
    replaced = {batch_id for record in records for batch_id in record.replaces}
    return tuple(record for record in records if record.batch_id not in replaced)


def successor(batch_id: str, states: Mapping[str, BatchState]) -> str:
    """Return the live batch in whose favour the replaced batch `batch_id` was given up."""
    while (replaced_by := states[batch_id].replaced_by) is not None:
        batch_id = replaced_by
    return batch_id


def _state(batch_id: str, replaced_by: Mapping[str, str], waiting: Collection[str]) -> str:
    if batch_id in replaced_by:
        return REPLACED
    return QUARANTINED if batch_id in waiting else LIVE
