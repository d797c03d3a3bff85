"""kill -9 at any point of an ingest: the next run ends as if nothing had happened."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ingest.errors import StorageError
from ingest.job.run import RunTasks, ingest
from ingest.job.task import run_task
from ingest.lake.parquet import open_parquet
from ingest.lake.records import ObjectRecord, Totals, read_log
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import open_storage

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 60
# An ingest as a process of its own: a small JVM, the same fan-out as everywhere.
INGEST = """
import sys
from pathlib import Path
from pyspark.sql import SparkSession
from ingest.job.run import ingest
from ingest.job.task import run_task
from ingest.settings import SearchSettings, Settings, Source
from ingest.spark.fanout import fanout

raw, lake = sys.argv[1:]
session = (
    SparkSession.builder.master("local[2,4]")
    .config("spark.driver.memory", "512m")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.log.level", "OFF")
    .config("spark.driver.extraJavaOptions", "JAVA")
    .getOrCreate()
)
settings = Settings(
    root=Path(lake), data=Path(lake), lake=lake, target="local",
    sources=(Source(name="raw", uri=raw),), search=SearchSettings(url="off"), range_bytes=8 << 20,
)
summary = ingest(settings, lambda tasks, label: fanout(session, tasks, run_task, label=label))
sys.exit(0 if len(summary.sealed) == 1 else 9)
""".replace(
    "JAVA",
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xlog:cds=off -Xlog:cds+dynamic=off"
    f" -XX:SharedArchiveFile={sys.prefix}/spark.jsa",
)
State = tuple[Totals, list[ObjectRecord], list[str]]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, access_lines: Callable[..., bytes]) -> Path:
    """About 20 MiB in 4 tasks, broken lines and a gzip object among them."""
    folder = tmp_path_factory.mktemp("raw")
    lines = b"".join(access_lines(5_000, first=n, pad=n % 89) + b"broken\n\n" for n in range(31))
    (folder / "large.log").write_bytes(lines)
    (folder / "small.log.gz").write_bytes(gzip.compress(access_lines(1_000, first=9_000_000)))
    return folder


def _settings(folder: Path, raw: Path) -> Settings:
    return Settings(
        root=folder,
        data=folder,
        lake=str(folder / "lake"),
        target="local",
        sources=(Source(name="raw", uri=str(raw)),),
        search=SearchSettings(url="off"),
        range_bytes=8 << 20,
    )


@pytest.fixture
def settings(tmp_path: Path, raw: Path) -> Settings:
    return _settings(tmp_path, raw)


def _state(settings: Settings) -> State:
    """Return the books and the event ids that the log names, in order."""
    lake = open_storage(settings.lake)
    (record,) = read_log(lake)
    ids: list[str] = []
    for file in record.files["events"]:
        table = open_parquet(lake, file.path).read(columns=["event_id"])
        ids += table["event_id"].to_pylist()
    return record.totals, list(record.objects), sorted(ids)


@pytest.fixture(scope="module")
def undisturbed(
    raw: Path, tmp_path_factory: pytest.TempPathFactory, run_tasks_here: RunTasks
) -> State:
    """The outcome of an ingest that is not killed."""
    settings = _settings(tmp_path_factory.mktemp("undisturbed"), raw)
    ingest(settings, run_tasks_here)
    state = _state(settings)
    assert len(state[2]) == len(set(state[2])) == 156_000
    return state


@contextmanager
def _running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """An ingest in a process group of its own, of which nothing is left afterwards."""
    command = [sys.executable, "-c", INGEST, settings.sources[0].uri, settings.lake]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    log = settings.data / "ingest.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, start_new_session=True, env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "the ingest did not come so far in time"
        try:
            code = process.wait(timeout=0.002)
        except subprocess.TimeoutExpired:
            continue
        assert happened(), f"the ingest ended with {code} before it could be killed"


def _at_least(settings: Settings, pattern: str, count: int) -> Callable[[], bool]:
    return lambda: len(list(Path(settings.lake).glob(pattern))) >= count


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("events/*/*", 1),
        ("events/*/*/events.parquet", 2),
        ("files/*/*", 1),
        ("batches/*.json", 1),
    ],
    ids=["first attempt", "half of the tasks", "before sealing", "right after sealing"],
)
def test_a_killed_ingest_is_completed_by_the_next(
    settings: Settings, undisturbed: State, run_tasks_here: RunTasks, pattern: str, count: int
) -> None:
    with _running(settings) as process:
        _wait_until(process, _at_least(settings, pattern, count))
        process.kill()
        ingest(settings, run_tasks_here)  # workers of the dead run may still write
        assert _state(settings) == undisturbed
    assert _state(settings) == undisturbed
    assert ingest(settings, run_tasks_here).nothing_new


def _ingest_once(settings: Settings) -> None:
    with suppress(StorageError):  # other runs were faster three times
        ingest(settings, lambda tasks, _: [run_task(task) for task in tasks])


@pytest.mark.parametrize("seed", range(2))
def test_ingests_at_once_that_are_killed_at_random(
    tmp_path: Path, access_lines: Callable[..., bytes], seed: int
) -> None:
    """Ten ingests overlap while logs come, grow and rotate; some are killed. No JVM is needed."""
    dice = random.Random(seed)  # noqa: S311
    raw = tmp_path / "raw"
    raw.mkdir()
    settings = _settings(tmp_path, raw)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.job.run"])
    written = 0

    def write(name: str) -> None:
        nonlocal written
        count = dice.randint(1, 1_500)
        with (raw / name).open("ab") as log:
            log.write(access_lines(count, first=written))
        written += count

    for index in range(8):
        write(f"{index}.log")
    processes = []
    for turn in range(10):
        processes.append(context.Process(target=_ingest_once, args=(settings,)))
        processes[-1].start()
        processes[-1].join(timeout=dice.random() / 5)
        if dice.random() < 0.4:
            dice.choice(processes).kill()
        name = f"{dice.randrange(12)}.log"
        if dice.random() < 0.3 and (raw / name).exists():
            (raw / name).rename(raw / f"{name}.{turn}")
        if dice.random() < 0.6:
            write(name)
    for process in processes:
        process.join(timeout=DEADLINE_SECONDS)
        assert process.exitcode in (0, -signal.SIGKILL)
        process.close()
    _ingest_once(settings)
    assert _pages(settings) == sorted(f"/page/{index}" for index in range(written))


def _pages(settings: Settings) -> list[str]:
    """Return the paths of all events, in order."""
    lake = open_storage(settings.lake)
    records = read_log(lake)
    assert len({record.batch_id for record in records}) == len(records)
    pages: list[str] = []
    for record in records:
        for file in record.files["events"]:
            pages += (
                open_parquet(lake, file.path).read(columns=["url_path"])["url_path"].to_pylist()
            )
    return sorted(pages)
