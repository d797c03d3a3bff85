"""The ingest on a real Spark: its tasks, retries and errors, and the real input."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError
from ingest.job.matching import Wishes
from ingest.job.plan import Task
from ingest.job.run import IngestSummary, RunTasks, ingest
from ingest.job.task import TaskFacts, run_task
from ingest.lake.parquet import open_parquet
from ingest.settings import Settings
from ingest.spark.fanout import fanout
from ingest.storage import open_storage

pytestmark = pytest.mark.integration

Lines = Callable[..., bytes]
MIB = 1 << 20


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def raw(settings: Settings) -> Path:
    return Path(settings.sources[0].uri)


@pytest.fixture(scope="module")
def run_on_spark(spark: SparkSession) -> RunTasks:
    """Run the tasks of a plan as the product does."""
    return lambda tasks, label: fanout(spark, tasks, run_task, label=label)


def _events(settings: Settings, summary: IngestSummary, *columns: str) -> list[dict[str, object]]:
    rows = []
    lake = open_storage(settings.lake)
    for record in summary.sealed:
        for file in record.files["events"]:
            rows += open_parquet(lake, file.path).read(columns=list(columns)).to_pylist()
    return rows


def test_all_kinds_of_input_balance(
    settings: Settings,
    raw: Path,
    run_on_spark: RunTasks,
    seed_csv: Path,
    hackers_log: Path,
    access_lines: Lines,
) -> None:
    plain = access_lines(2_000)
    contents = {
        "seed.csv": seed_csv.read_bytes(),
        "hackers.log": hackers_log.read_bytes(),
        "crlf.log": access_lines(10, first=10).replace(b"\n", b"\r\n"),
        "no-final-newline.log": access_lines(10, first=20)[:-1],
        "bom.log": b"\xef\xbb\xbf" + access_lines(10, first=30),
        "bytes.log": access_lines(1, first=40).replace(b"/page", b"/\xff\x00page") + b"\x00\n",
        "long.log": access_lines(1, first=50) + b"x" * (MIB + 1) + b"\n",
        "plain.log.gz": gzip.compress(plain),
        "cut.log.gz": gzip.compress(access_lines(2_000, first=60))[:-9],
        "empty.log": b"",
        "utf16.log": access_lines(3).decode().encode("utf-16"),
    }
    for name, content in contents.items():
        (raw / name).write_bytes(content)
    # A last line without its end would wait.
    summary = ingest(settings, run_on_spark, wishes=Wishes(final=True))
    (record,) = summary.sealed
    found = {one.key: (one.file_status, one.lines_read, one.events) for one in record.objects}
    assert found.pop("hackers.log")[:2] == ("ok", 3_456)
    assert found == {
        "seed.csv": ("ok", 18_502, 18_501),
        "crlf.log": ("ok", 10, 10),
        "no-final-newline.log": ("ok", 10, 10),
        "bom.log": ("ok", 10, 10),
        "bytes.log": ("ok", 2, 1),
        "long.log": ("ok", 2, 1),
        "plain.log.gz": ("ok", 2_000, 2_000),
        "cut.log.gz": ("corrupt_gzip", 0, 0),
        "empty.log": ("empty", 0, 0),
        "utf16.log": ("rejected", 0, 0),
    }
    totals = record.totals
    parts = totals.lines_ok + totals.lines_warn + totals.lines_skip + totals.lines_reject
    assert totals.lines_read == parts
    events = _events(settings, summary, "event_id")
    assert len({row["event_id"] for row in events}) == len(events) == totals.events
    assert ingest(settings, run_on_spark).nothing_new


def test_ranges_on_spark_give_what_one_task_gives(
    make_settings: Callable[..., Settings],
    raw: Path,
    tmp_path: Path,
    run_on_spark: RunTasks,
    run_tasks_here: RunTasks,
    access_lines: Lines,
) -> None:
    content = b"".join(access_lines(10_000, first=n, pad=n % 97) + b"bad\n\n" for n in range(12))
    (raw / "a.log").write_bytes(content)
    cut = make_settings()
    whole = make_settings(range_bytes=64 * MIB, lake=str(tmp_path / "other"))
    on_spark, here = ingest(cut, run_on_spark), ingest(whole, run_tasks_here)
    assert len(on_spark.sealed[0].files["events"]) == -(-len(content) // (8 * MIB))
    assert len(here.sealed[0].files["events"]) == 1
    columns = ("event_id", "url_original", "response_bytes", "source_offset")
    rows = [
        sorted(_events(*run, *columns), key=lambda row: str(row["event_id"]))
        for run in ((cut, on_spark), (whole, here))
    ]
    assert rows[0] == rows[1]
    assert on_spark.sealed[0].totals == here.sealed[0].totals
    assert on_spark.sealed[0].objects == here.sealed[0].objects


def test_a_failing_object_does_not_stop_the_others(
    settings: Settings, raw: Path, run_on_spark: RunTasks, access_lines: Lines
) -> None:
    (raw / "good.log").write_bytes(access_lines(3))
    (raw / "gone.log").symlink_to("nowhere")
    summary = ingest(settings, run_on_spark)
    assert summary.exit_code == 1
    assert [failed.key for failed in summary.failed] == ["gone.log"]
    assert summary.sealed[0].totals.events == 3
    (raw / "gone.log").unlink()
    (raw / "gone.log").write_bytes(access_lines(4, first=10))
    assert ingest(settings, run_on_spark).sealed[0].totals.events == 4


def test_a_worker_that_is_killed_costs_only_its_task(
    settings: Settings, raw: Path, tmp_path: Path, spark: SparkSession, access_lines: Lines
) -> None:
    (raw / "a.log").write_bytes(access_lines(1_000) * 200)
    flag = tmp_path / "killed"

    def run_and_die_once(task: Task) -> TaskFacts:
        facts = run_task(task)
        if task.number == 1 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return facts

    def run_tasks(tasks: Sequence[Task], label: str) -> list[TaskFacts]:
        return fanout(spark, tasks, run_and_die_once, label=label)

    summary = ingest(settings, run_tasks)
    assert flag.exists()
    assert summary.sealed[0].totals.events == 200_000
    events = _events(settings, summary, "event_id")
    assert len({row["event_id"] for row in events}) == len(events) == 200_000
    named = {file.path for file in summary.sealed[0].files["events"]}
    written = {found.key for found in open_storage(settings.lake).list("events/")}
    assert (len(named), len(written - named)) == (3, 1)  # one orphan: what the dead worker wrote


def test_workers_use_one_thread_each(spark: SparkSession) -> None:
    def run(_: int) -> tuple[str | None, str | None]:
        return os.environ.get("POLARS_MAX_THREADS"), os.environ.get("OMP_NUM_THREADS")

    assert fanout(spark, range(2), run, label="environment") == [("1", "1")] * 2


def test_the_number_of_tasks_at_once_is_capped(spark: SparkSession) -> None:
    def run(task: int) -> tuple[int, int]:
        return task, os.getpid()

    facts = fanout(spark, range(6), run, label="capped", at_most=1)
    assert [task for task, _ in facts] == list(range(6))
    assert len({worker for _, worker in facts}) == 1
    assert fanout(spark, [], run, label="nothing") == []


def test_a_task_that_always_fails_says_why(spark: SparkSession) -> None:
    def run(_: int) -> None:
        raise ValueError("the disk is full")

    with pytest.raises(ClickstreamError, match=r"^squares: ValueError: the disk is full$"):
        fanout(spark, range(2), run, label="squares")
