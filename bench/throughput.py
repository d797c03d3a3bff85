"""The task of the job on one core: the same bytes from a folder and from an S3 server beside it.

The lake is where the log is. Our process has one core for itself and the server has another one,
so that what S3 costs us is measured, and not what the server costs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from unittest import mock

from bench.gateway import gateway
from ingest.job.plan import make_plan
from ingest.job.readings import Batch, Reading
from ingest.job.task import run_task
from ingest.settings import ParseSettings
from ingest.storage import open_storage

RANGE_BYTES = 64 << 20  # what one task reads by default
_ROUNDS = 5
_KEY = "access.log"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a log and its lake are: URIs."""

    raw: str
    lake: str


@dataclass(frozen=True, slots=True)
class Speed:
    """Megabytes of raw text a second: by the clock, and by the time that the core worked for us."""

    wall: float
    cpu: float


def throughput(log: Path) -> dict[str, Speed]:
    """Return the median speed of both places, in rounds of one after the other.

    Raises GatewayMissing.
    """
    folder = log.parent
    buckets = folder / "buckets"
    for bucket in ("raw", "lake"):
        (buckets / bucket).mkdir(parents=True)
    places = {
        "folder": Place(str(folder / "throughput-raw"), str(folder / "throughput-lake")),
        "S3": Place("s3://raw", "s3://lake"),
    }
    ours, theirs = _two_cores()
    with (
        _on_core(theirs),
        gateway(buckets) as environ,
        mock.patch.dict(os.environ, environ),
        _worker_on(ours) as worker,
    ):
        return _speeds(worker, places, log)


def _two_cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    """Keep this process, and those that it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _worker_on(core: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1, get_context("spawn"), initializer=os.sched_setaffinity, initargs=(0, {core})
    )


def _speeds(worker: ProcessPoolExecutor, places: dict[str, Place], log: Path) -> dict[str, Speed]:
    for place in places.values():
        worker.submit(_put, place, log).result()
        worker.submit(_seconds, place).result()  # warm: imports, connections, page cache
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
    for _ in range(_ROUNDS):
        for name, place in places.items():
            rounds[name].append(worker.submit(_seconds, place).result())
    megabytes = log.stat().st_size / 1e6
    return {
        name: Speed(
            wall=megabytes / median(wall for wall, _ in spent),
            cpu=megabytes / median(cpu for _, cpu in spent),
        )
        for name, spent in rounds.items()
    }


def _put(place: Place, log: Path) -> None:
    open_storage(place.raw).put(_KEY, log.read_bytes())


def _seconds(place: Place) -> tuple[float, float]:
    """Return the seconds that the tasks of the log took, and those that the core worked."""
    root = open_storage(place.raw)
    plan = make_plan(
        Batch(readings=(Reading(name=_KEY, found=root.stat(_KEY)),)),
        root,
        lake=place.lake,
        parse=ParseSettings(format="access"),
        range_bytes=RANGE_BYTES,
        ingest_time=datetime.now(UTC),
    )
    os.sync()
    started, started_cpu = time.perf_counter(), time.process_time()
    for task in plan.tasks:
        facts = run_task(task)
        assert sum(file.file.rows for file in facts.files) > 0
    return time.perf_counter() - started, time.process_time() - started_cpu
