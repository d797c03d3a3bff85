"""One run of the export: plan, send in waves, count, sweep, seal, prove.

Only a batch whose count in the index agrees is sealed. The same comparison in the next run finds
whatever a crash left behind.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from elastic_transport import TransportError
from elasticsearch import ApiError

from ingest.contract import CONTRACT_VERSION
from ingest.errors import BooksError
from ingest.lake.accepted import accepted_ids
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.states import LIVE, decide
from ingest.local_search.control import state_file
from ingest.search.client import Target
from ingest.search.index import Index
from ingest.search.plan import Plan, files, make_plan, pack, waves
from ingest.search.proof import Proof, prove
from ingest.search.seals import Seal, read_seals, write_seal
from ingest.search.sweep import sweep
from ingest.search.task import ExportTask, FileFacts, TaskFacts
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.terminal.interrupts import check_interrupted
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

# The tombstone of a deleted document wins over our older version (index.gc_deletes).
_VERSION_CONFLICT_REMEDY = (
    "somebody deleted or changed documents by hand, and the server remembers deletions for 60 s: "
    "wait and run `clickstream export` again; if that fails, run `clickstream export --recreate`"
)

# Runs tasks somewhere and returns their facts in order.
RunTasks = Callable[[Sequence[ExportTask]], Sequence[TaskFacts]]

# A local search server that is silent for that long hangs: only the next command restarts it.
_LOCAL_DEADLINE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A batch that was exported in this run; `created` of its documents were new to the index."""

    seal: Seal
    created: int


@dataclass(slots=True, kw_only=True)
class Exporter:
    """One run of the export to one index. `url` contains no password.

    `exported` are the batches that have been sealed so far.
    """

    settings: Settings
    url: str
    lake: Storage
    index: Index
    target: Target
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    exported: list[Exported] = field(default_factory=list)
    _seals: dict[str, Seal] = field(default_factory=dict)
    _records: tuple[BatchRecord, ...] = ()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Keep the index ready inside the block: created if missing, tuned while it is filled.

        The tuning is undone at the end. When that fails, because the server has died, the next run
        does it first.
        """
        self.index.finalise()
        self.index.prepare(self.run_id)
        try:
            yield
        except BaseException:
            with suppress(ApiError, TransportError):
                self.index.finalise()
            raise
        self.index.finalise()

    def plan(
        self, records: Sequence[BatchRecord], accepted: Collection[str], counts: Mapping[str, int]
    ) -> Plan:
        """Return what is to be done of `records`, the whole log; `accepted` are batch ids."""
        self._records = tuple(records)
        self._seals = read_seals(self.lake, self.target.name)
        states = decide(records, accepted)
        plan = make_plan(records, states=states, seals=self._seals, counts=counts)
        for notice in plan.notices:
            _log.warning("%s", notice)
        return plan

    def send(self, plan: Plan, run: RunTasks) -> None:
        """Export what is to be done, wave by wave, then sweep what earlier runs left behind."""
        for wave in waves(plan.todo):
            check_interrupted()
            self._wave(plan, wave, run)
        if plan.successors:
            counts = self.index.counts()
            for old, successor in plan.successors.items():
                if counts.get(old):
                    self._sweep(old, successor)

    def prove(self, plan: Plan) -> Proof:
        """Return the proof of the finished index; raises BooksError when it fails."""
        proof = prove(self.lake, self.target, self.index.counts())
        # What was sealed or accepted since the plan was made is another run's, or the next one's.
        missing = [record.number for record in plan.live if record.number in proof.pending]
        wrong = [*proof.problems, *(f"batch {number} is not in the index" for number in missing)]
        if wrong:
            raise BooksError("the index does not agree with the lake:\n- " + "\n- ".join(wrong))
        return proof

    def _wave(self, plan: Plan, wave: Sequence[BatchRecord], run: RunTasks) -> None:
        """Send the batches of `wave`, then seal those that are complete.

        Raises what stopped a task, after sealing the others.
        """
        begun = datetime.now(UTC)
        facts = run(self._tasks(wave))
        failure = next((error for fact in facts if (error := fact.failure())), None)
        sent = [file for fact in facts for file in fact.files]
        try:
            counts = self.index.counts()
            for record in wave:
                mine = _files_of(record, sent)
                if len(mine) == len(record.files.get("events", ())):
                    self._finish(plan, record, mine, counts, begun)
        except (ApiError, TransportError):
            if failure is None:
                raise
        if failure is not None:
            raise failure

    def _tasks(self, wave: Sequence[BatchRecord]) -> list[ExportTask]:
        search = self.settings.search
        is_local, deadline = search.url is None, search.deadline_seconds
        if is_local:
            deadline = min(deadline, _LOCAL_DEADLINE_SECONDS)
        return [
            ExportTask(
                lake=self.settings.lake,
                url=self.url,
                index=self.index.name,
                target=self.target.name,
                files=members,
                most_bytes=search.body_mib << 20,
                deadline_seconds=deadline,
                state_file=str(state_file(self.settings)) if is_local else None,
                pseudonyms=self.index.pseudonyms,
            )
            for members in pack(files(wave))
        ]

    def _finish(
        self,
        plan: Plan,
        record: BatchRecord,
        facts: Sequence[FileFacts],
        counts: Mapping[str, int],
        begun: datetime,
    ) -> None:
        """Sweep what `record` replaces and seal it, unless it has been replaced in the meantime.

        Raises BooksError when its books do not balance.
        """
        swept = {
            old: self._sweep(old, record)
            for old, successor in plan.successors.items()
            if successor.number == record.number and counts.get(old)
        }
        if self._was_replaced(record):
            _log.warning("batch %d has been replaced in the meantime: not sealed", record.number)
            return
        seal = self._seal(record, facts, swept, begun)
        there = counts.get(record.batch_id, 0)
        if seal.newer or seal.indexed != there or seal.events != seal.indexed + seal.dead:
            raise BooksError(
                f"batch {record.number}: {count_of(seal.events, 'event')} in the lake, {there:,} "
                f"in the index, {seal.dead:,} refused, {seal.newer:,} with a newer version: "
                "not sealed; "
                + (_VERSION_CONFLICT_REMEDY if seal.newer else "run `clickstream export` again")
            )
        write_seal(self.lake, self.target.name, seal)
        self._report_dead(record, facts)
        created = sum(fact.tally.created for fact in facts)
        self.exported.append(Exported(seal=seal, created=created))

    def _was_replaced(self, record: BatchRecord) -> bool:
        """Return whether another run has sealed, or somebody accepted, its successor meanwhile."""
        later = read_log(self.lake, after=len(self._records))
        states = decide([*self._records, *later], accepted_ids(self.lake))
        return states[record.batch_id].state != LIVE

    def _seal(
        self,
        record: BatchRecord,
        facts: Sequence[FileFacts],
        swept: Mapping[str, int],
        begun: datetime,
    ) -> Seal:
        before = self._seals.get(record.batch_id)
        tallies = [fact.tally for fact in facts]
        indexed = sum(tally.indexed for tally in tallies)
        return Seal(
            number=record.number,
            batch_id=record.batch_id,
            revision=before.revision + 1 if before else 1,
            target={
                "cluster_uuid": self.target.cluster_uuid,
                "product": self.target.product,
                "version": self.target.version,
                "index": self.target.index,
            },
            contract_version=CONTRACT_VERSION,
            events=record.totals.events,
            indexed=indexed,
            newer=sum(tally.newer for tally in tallies),
            dead=sum(tally.dead for tally in tallies),
            indices={self.index.name: indexed},
            dead_files=tuple(fact.dead_file for fact in facts if fact.dead_file),
            swept=swept,
            started_at=begun,
            finished_at=datetime.now(UTC),
            requests=sum(tally.requests for tally in tallies),
            retries=sum(tally.retries for tally in tallies),
            bytes=sum(tally.bytes for tally in tallies),
            writer=self.run_id,
        )

    def _sweep(self, old: str, successor: BatchRecord) -> int:
        return sweep(self.index, old, version=successor.number, url=self.url)

    def _report_dead(self, record: BatchRecord, facts: Sequence[FileFacts]) -> None:
        """Log what was refused: only types and ids, since the rest is log content."""
        types: Counter[str] = Counter()
        for fact in facts:
            types.update(fact.dead_types)
        if types:
            ids = [name for fact in facts for name in fact.dead_ids][:5]
            _log.warning(
                "batch %d: the server refused %s (%s), among them %s; see %s",
                record.number,
                count_of(types.total(), "document"),
                ", ".join(f"{count} {kind}" for kind, count in types.most_common()),
                ", ".join(ids),
                ", ".join(fact.dead_file for fact in facts if fact.dead_file),
            )


def _files_of(record: BatchRecord, sent: Sequence[FileFacts]) -> list[FileFacts]:
    return [fact for fact in sent if fact.file.number == record.number]
