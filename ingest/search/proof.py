"""Whether the index agrees with the lake: the books of the last hop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.lake.accepted import accepted_ids
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.states import decide
from ingest.search.client import Target
from ingest.search.contents import Contents
from ingest.search.index import Counts
from ingest.search.plan import IsKept, Plan, kept, make_plan
from ingest.search.seals import Seal, read_seals
from ingest.storage import Storage
from ingest.terminal.text import count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The index compared with the lake: they agree when `problems` and `pending` are empty.

    `documents` are in the index, `dead` were refused by the server, `expired` are of months that
    are no longer kept, `expected` are the events of the live batches: documents + dead + expired =
    expected. `complete` are the ids of the live batches of which the index holds every event but
    those, `sealed` their records and seals, `pending` the numbers of those that are not exported
    yet. `contents` compares more than numbers of documents, None when that was not done.
    """

    index: str
    documents: int
    dead: int
    expired: int = 0
    expected: int
    complete: tuple[str, ...]
    sealed: tuple[tuple[BatchRecord, Seal], ...] = ()
    pending: tuple[int, ...]
    problems: tuple[str, ...]
    contents: Contents | None = None

    def over_limit(self, max_dead: int) -> tuple[int, ...]:
        """Return the numbers of the batches with more dead letters than `max_dead` allows."""
        return tuple(record.number for record, seal in self.sealed if seal.dead > max_dead)


def prove(
    lake: Storage, target: Target, counts: Counts, *, is_kept: IsKept = lambda _name: True
) -> Proof:
    """Compare the `counts` of documents per batch with the log of batches and the seals.

    Raises BooksError when the index holds a batch that no record knows.
    """
    seals = read_seals(lake, target.name)
    records = read_log(lake)
    plan = make_plan(
        records,
        states=decide(records, accepted_ids(lake)),
        seals=seals,
        counts=counts,
        is_kept=is_kept,
    )
    sealed = [(record, seals[record.batch_id]) for record in plan.live if record.batch_id in seals]
    unequal = {
        record.batch_id: problem
        for record, seal in sealed
        if (problem := _unequal(record, seal, counts, is_kept)) is not None
    }
    complete = tuple(one for one in sealed if one[0].batch_id not in unequal)
    return Proof(
        index=target.index,
        documents=sum(sum(kept(of_batch, is_kept).values()) for of_batch in counts.values()),
        dead=sum(seal.dead for _, seal in sealed),
        expired=sum(seal.indexed - sum(kept(seal.indices, is_kept).values()) for _, seal in sealed),
        expected=sum(record.totals.events for record in plan.live),
        complete=tuple(record.batch_id for record, _ in complete),
        sealed=complete,
        pending=tuple(record.number for record in plan.todo if record.batch_id not in seals),
        problems=(*unequal.values(), *_left(plan, counts)),
    )


def _unequal(
    record: BatchRecord, seal: Seal, counts: Counts, is_kept: IsKept = lambda _name: True
) -> str | None:
    there = kept(counts.get(record.batch_id, {}), is_kept)
    is_whole = seal.indexed + seal.dead == record.totals.events
    if is_whole and there == kept(seal.indices, is_kept):
        return None
    return (
        f"batch {record.number}: {count_of(record.totals.events, 'event')} in the lake, "
        f"{sum(there.values()):,} in the index, {seal.dead:,} refused: run `clickstream export`"
    )


def _left(plan: Plan, counts: Counts) -> Iterator[str]:
    """Yield what the index holds of batches that do not count."""
    for old, successor in plan.successors.items():
        if documents := sum(counts.get(old, {}).values()):
            yield (
                f"the index still holds {count_of(documents, 'document')} of batch {old}, which "
                f"batch {successor.number} replaced: run `clickstream export`"
            )
    for record in plan.quarantined:
        if documents := sum(counts.get(record.batch_id, {}).values()):
            yield (
                f"the index holds {count_of(documents, 'document')} of batch {record.number}, "
                f"which is quarantined: run `clickstream export --accept {record.batch_id}` or "
                "`clickstream export --recreate`"
            )
