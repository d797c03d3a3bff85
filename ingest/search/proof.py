"""Whether the index agrees with the lake: the books of the last hop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingest.lake.accepted import accepted_ids
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.states import decide
from ingest.search.client import Target
from ingest.search.plan import Plan, make_plan
from ingest.search.seals import Seal, read_seals
from ingest.storage import Storage
from ingest.terminal.text import count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The index compared with the lake: they agree when `problems` and `pending` are empty.

    `documents` are in the index, `dead` were refused by the server, `expected` are the events of
    the live batches: documents + dead = expected. `complete` are the ids of the live batches of
    which the index holds every event but the dead ones, `pending` the numbers of those that are not
    exported yet.
    """

    index: str
    documents: int
    dead: int
    expected: int
    complete: tuple[str, ...]
    pending: tuple[int, ...]
    problems: tuple[str, ...]


def prove(lake: Storage, target: Target, counts: Mapping[str, int]) -> Proof:
    """Compare the `counts` of documents per batch with the log of batches and the seals.

    Raises BooksError when the index holds a batch that no record knows.
    """
    seals = read_seals(lake, target.name)
    records = read_log(lake)
    plan = make_plan(
        records, states=decide(records, accepted_ids(lake)), seals=seals, counts=counts
    )
    sealed = [record for record in plan.live if record.batch_id in seals]
    unequal = {
        record.batch_id: problem
        for record in sealed
        if (problem := _unequal(record, seals[record.batch_id], counts)) is not None
    }
    return Proof(
        index=target.index,
        documents=sum(counts.values()),
        dead=sum(seals[record.batch_id].dead for record in sealed),
        expected=sum(record.totals.events for record in plan.live),
        complete=tuple(r.batch_id for r in sealed if r.batch_id not in unequal),
        pending=tuple(record.number for record in plan.todo if record.batch_id not in seals),
        problems=(*unequal.values(), *_left(plan, counts)),
    )


def _unequal(record: BatchRecord, seal: Seal, counts: Mapping[str, int]) -> str | None:
    there = counts.get(record.batch_id, 0)
    if there == seal.indexed and there + seal.dead == record.totals.events:
        return None
    return (
        f"batch {record.number}: {count_of(record.totals.events, 'event')} in the lake, {there:,} "
        f"in the index, {seal.dead:,} refused: run `clickstream export`"
    )


def _left(plan: Plan, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield what the index holds of batches that do not count."""
    for old, successor in plan.successors.items():
        if documents := counts.get(old):
            yield (
                f"the index still holds {count_of(documents, 'document')} of batch {old}, which "
                f"batch {successor.number} replaced: run `clickstream export`"
            )
    for record in plan.quarantined:
        if documents := counts.get(record.batch_id):
            yield (
                f"the index holds {count_of(documents, 'document')} of batch {record.number}, "
                f"which is quarantined: run `clickstream export --accept {record.batch_id}` or "
                "`clickstream export --recreate`"
            )
