"""kill -9 at any point of an ingest: the next run ends as if nothing had happened."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ingest.batches import ObjectRecord, Totals, read_log
from ingest.job import RunRows, ingest_with
from ingest.parquet import open_parquet
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import open_storage

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 60
# An ingest as a process of its own: a small JVM, the same fan-out as everywhere.
INGEST = """
import sys
from pathlib import Path
from pyspark.sql import SparkSession
from ingest.job import ingest
from ingest.settings import SearchSettings, Settings, Source

raw, lake = sys.argv[1:]
session = (
    SparkSession.builder.master("local[2,4]")
    .config("spark.driver.memory", "512m")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.log.level", "OFF")
    .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    .getOrCreate()
)
settings = Settings(
    root=Path(lake), data=Path(lake), lake=lake, target="local",
    sources=(Source(name="raw", uri=raw),), search=SearchSettings(url="off"), range_bytes=8 << 20,
)
summary = ingest(settings, session)
sys.exit(0 if len(summary.sealed) == 1 else 9)
"""
State = tuple[Totals, list[ObjectRecord], list[str]]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, access_lines: Callable[..., bytes]) -> Path:
    """About 48 MiB in 7 tasks, broken lines and a gzip object among them."""
    folder = tmp_path_factory.mktemp("raw")
    lines = b"".join(access_lines(5_000, first=n, pad=n % 89) + b"broken\n\n" for n in range(55))
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
    (record,) = read_log(open_storage(settings.lake))
    ids: list[str] = []
    for file in record.files["events"]:
        table = open_parquet(Path(settings.lake) / file.path).read(columns=["event_id"])
        ids += table["event_id"].to_pylist()
    return record.totals, list(record.objects), sorted(ids)


@pytest.fixture(scope="module")
def undisturbed(
    raw: Path, tmp_path_factory: pytest.TempPathFactory, run_rows_here: RunRows
) -> State:
    """What an ingest gives that nobody kills."""
    settings = _settings(tmp_path_factory.mktemp("undisturbed"), raw)
    ingest_with(settings, run_rows_here)
    state = _state(settings)
    assert len(state[2]) == len(set(state[2])) == 276_000
    return state


@contextmanager
def _running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """An ingest in a process group of its own, of which nothing is left afterwards."""
    command = [sys.executable, "-c", INGEST, settings.sources[0].uri, settings.lake]
    with subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        family = psutil.Process(process.pid)
        try:
            yield process
        finally:
            left = _family(family)
            if process.poll() is None:
                process.kill()
            for member in left:
                member.kill()
            psutil.wait_procs(left, timeout=DEADLINE_SECONDS)


def _family(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return list(parent.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


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
        ("events/*/*/events.parquet", 4),
        ("files/*/*", 1),
        ("batches/*.json", 1),
    ],
    ids=["first attempt", "half of the tasks", "before sealing", "right after sealing"],
)
def test_a_killed_ingest_is_made_up_for(
    settings: Settings, undisturbed: State, run_rows_here: RunRows, pattern: str, count: int
) -> None:
    with _running(settings) as process:
        _wait_until(process, _at_least(settings, pattern, count))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=DEADLINE_SECONDS)
        ingest_with(settings, run_rows_here)  # while workers of the dead run may still write
        assert _state(settings) == undisturbed
    assert _state(settings) == undisturbed
    assert ingest_with(settings, run_rows_here).nothing_new


def test_a_killed_worker_costs_only_its_task(settings: Settings, undisturbed: State) -> None:
    with _running(settings) as process:
        killed: list[int] = []

        def killed_one() -> bool:
            for member in _family(psutil.Process(process.pid)):
                if not killed and _is_writing(member):
                    member.kill()
                    killed.append(member.pid)
            return bool(killed)

        _wait_until(process, killed_one)
        assert process.wait(timeout=DEADLINE_SECONDS) == 0
    assert _state(settings) == undisturbed
    named = {file.path for file in read_log(open_storage(settings.lake))[0].files["events"]}
    written = {entry.key for entry in open_storage(settings.lake).list("events/")}
    assert len(named) == len(written) - 1  # what the dead worker left


def _is_writing(process: psutil.Process) -> bool:
    try:
        return any(file.path.endswith("events.parquet") for file in process.open_files())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
