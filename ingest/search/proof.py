"""Whether the index agrees with the lake: the books of the last hop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ingest.lake.records import BatchRecord, is_quarantined, read_log
from ingest.search.client import Target
from ingest.search.plan import Plan, make_plan
from ingest.search.seals import Seal, read_seals
from ingest.settings import Settings, Source
from ingest.storage import Storage
from ingest.terminal.text import count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The index compared with the lake: they agree when `problems` and `pending` are empty.

    `documents` are in the index, `dead` were refused by the server, `expected` are the events of
    the live batches: documents + dead = expected. `pending` are the numbers of live batches that
    are not exported yet, `quarantined` ids that wait for `--accept`.
    """

    index: str
    documents: int
    dead: int
    expected: int
    pending: tuple[int, ...]
    quarantined: tuple[str, ...]
    problems: tuple[str, ...]


def prove(
    settings: Settings,
    lake: Storage,
    target: Target,
    counts: Mapping[str, int],
    *,
    accept: Collection[str] = (),
) -> Proof:
    """Compare the `counts` of documents per batch with the log of batches and the seals.

    Raises BooksError when the index holds a batch that no record knows.
    """
    seals = read_seals(lake, target.name)
    plan = plan_from(settings, read_log(lake), accept=accept, seals=seals, counts=counts)
    pending = tuple(record.number for record in plan.todo if record.batch_id not in seals)
    sealed = [record for record in plan.live if record.batch_id in seals]
    return Proof(
        index=target.index,
        documents=sum(counts.values()),
        dead=sum(seals[record.batch_id].dead for record in sealed),
        expected=sum(record.totals.events for record in plan.live),
        pending=pending,
        quarantined=tuple(record.batch_id for record in plan.quarantined),
        problems=(
            *(problem for record in sealed for problem in _unequal(record, seals, counts)),
            *(_left(old, counts[old], plan) for old in plan.successors if counts.get(old)),
        ),
    )


def plan_from(
    settings: Settings,
    records: Sequence[BatchRecord],
    *,
    accept: Collection[str],
    seals: Mapping[str, Seal],
    counts: Mapping[str, int],
) -> Plan:
    """Return the plan of `records`. A batch stays accepted, even if its export was interrupted."""
    limits = {source.name: source.reject_limit_ratio for source in settings.sources}
    usual = Source(name="", uri="").reject_limit_ratio
    accepted = {*accept, *seals, *counts}
    quarantined = {
        record.batch_id
        for record in records
        if record.batch_id not in accepted
        and is_quarantined(record, reject_limit_ratio=limits.get(record.source, usual))
    }
    return make_plan(records, quarantined=quarantined, seals=seals, counts=counts)


def _unequal(
    record: BatchRecord, seals: Mapping[str, Seal], counts: Mapping[str, int]
) -> list[str]:
    seal, there = seals[record.batch_id], counts.get(record.batch_id, 0)
    if there == seal.indexed and there + seal.dead == record.totals.events:
        return []
    return [
        f"batch {record.number}: {count_of(record.totals.events, 'event')} in the lake, {there:,} "
        f"in the index, {seal.dead:,} refused: run `clickstream export`"
    ]


def _left(old: str, documents: int, plan: Plan) -> str:
    return (
        f"the index still holds {count_of(documents, 'document')} of batch {old}, which batch "
        f"{plan.successors[old].number} replaced: run `clickstream export`"
    )
