"""All hops in order. One that fails stops only what builds on it; the summary says the rest.

Exit code of a run: 4 when books do not balance, else the worst of 2, 1 and 3 that happened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from ingest.books.verify import Verification, marts_are_built, verify
from ingest.errors import BooksError, ClickstreamError
from ingest.job.run import IngestSummary, ingest
from ingest.lake.records import open_lake, read_log
from ingest.report import write_report
from ingest.search.export import ExportSummary, export
from ingest.settings import Settings
from ingest.spark.failure import spark_failure
from ingest.terminal.text import printable
from ingest.warehouse.build_marker import build_key, is_built, mark_built, mark_stale
from ingest.warehouse.dbt import DbtSummary, run_dbt
from ingest.warehouse.spark.cleanup import remove_half_made
from ingest.warehouse.spark.load import LoadSummary, load
from ingest.warehouse.target import load_target

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_SEVERITY = (4, 2, 1, 3, 0)
# dbt repeats its call stack in each message; the first sentence names the trouble.
_MESSAGE = 300

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class RunSummary:
    """What a run did, hop by hop; None = the hop did not come to its end. `problems` say why."""

    ingest: IngestSummary | None = None
    load: LoadSummary | None = None
    dbt: DbtSummary | None = None
    export: ExportSummary | None = None
    verification: Verification | None = None
    report: Path | None = None
    problems: list[str] = field(default_factory=list)
    exit_code: int = 0

    def add_problem(self, problem: str, exit_code: int) -> None:
        """Note a problem; the gravest exit code stays."""
        self.problems.append(problem)
        self.exit_code = min(self.exit_code, exit_code, key=_SEVERITY.index)


def run_pipeline(
    settings: Settings,
    session: SparkSession,
    *,
    accept: Sequence[str] = (),
    truth: Path | None = None,
) -> RunSummary:
    """Do all hops. Raises ClickstreamError when the lake has nothing at all to offer."""
    summary = RunSummary()
    summary.ingest = _hop(settings, summary, "ingest", lambda: ingest(settings, session))
    if not read_log(open_lake(settings.lake)):
        raise _nothing(settings, summary)
    loaded = _hop(settings, summary, "load", lambda: load(settings, session, accept=accept))
    if loaded is not None:
        summary.load = loaded
        summary.dbt = _hop(settings, summary, "dbt", lambda: _build(settings, session, loaded))
    summary.export = _hop(
        settings, summary, "export", lambda: export(settings, session, accept=accept)
    )
    if summary.dbt is not None and summary.dbt.success and summary.export is not None:
        summary.verification = _hop(
            settings, summary, "verify", lambda: verify(settings, session, truth=truth)
        )
    if summary.dbt is not None:
        indexed = None if summary.export is None else summary.export.total
        summary.report = _hop(
            settings, summary, "report", lambda: write_report(settings, session, indexed=indexed)
        )
    _judge(settings, summary)
    return summary


def _hop(
    settings: Settings, summary: RunSummary, name: str, run: Callable[[], Result]
) -> Result | None:
    """Run one hop; books that do not balance stop everything, another failure only this hop."""
    _log.info("%s ...", name)
    try:
        return run()
    except BooksError:
        raise
    except ClickstreamError as error:
        failure = error
    except (PySparkException, Py4JError) as error:
        failure = spark_failure(error, settings.data)
    summary.add_problem(f"{name}: {failure}", failure.exit_code)
    return None


def _build(settings: Settings, session: SparkSession, loaded: LoadSummary) -> DbtSummary:
    """Build and test the models, unless they were built from the very same.

    What replaced batches left in pre-aggregates is dropped.
    """
    key = build_key(settings, session)
    schema = load_target(settings).schema
    if is_built(settings, key) and marts_are_built(session, schema):
        return DbtSummary(passed=0, warned=0, failed=0, skipped=0, failures=(), seconds=0.0)
    mark_stale(settings)
    remove_half_made(settings, session, schema)
    # Unit tests ask whether the SQL is right, not whether the data are: `make test` runs them.
    built = run_dbt(settings, "build", "--exclude-resource-type", "unit_test")
    if built.success and loaded.replaced:
        run_dbt(settings, "run-operation", "drop_replaced_batches")
    if built.success:
        mark_built(settings, key)
    return built


def _nothing(settings: Settings, summary: RunSummary) -> ClickstreamError:
    if summary.problems:
        error = ClickstreamError("\n".join(summary.problems))
        error.exit_code = summary.exit_code
        return error
    places = ", ".join(source.uri for source in settings.sources)
    return ClickstreamError(
        f"there is nothing to read in {places}: put raw logs there, name another place "
        "(CLICKSTREAM_RAW or clickstream.toml), or make some with: clickstream sample "
        f"{settings.data}"
    )


def _judge(settings: Settings, summary: RunSummary) -> None:
    """Turn what the hops report without raising into problems and the exit code."""
    if summary.ingest is not None and summary.ingest.failed:
        names = ", ".join(printable(one.source_file) for one in summary.ingest.failed[:5])
        count = len(summary.ingest.failed)
        summary.add_problem(
            f"ingest: {count} objects could not be read, tried again next time: {names}", 1
        )
    if summary.load is not None and summary.load.quarantined:
        ids = " ".join(f"--accept {one}" for one in summary.load.quarantined)
        summary.add_problem(
            f"load: {len(summary.load.quarantined)} batches exceed the reject limit of their "
            "source and are quarantined (`clickstream status` shows why); accept them with: "
            f"clickstream run {ids}",
            3,
        )
    if summary.dbt is not None and not summary.dbt.success:
        failures = "".join(
            f"\n  {one.name}: {printable(one.message)[:_MESSAGE]}"
            for one in summary.dbt.failures[:5]
        )
        summary.add_problem(
            f"dbt: {summary.dbt.failed} models or tests failed; the whole story is in "
            f"{settings.data / 'logs' / 'dbt.log'}:{failures}",
            1,
        )
    if summary.export is not None and summary.export.dead > summary.export.max_dead:
        files = ", ".join(summary.export.dead_files[:5])
        summary.add_problem(
            f"export: the engine refused {summary.export.dead:,} documents; they stand with their "
            f"reasons in the lake: {files}",
            3,
        )
    if summary.verification is not None and not summary.verification.balanced:
        wrong = ", ".join(check.name for check in summary.verification.checks if not check.ok)
        summary.add_problem(f"verify: the books do not balance: {wrong}", 4)
