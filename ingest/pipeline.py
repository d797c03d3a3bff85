"""All hops in order. One that fails stops only what builds on it; the summary tells the rest.

Exit code of a run: 4 when the books do not balance, which stops it, as a job on EMR does that keeps
running without us; otherwise the most severe of 2, 1 and 3 that occurred.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ingest.books.refused import refused_by, refused_problems
from ingest.books.verify import Verification, verify
from ingest.errors import (
    BooksError,
    ClickstreamError,
    EmrStillRunning,
    EmrUnavailable,
    SearchServerError,
    TooManyRejects,
    described,
    gravest,
)
from ingest.job.run import IngestSummary
from ingest.lake.accepted import find_batches, how_to_accept, record_acceptances
from ingest.lake.records import open_lake, read_log
from ingest.lake.refused import Refused
from ingest.report import write_report
from ingest.search.export import ExportSummary, ask, export
from ingest.search.exporter import RunTasks as RunExportTasks
from ingest.settings import Settings
from ingest.terminal.interrupts import check_interrupted
from ingest.terminal.text import count_of, printable
from ingest.warehouse import Warehouse
from ingest.warehouse.build import build
from ingest.warehouse.dbt import DbtSummary
from ingest.warehouse.load import LoadSummary, load

_log = logging.getLogger(__name__)
# Characters. dbt repeats its call stack in each message; the beginning names the problem.
_MESSAGE = 300

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class RunSummary:
    """What a run did, hop by hop; None = nothing. `problems` say what went wrong, and why."""

    ingest: IngestSummary | None = None
    refused: Refused | None = None
    load: LoadSummary | None = None
    dbt: DbtSummary | None = None
    export: ExportSummary | None = None
    verification: Verification | None = None
    report: str | None = None
    problems: list[str] = field(default_factory=list)
    exit_code: int = 0

    def add_problem(self, problem: str, exit_code: int) -> None:
        """Note a problem; the most severe exit code is kept."""
        self.problems.append(problem)
        self.exit_code = gravest(self.exit_code, exit_code)


# Books that do not balance: every later hop would build on wrong numbers. A job that keeps running,
# or may have been sent: it would seal more meanwhile. One that failed has sealed whole batches.
_STOPPING = (BooksError, EmrStillRunning, EmrUnavailable)


class _Stopped(Exception):
    """A hop failed so that no other one may follow."""


def run_pipeline(
    settings: Settings,
    warehouse: Warehouse,
    *,
    ingest: Callable[[], IngestSummary],
    export_tasks: RunExportTasks,
    accept: Sequence[str] = (),
    truth: Path | None = None,
    full_refresh: bool = False,
) -> RunSummary:
    """Run all hops; `ingest` runs the first three, `export_tasks` the tasks of the last one.

    `full_refresh` builds all marts from landing, which a run does by itself where they are damaged.
    `accept` are ids of quarantined batches, or beginnings of ids. Raises ClickstreamError when the
    lake is empty even after the ingest, SettingsError, before anything is done, when `accept` names
    no batch or the search server will not do.
    """
    _ask_search_server(settings)
    lake = open_lake(settings.lake)
    record_acceptances(lake, find_batches(read_log(lake), accept))
    summary = RunSummary()
    with suppress(_Stopped):
        _hop(summary, "ingest", ingest)
        if not read_log(open_lake(settings.lake)):
            raise _nothing(settings, summary)
        if summary.ingest is not None:
            summary.refused = refused_by(summary.ingest)
        loaded = _hop(summary, "load", lambda: load(settings, warehouse))
        built = None
        if loaded is not None:
            drop = bool(loaded.replaced)
            built = _hop(
                summary,
                "dbt",
                lambda: build(settings, warehouse, drop_replaced=drop, full_refresh=full_refresh),
            )
        exported = _hop(summary, "export", lambda: export(settings, export_tasks))
        if built is not None and built.success and exported is not None:
            _verified(settings, warehouse, summary, truth)
        if built is not None:
            indexed = None if exported is None else exported.total
            _hop(summary, "report", lambda: write_report(settings, warehouse, indexed=indexed))
    _judge(settings, summary)
    return summary


def _ask_search_server(settings: Settings) -> None:
    """Raise SettingsError for a server that will not do, before minutes of work."""
    try:
        ask(settings)
    except SearchServerError as error:  # it may be back when its hop comes
        _log.warning("%s; continuing with everything up to the export", error)


def _hop(summary: RunSummary, name: str, run: Callable[[], Result]) -> Result | None:
    """Run one hop and keep its result in the summary's field `name`; None when it failed.

    A failure stops only this hop, unless it is one of _STOPPING: that raises _Stopped.
    """
    check_interrupted()
    _log.info("%s ...", name)
    try:
        result = run()
    except ClickstreamError as error:
        summary.add_problem(f"{name}: {described(error)}", error.exit_code)
        setattr(summary, name, error.done)
        if isinstance(error, _STOPPING):
            raise _Stopped from error
        return None
    setattr(summary, name, result)
    return result


def _verified(
    settings: Settings, warehouse: Warehouse, summary: RunSummary, truth: Path | None
) -> None:
    """Verify; where marts are wrong, build them again from landing and verify once more."""

    def look() -> Verification | None:
        return _hop(summary, "verification", lambda: verify(settings, warehouse, truth=truth))

    found = look()
    if found is None or not found.marts_differ:
        return
    _log.warning("the marts do not agree with landing; rebuilding them")
    again = _hop(
        summary,
        "dbt",
        lambda: build(settings, warehouse, drop_replaced=False, full_refresh=True),
    )
    if again is not None and again.success:
        look()


def _nothing(settings: Settings, summary: RunSummary) -> ClickstreamError:
    if summary.problems:
        error = ClickstreamError("\n".join(summary.problems))
        error.exit_code = summary.exit_code
        return error
    places = ", ".join(source.uri for source in settings.sources)
    return ClickstreamError(
        f"there is nothing to read in {places}: put raw logs there, name another place "
        "(CLICKSTREAM_RAW or clickstream.toml), or generate some with: clickstream sample "
        f"{settings.data}"
    )


def _judge(settings: Settings, summary: RunSummary) -> None:
    """Turn what the hops report without raising into problems and the exit code."""
    if summary.ingest is not None and summary.ingest.failed:
        names = ", ".join(printable(one.key) for one in summary.ingest.failed[:5])
        objects = count_of(len(summary.ingest.failed), "object")
        summary.add_problem(
            f"ingest: {objects} could not be read; the next run will try again: {names}", 1
        )
    if summary.ingest is not None:
        for problem, exit_code in refused_problems(settings, summary.ingest):
            summary.add_problem(f"ingest: {problem}", exit_code)
    for hops, batch_ids in _waiting(summary):
        summary.add_problem(f"{hops}: {_quarantined(batch_ids)}", TooManyRejects.exit_code)
    if summary.dbt is not None and not summary.dbt.success:
        failures = "".join(
            f"\n  {one.name}: {printable(one.message)[:_MESSAGE]}"
            for one in summary.dbt.failures[:5]
        )
        summary.add_problem(
            f"dbt: {count_of(summary.dbt.failed, 'model or test', 'models or tests')} failed; see "
            f"{settings.data / 'logs' / 'dbt.log'} for details:{failures}",
            1,
        )
    if summary.export is not None and summary.export.refusal is not None:
        summary.add_problem(f"export: {summary.export.refusal}", TooManyRejects.exit_code)
    if summary.verification is not None and not summary.verification.balanced:
        wrong = ", ".join(check.name for check in summary.verification.checks if not check.ok)
        summary.add_problem(
            f"verification: the books do not balance: {wrong}", BooksError.exit_code
        )


def _waiting(summary: RunSummary) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (hops, batch ids): load and export name the same unless one of them failed."""
    loaded = summary.load.quarantined if summary.load else ()
    exported = summary.export.quarantined if summary.export else ()
    if loaded and loaded == exported:
        yield "load and export", loaded
        return
    if loaded:
        yield "load", loaded
    if exported:
        yield "export", exported


def _quarantined(batch_ids: Sequence[str]) -> str:
    what = (
        "1 batch exceeds the reject limit of its source and is quarantined"
        if len(batch_ids) == 1
        else f"{len(batch_ids):,} batches exceed the reject limits of their sources and are "
        "quarantined"
    )
    return f"{what} (`clickstream status` shows why); {how_to_accept(batch_ids)}"
