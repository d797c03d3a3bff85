"""Hop 6: the live batches of the lake become documents of the index; what others call."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ingest.errors import ClickstreamError, TooManyRejects
from ingest.lake.accepted import accepted_ids, find_batches, record_acceptances
from ingest.lake.records import BatchRecord, lake_id, open_lake, read_log
from ingest.local_search import control
from ingest.pseudonyms import read_pseudonyms
from ingest.search.client import Target, connect, identify
from ingest.search.contents import compare
from ingest.search.credentials import public
from ingest.search.exporter import Exporter, RunTasks
from ingest.search.index import Counts, Index
from ingest.search.letters import refused_problem
from ingest.search.plan import Plan
from ingest.search.preparing import prepared
from ingest.search.proof import Proof, prove
from ingest.search.refusal import explained
from ingest.search.template import Marks
from ingest.settings import OFF, Settings
from ingest.storage import Storage
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

# The driver's requests may be repeated; the bulk loop has its own rules.
_RETRIES = 3
_ASK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What one export did, and what the index holds after it.

    `skipped` is whether search is off; then the counts are 0. `batches` are the numbers exported,
    `documents` = created + updated + dead of this run. `total` are the documents in the index and
    `expected` the events of the live batches: they differ by the dead letters of all runs
    (`refused`) and the documents of months that are no longer kept (`expired`). Both are None when
    that was not counted: in a dry run, and when the export failed. `quarantined` are ids that wait
    for `--accept`, `over_limit` numbers of batches with more dead letters than `max_dead`, of this
    run or an earlier one. `compared` are the values that index and lake agree on for the new
    batches, `sampled` their documents that were read back. `planned` are the numbers of the batches
    to export. `old_months` are indices that were deleted since their months are no longer kept, in
    a dry run those that would be.
    """

    skipped: bool = False
    url: str = ""
    index: str = ""
    planned: tuple[int, ...] = ()
    batches: tuple[int, ...] = ()
    documents: int = 0
    created: int = 0
    updated: int = 0
    dead: int = 0
    max_dead: int = 0
    dead_files: tuple[str, ...] = ()
    over_limit: tuple[int, ...] = ()
    old_months: tuple[str, ...] = ()
    swept: int = 0
    retries: int = 0
    quarantined: tuple[str, ...] = ()
    compared: int = 0
    sampled: int = 0
    total: int | None = None
    expected: int | None = None
    refused: int = 0
    expired: int = 0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """3 when there are more dead letters than allowed or quarantined batches, else 0."""
        return TooManyRejects.exit_code if self.over_limit or self.quarantined else 0

    @property
    def refusal(self) -> str | None:
        """What is wrong with the batches `over_limit`, None without any."""
        return refused_problem(self.over_limit, self.max_dead) if self.over_limit else None


def export(
    settings: Settings,
    run_tasks: RunTasks,
    *,
    accept: Collection[str] = (),
    recreate: bool = False,
    dry_run: bool = False,
    replay: bool = False,
) -> ExportSummary:
    """Export what the index lacks; `run_tasks` runs the tasks of each wave.

    `accept` are ids of quarantined batches, or beginnings of ids; every target accepts them then.
    `recreate` deletes our index first; `replay` sends the dead letters again, and nothing else;
    `dry_run` only plans and accepts nothing. Raises SettingsError without a lake, for an index that
    is not ours, or when `accept` names no batch, SearchServerError when the server is unreachable,
    BooksError when counts differ; nothing is lost, and the next run continues. Without an address
    the local search server is started, and stays up.
    """
    if settings.search.url == OFF:
        return ExportSummary(skipped=True)
    mark = _pseudonyms(settings)
    lake = open_lake(settings.lake, must_exist=True)
    records = read_log(lake)
    to_accept = find_batches(records, accept)
    url = _address(settings)
    with _connected(settings, lake, url, mark) as (index, target):
        if recreate and not dry_run:
            index.delete()
        exporter = Exporter(
            settings=settings, url=public(url), lake=lake, index=index, target=target
        )
        if dry_run:
            counts = _kept_by(index, recreate=recreate)
            accepted = accepted_ids(lake).union(to_accept)
            plan = _plan(exporter, records, accepted, counts, afresh=recreate, replay=replay)
            again = exporter.with_dead_letters(plan) if replay else ()
            exporter.old_months = () if recreate else tuple(index.old_months())
            return _summary(exporter, plan, again=again)
        index.check()
        record_acceptances(lake, to_accept)
        with prepared(index, exporter.run_id):
            accepted, counts = accepted_ids(lake), index.counts()
            plan = _plan(exporter, records, accepted, counts, afresh=recreate, replay=replay)
            with _done_so_far(exporter, plan):
                exporter.send(plan, run_tasks, replay=replay)
        with _done_so_far(exporter, plan):
            # The index lacks what waits: there is nothing to prove.
            proof = None if plan.waiting else exporter.prove(plan)
        return _summary(exporter, plan, proof)


def verify(settings: Settings) -> Proof | None:
    """Compare the index with the lake, values too, and change nothing; None when search is off.

    Without an address the local search server is started, and stays up. Raises SettingsError for an
    index that is not ours, SearchServerError when the server is unreachable.
    """
    if settings.search.url == OFF:
        return None
    mark = _pseudonyms(settings)
    lake = open_lake(settings.lake)
    url = _address(settings)
    with _connected(settings, lake, url, mark) as (index, target):
        counts = index.counts() if index.check() else {}
        proof = prove(lake, target, counts, is_kept=index.is_kept)
        if not counts:
            return proof
        return replace(proof, contents=compare(index, lake, proof.sealed, sample=False))


def ask(settings: Settings) -> None:
    """Ask the server of `settings` whether it could take an export; without an address, no one.

    For long work, before it begins: it takes a second or two. Raises SettingsError for a server
    that will not do, SearchServerError for one that does not answer now.
    """
    url = settings.search.url
    if url == OFF:
        return
    _pseudonyms(settings)
    if url is None:
        return
    product = settings.search.product
    with explained(url), connect(url, product=product, seconds=_ASK_SECONDS) as client:
        identify(client, settings.search.index)


@contextmanager
def _connected(
    settings: Settings, lake: Storage, url: str, pseudonyms: str | None
) -> Iterator[tuple[Index, Target]]:
    """Yield the index of `lake` at `url`, and where that is; the client is closed afterwards."""
    search = settings.search
    marks = Marks(
        lake=lake_id(lake),
        pseudonyms=pseudonyms,
        exclude=search.exclude,
        private_keys=search.private_keys,
    )
    with (
        explained(url),
        connect(url, product=search.product, compress=search.compress, retries=_RETRIES) as client,
    ):
        target = identify(client, search.index)
        yield Index(client=client, search=search, marks=marks, product=target.product), target


def _pseudonyms(settings: Settings) -> str | None:
    """Return the mark of what documents show of clients; SettingsError when its key is missing."""
    search = settings.search
    found = read_pseudonyms(search.pseudonymise, search.pseudonym_method, os.environ)
    return found.mark if found else None


def _address(settings: Settings) -> str:
    return settings.search.url or control.up(settings).url


def _plan(
    exporter: Exporter,
    records: Sequence[BatchRecord],
    accepted: Collection[str],
    counts: Counts,
    *,
    afresh: bool,
    replay: bool,
) -> Plan:
    """Return what is to be done; a replay leaves what is not in the index, and says so."""
    plan = exporter.plan(records, accepted, counts, afresh=afresh or replay)
    if not replay:
        return plan
    if plan.todo:
        _log.warning(
            "--replay sends dead letters only: run `clickstream export` for %s that the index lacks"
            " or holds in part",
            count_of(len(plan.todo), "batch", "batches"),
        )
    return plan.exported_only()


def _kept_by(index: Index, *, recreate: bool) -> Counts:
    """Return what an export would find in the index, which `recreate` would delete before."""
    if recreate:
        index.deletable()
        return {}
    return index.counts() if index.check() else {}


@contextmanager
def _done_so_far(exporter: Exporter, plan: Plan) -> Iterator[None]:
    """Attach to an error the summary of the batches that were exported before it."""
    try:
        yield
    except ClickstreamError as error:
        error.done = _summary(exporter, plan) if exporter.exported else None
        raise


def _summary(
    exporter: Exporter,
    plan: Plan,
    proof: Proof | None = None,
    *,
    again: Sequence[BatchRecord] = (),
) -> ExportSummary:
    seals = [one.seal for one in exporter.exported]
    created = sum(one.created for one in exporter.exported)
    indexed = sum(one.indexed for one in exporter.exported)
    dead = sum(seal.dead for seal in seals)
    max_dead = exporter.settings.search.max_dead
    return ExportSummary(
        url=exporter.url,
        index=exporter.index.name,
        planned=tuple(sorted(record.number for record in (*plan.todo, *again))),
        batches=tuple(seal.number for seal in seals),
        documents=indexed + dead,
        created=created,
        updated=indexed - created,
        dead=dead,
        max_dead=max_dead,
        dead_files=tuple(name for seal in seals for name in seal.dead_files),
        over_limit=proof.over_limit(max_dead) if proof else (),
        old_months=exporter.old_months,
        swept=sum(sum(seal.swept.values()) for seal in seals),
        retries=sum(seal.retries for seal in seals),
        quarantined=tuple(record.batch_id for record in plan.quarantined),
        total=proof.documents if proof else None,
        expected=proof.expected if proof else None,
        refused=proof.dead if proof else 0,
        expired=proof.expired if proof else 0,
        compared=proof.contents.compared if proof and proof.contents else 0,
        sampled=proof.contents.sampled if proof and proof.contents else 0,
        seconds=time.monotonic() - exporter.started,
    )
