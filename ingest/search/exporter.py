"""One run of the export: plan, send in waves, count, sweep, seal, prove.

Only a batch whose count in the index agrees is sealed. The same comparison in the next run finds
whatever a crash left behind.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ingest.errors import BooksError
from ingest.lake.accepted import accepted_ids
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.states import LIVE, decide
from ingest.local_search.control import state_file
from ingest.search.client import ApiError, Target, TransportError
from ingest.search.contents import compare
from ingest.search.index import Counts, Index
from ingest.search.letters import read_letters
from ingest.search.months import check_number, is_monthly, months_in
from ingest.search.plan import Delivery, Plan, make_plan, pack, refused_only, waves, whole
from ingest.search.preparing import prepare
from ingest.search.proof import Proof, prove
from ingest.search.sealing import check_seal, report_dead, seal_of
from ingest.search.seals import Seal, read_seals, write_seal
from ingest.search.sweep import sweep
from ingest.search.task import ExportTask, FileFacts, TaskFacts
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.terminal.interrupts import check_interrupted

_log = logging.getLogger(__name__)

# Runs tasks somewhere and returns their facts in order.
RunTasks = Callable[[Sequence[ExportTask]], Sequence[TaskFacts]]

# A local search server that is silent for that long hangs: only the next command restarts it.
_LOCAL_DEADLINE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A batch that was exported in this run: `indexed` of its documents, of them `created` new."""

    seal: Seal
    indexed: int
    created: int


@dataclass(slots=True, kw_only=True)
class Exporter:
    """One run of the export to one index. `url` contains no password.

    `exported` are the batches that have been sealed so far, `old_months` the indices that were
    deleted because their months are no longer kept, in a dry run those that would be.
    """

    settings: Settings
    url: str
    lake: Storage
    index: Index
    target: Target
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    exported: list[Exported] = field(default_factory=list)
    old_months: tuple[str, ...] = ()
    _seals: dict[str, Seal] = field(default_factory=dict)
    _records: tuple[BatchRecord, ...] = ()

    def plan(
        self,
        records: Sequence[BatchRecord],
        accepted: Collection[str],
        counts: Counts,
        *,
        afresh: bool = False,
    ) -> Plan:
        """Return what is to be done of `records`, the whole log; `accepted` are batch ids.

        Where the index is made `afresh`, nobody is told that it lacks what it held.
        """
        self._records = tuple(records)
        self._seals = read_seals(self.lake, self.target.name)
        plan = make_plan(
            records,
            states=decide(records, accepted),
            seals=self._seals,
            counts=counts,
            is_kept=self.index.is_kept,
        )
        for notice in () if afresh else plan.notices:
            _log.warning("%s", notice)
        return plan

    def with_dead_letters(self, plan: Plan) -> tuple[BatchRecord, ...]:
        """Return the batches that are in the index but for their dead letters."""
        sent = {record.batch_id for record in plan.todo}
        return tuple(
            record
            for record in plan.live
            if record.batch_id not in sent and self._seals[record.batch_id].dead
        )

    def send(self, plan: Plan, run: RunTasks, *, replay: bool = False) -> None:
        """Export what is to be done, wave by wave, then sweep what earlier runs left behind.

        `replay` sends the dead letters of what was done before as well.
        """
        todo = [whole(record) for record in plan.todo]
        if replay:
            todo += map(self._refused, self.with_dead_letters(plan))
        self._make_months(todo)
        for wave in waves(todo):
            check_interrupted()
            self._wave(plan, wave, run)
        if plan.successors:
            counts = self.index.counts()
            for old, successor in plan.successors.items():
                if counts.get(old):
                    self._sweep(old, successor)
        if self._is_monthly:
            self.old_months = tuple(self.index.delete_old_months())

    def prove(self, plan: Plan) -> Proof:
        """Return the proof of the finished index; raises BooksError when it fails."""
        proof = prove(self.lake, self.target, self.index.counts(), is_kept=self.index.is_kept)
        # What was sealed or accepted since the plan was made is another run's, or the next one's.
        missing = [record.number for record in plan.live if record.number in proof.pending]
        wrong = [*proof.problems, *(f"batch {number} is not in the index" for number in missing)]
        new = {one.seal.batch_id for one in self.exported}
        batches = [(record, seal) for record, seal in proof.sealed if record.batch_id in new]
        if batches and not wrong:
            contents = compare(self.index, self.lake, batches, sample=True)
            proof, wrong = replace(proof, contents=contents), contents.problems
            for note in contents.notes:
                _log.warning("%s", note)
        if wrong:
            raise BooksError("the index does not agree with the lake:\n- " + "\n- ".join(wrong))
        return proof

    @property
    def _is_monthly(self) -> bool:
        return is_monthly(self.settings.search)

    def _refused(self, record: BatchRecord) -> Delivery:
        """Return the delivery of the dead letters of `record`, of all of it where they are lost."""
        seal = self._seals[record.batch_id]
        try:
            return refused_only(record, seal, read_letters(self.lake, seal))
        except BooksError as error:
            _log.warning("%s", error)
            return whole(record)

    def _make_months(self, todo: Sequence[Delivery]) -> None:
        if not self._is_monthly:
            return
        paths = [file.path for delivery in todo for file in delivery.files]
        names = months_in(self.lake, paths, index=self.index.name)
        check_number(names)
        prepare(self.index, self.run_id, names)

    def _wave(self, plan: Plan, wave: Sequence[Delivery], run: RunTasks) -> None:
        """Send the deliveries of `wave`, then seal the batches that are complete.

        Raises what stopped a task, after sealing the others.
        """
        begun = datetime.now(UTC)
        facts = run(self._tasks(wave))
        failure = next((error for fact in facts if (error := fact.failure())), None)
        sent = [file for fact in facts for file in fact.files]
        try:
            counts = self.index.counts()
            for delivery in wave:
                mine = [fact for fact in sent if fact.file.number == delivery.record.number]
                if len(mine) == len(delivery.files):
                    self._finish(plan, delivery, mine, counts, begun)
        except (ApiError, TransportError):
            if failure is None:
                raise
        if failure is not None:
            raise failure

    def _tasks(self, wave: Sequence[Delivery]) -> list[ExportTask]:
        search = self.settings.search
        is_local, deadline = search.url is None, search.deadline_seconds
        if is_local:
            deadline = min(deadline, _LOCAL_DEADLINE_SECONDS)
        packed = pack([file for delivery in wave for file in delivery.files])
        return [
            ExportTask(
                lake=self.settings.lake,
                url=self.url,
                index=self.index.name,
                target=self.target.name,
                product=self.target.product,
                files=members,
                most_bytes=search.body_mib << 20,
                deadline_seconds=deadline,
                compress=search.compress,
                monthly=self._is_monthly,
                state_file=str(state_file(self.settings)) if is_local else None,
                marks=self.index.marks,
                refreshes=0 < place == len(packed) - 1,
            )
            for place, members in enumerate(packed)
        ]

    def _finish(
        self,
        plan: Plan,
        delivery: Delivery,
        facts: Sequence[FileFacts],
        counts: Counts,
        begun: datetime,
    ) -> None:
        """Sweep what the batch replaces and seal it, unless it has been replaced in the meantime.

        Raises BooksError when its books do not balance.
        """
        record = delivery.record
        swept = {
            old: self._sweep(old, record)
            for old, successor in plan.successors.items()
            if successor.number == record.number and counts.get(old)
        }
        if self._was_replaced(record):
            _log.warning("batch %d has been replaced in the meantime: not sealed", record.number)
            return
        there = counts.get(record.batch_id, {})
        seal = seal_of(
            delivery,
            [fact.tally for fact in facts],
            before=self._seals.get(record.batch_id),
            target=self.target,
            indices=there,
            dead_files=tuple(fact.dead_file for fact in facts if fact.dead_file),
            swept=swept,
            ignored=self.index.ignored([record.batch_id]) if there else {},
            begun=begun,
            writer=self.run_id,
            url=self.url,
        )
        check_seal(seal)
        write_seal(self.lake, self.target.name, seal)
        report_dead(record, facts)
        self.exported.append(
            Exported(
                seal=seal,
                indexed=seal.indexed - delivery.kept,
                created=sum(fact.tally.created for fact in facts),
            )
        )

    def _was_replaced(self, record: BatchRecord) -> bool:
        """Return whether another run has sealed, or somebody accepted, its successor meanwhile."""
        later = read_log(self.lake, after=len(self._records))
        states = decide([*self._records, *later], accepted_ids(self.lake))
        return states[record.batch_id].state != LIVE

    def _sweep(self, old: str, successor: BatchRecord) -> int:
        return sweep(self.index, old, version=successor.number, url=self.url)
