"""The whole job on Redshift (the stand-in), as users type it: golden numbers, and Spark's marts."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.redshift import Redshift
from support.leaks import files_in, leaks

from ingest import cli
from ingest.books.parity import compare_targets
from ingest.books.verify import Verification
from ingest.cli import engines
from ingest.job.run import RunTasks
from ingest.lake.records import BatchRecord, read_log
from ingest.poll import poll
from ingest.sample import write_sample
from ingest.settings import Settings, load_settings
from ingest.storage import open_storage
from ingest.warehouse import Warehouse, open_warehouse
from ingest.warehouse.dbt import run_dbt, write_docs
from ingest.warehouse.load import load
from ingest.warehouse.marts import read_tables
from ingest.warehouse.spark.warehouse import SparkWarehouse

pytestmark = pytest.mark.integration

# As users type it, blanks and capitals included.
KNOWN_QUERY = (
    "SELECT distinct(clientip),total_sessions from number_of_sessions_per_ip "
    "order by total_sessions desc limit 5"
)
SEED, LINES, SPLITS = 7, 1_500, 3
DEADLINE_SECONDS = 120
CORRECTED = "corrected.log"
CORRECTED_LINE = b'192.0.2.%d - - [10/Oct/2024:13:00:00 +0000] "GET / HTTP/1.1" %d 5 "-" "x"\n'


@dataclass(frozen=True, kw_only=True)
class Job:
    """An installation whose target is Redshift; `starts` has an entry for each start of Spark."""

    data: Path
    starts: list[str] = field(default_factory=list)

    def json(self, *arguments: str) -> Any:
        """Run `clickstream ... --json` in this process, expect exit code 0, return its object."""
        with redirect_stdout(io.StringIO()) as printed:
            code = cli.run([*arguments, "--json"])
        assert code == 0, (arguments, printed.getvalue())
        return json.loads(printed.getvalue())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows that `clickstream query` prints."""
        return [tuple(row) for row in self.json("query", sql)["rows"]]

    @property
    def settings(self) -> Settings:
        """What the commands work with."""
        return load_settings()

    def records(self) -> list[BatchRecord]:
        """Return the log of batches."""
        return list(read_log(open_storage(self.settings.lake)))


@pytest.fixture(scope="module")
def job(
    redshift_of_module: Redshift,
    s3_url: str,
    run_tasks_here: RunTasks,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Job]:
    """An empty installation; where Spark would parse, this process does."""
    from fixtures.s3_server import new_bucket, reached

    job = Job(data=tmp_path_factory.mktemp("job"))
    (job.data / "raw").mkdir()

    @contextmanager
    def spark_for(settings: Settings) -> Iterator[None]:
        job.starts.append(settings.target)
        yield

    with reached(s3_url) as s3, pytest.MonkeyPatch.context() as patch:
        environ = {
            **redshift_of_module.environ,
            "CLICKSTREAM_DATA": str(job.data),
            "CLICKSTREAM_LAKE": f"s3://{new_bucket(s3)}/lake",
            "CLICKSTREAM_TARGET": "redshift",
            "ES_URL": "off",
        }
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr(engines, "spark_for", spark_for)
        patch.setattr(engines, "ingest_tasks_on", lambda _session: run_tasks_here)
        yield job


@dataclass(frozen=True, kw_only=True)
class FirstRun:
    """What a run over the reference file printed, and the answers of its marts."""

    summary: dict[str, Any]
    answers: dict[str, list[tuple[Any, ...]]]


QUERIES = {
    "known": KNOWN_QUERY,
    "clients": "select count(*), sum(total_sessions), sum(total_events)"
    " from number_of_sessions_per_ip",
    "views": "select count(*), sum(number_of_views) from number_of_views_per_session",
    "statuses": "select status_code, total_events from number_of_events_per_http_response"
    " order by total_events desc",
    "brands": "select brand, total_events from number_of_events_per_brand order by 2 desc",
}


@pytest.fixture(scope="module")
def first(job: Job, seed_csv: Path) -> FirstRun:
    """The first run, over the reference file alone."""
    shutil.copy(seed_csv, job.data / "raw")
    summary = job.json("run")
    return FirstRun(
        summary=summary, answers={name: job.query(sql) for name, sql in QUERIES.items()}
    )


def test_the_reference_file_gives_the_golden_numbers(first: FirstRun) -> None:
    answers = first.answers
    assert answers["known"][0] == ("87.194.216.51", 120)
    assert answers["clients"] == [(182, 4633, 18501)]
    assert answers["views"] == [(15166, 15529)]
    assert answers["statuses"] == [
        (200, 17099), (503, 435), (408, 197), (406, 176), (400, 173), (500, 166), (505, 125),
        (404, 80), (403, 50),
    ]  # fmt: skip
    assert len(answers["brands"]) == 16
    assert [*answers["brands"][:3], answers["brands"][-1]] == [
        ("Micromax", 1626), ("XOLO", 1587), ("Intex", 1564), ("Panasonic", 43),
    ]  # fmt: skip


def test_the_books_of_the_first_run_balance(first: FirstRun) -> None:
    summary = first.summary
    assert summary["problems"] == []
    assert (summary["load"]["events"], summary["dbt"]["failed"], summary["dbt"]["warned"]) == (
        18501, 0, 0,
    )  # fmt: skip
    checks = {check["name"]: check["found"] for check in summary["verification"]["checks"]}
    assert checks["landing events = lake"] == 18501
    assert checks["number_of_sessions_per_ip = landing"] == 18501
    assert "4,633" in Path(summary["report"]).read_text(encoding="utf-8")


@pytest.mark.usefixtures("first")
def test_only_what_parses_starts_spark(job: Job) -> None:
    before = list(job.starts)
    again = job.json("run")
    (batch,) = job.json("status")["batches"]

    assert before[0] == "redshift"
    assert (again["load"]["loaded"], again["dbt"]["passed"]) == ([], 0)
    assert (batch["state"], batch["events"]) == ("live", 18501)
    assert job.json("load", "--dry-run") == {"steps": []}
    assert job.json("verify")["marts_differ"] is False
    assert Path(job.json("report")["report"]).is_file()
    assert job.json("export")["skipped"]
    assert job.json("ingest")["sealed"] == []
    assert job.starts == before


def test_dbts_own_commands_work(first: FirstRun, job: Job) -> None:
    """`dbt build` in the run; here unit tests of all models, source freshness and docs."""
    assert first.summary["dbt"]["passed"] > 40
    tested = run_dbt(job.settings, "test", "--select", "test_type:unit")
    assert (tested.failures, tested.skipped) == ((), 0)
    assert tested.passed >= 6
    fresh = run_dbt(job.settings, "source", "freshness")
    assert (fresh.passed, fresh.warned, fresh.failures) == (1, 0, ())
    write_docs(job.settings)
    catalog = json.loads((job.data / "dbt" / "catalog.json").read_text())
    columns = catalog["nodes"]["model.clickstream.number_of_sessions_per_ip"]["columns"]
    assert {name: column["type"] for name, column in columns.items()} == {
        "clientip": "character varying(256)",
        **dict.fromkeys(
            ("total_sessions", "total_events", "human_sessions", "human_events"), "bigint"
        ),
    }


def fill(job: Job, folder: Path, redshift: Redshift) -> list[BatchRecord]:
    """Ingest a sample in random batches, and a log that is corrected; return the log of batches.

    The marts of Redshift are built in increments, of which one has what another one replaces. A
    load comes while dbt builds the first one, and dbt is killed while it builds the second one.
    """
    write_sample(folder, lines=LINES, seed=SEED)
    logs = sorted(path for path in (folder / "raw").rglob("*") if path.is_file())
    random.Random(SEED).shuffle(logs)  # noqa: S311 - no secret
    add_logs(job, logs[::SPLITS], below=folder / "raw")
    correct(job, ["ingest"], count=40, status=200)
    job.json("load")
    add_logs(job, logs[1::SPLITS], below=folder / "raw")
    # Opened here: dbt, which is asked for the credentials, changes the environment of the process.
    with (
        closing(open_warehouse(job.settings)) as warehouse,
        ThreadPoolExecutor(1) as beside,
        held_back(redshift) as go_on,
    ):
        loaded = beside.submit(load_beside_dbt, job.settings, warehouse, redshift, go_on)
        run_models(job.settings, "run")
        assert loaded.result() == 1
    for split in range(2, SPLITS):
        add_logs(job, logs[split::SPLITS], below=folder / "raw")
    correct(job, ["replay", "--key", CORRECTED], count=20, status=404)
    job.json("load")
    kill_dbt(job, redshift)
    run_models(job.settings, "run")
    return job.records()


@contextmanager
def held_back(redshift: Redshift) -> Iterator[Callable[[], None]]:
    """Let dbt wait when it changes a pre-aggregate, which it may read; yield what ends it."""
    with redshift.connect() as connection:
        connection.cursor().execute(
            "lock table clickstream_intermediate.int_traffic_counted in exclusive mode"
        )
        yield connection.rollback


def wait_for_dbt(redshift: Redshift) -> None:
    """Return when it waits."""
    with redshift.connect() as connection, connection.cursor() as cursor:
        connection.autocommit = True
        assert poll(
            lambda: cursor.execute(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                " and datname = current_database() and position('int_traffic' in query) > 0"
            ).fetchone()[0],
            bool,
            delay_seconds=0.05,
            deadline_seconds=DEADLINE_SECONDS,
        )


def load_beside_dbt(
    settings: Settings, warehouse: Warehouse, redshift: Redshift, go_on: Callable[[], None]
) -> int:
    """Load while dbt is in the middle of a model; return the number of batches."""
    try:
        wait_for_dbt(redshift)
    finally:
        go_on()
    return len(load(settings, warehouse).loaded)


def kill_dbt(job: Job, redshift: Redshift) -> None:
    """Kill dbt in the middle of a model."""
    target = str(job.data / "killed")
    command = [sys.executable, "-m", "dbt.cli.main", "run", "--target-path", target]
    with held_back(redshift), subprocess.Popen(command, cwd=job.settings.root) as dbt:
        wait_for_dbt(redshift)
        dbt.kill()


def add_logs(job: Job, logs: Sequence[Path], *, below: Path) -> None:
    """Ingest `logs` as a batch of their own."""
    for path in logs:
        target = job.data / "raw" / path.relative_to(below)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    job.json("ingest", "--final")


def correct(job: Job, command: Sequence[str], *, count: int, status: int) -> None:
    """Write one log again, and run what reads it."""
    lines = (CORRECTED_LINE % (number, status) for number in range(count))
    (job.data / "raw" / CORRECTED).write_bytes(b"".join(lines))
    job.json(*command)


def run_models(settings: Settings, *command: str) -> None:
    built = run_dbt(settings, *command)
    assert [f"{failure.name}: {failure.message}" for failure in built.failures] == []


def copied_lake(uri: str, folder: Path) -> None:
    """Copy a lake; its records hold relative paths."""
    source, target = open_storage(uri), open_storage(str(folder))
    for stored in source.list():
        target.put(stored.key, source.read(stored.key))


def differences(result: Verification) -> list[str]:
    return [f"{check.name}: {check.detail}" for check in result.checks if not check.ok]


@pytest.mark.usefixtures("first")
def test_every_mart_has_the_rows_of_spark(
    job: Job,
    redshift_of_module: Redshift,
    empty_warehouse: Settings,
    spark_warehouse: SparkWarehouse,
    tmp_path: Path,
) -> None:
    """The reference file, a sample in random batches, and a replaced one.

    Redshift's marts are built in increments, those of Spark at once.
    """
    records = fill(job, tmp_path / "sample", redshift_of_module)
    # The reference file, the first split, the log that was corrected, the other splits, the log.
    assert [one.replaces for one in records] == [*[()] * (SPLITS + 2), (records[2].batch_id,)]
    copied_lake(job.settings.lake, Path(empty_warehouse.lake))
    local = replace(empty_warehouse, target="local")
    load(local, spark_warehouse)
    run_models(local, "build", "--resource-type", "model", "--resource-type", "seed")

    with closing(open_warehouse(job.settings)) as redshift:
        both = {"local": spark_warehouse, "redshift": redshift}
        result = compare_targets(job.settings.root, both)
    assert differences(result) == []
    assert {check.name.partition(":")[0] for check in result.checks if check.found} == {
        "live batches",
        *(table.name for table in read_tables(job.settings.root)),
    }


@pytest.mark.usefixtures("first")
def test_no_log_holds_a_secret_or_a_line(job: Job, redshift_of_module: Redshift) -> None:
    """Nor does anything else that commands and dbt write beside the raw logs."""
    from fixtures.s3_server import ACCESS

    secrets = [ACCESS["AWS_SECRET_ACCESS_KEY"], ACCESS["AWS_SESSION_TOKEN"]]
    with (job.data / "raw" / "Schematic_Log.csv").open(encoding="utf-8") as raw:
        line = raw.readlines()[1].strip()
    raw_logs = str(job.data / "raw")
    written = [found for found in files_in(job.data) if not found[0].startswith(raw_logs)]
    assert [name for name, _ in written if name.endswith("dbt.log")]
    assert leaks(written, [redshift_of_module.password, *secrets, line]) == []
