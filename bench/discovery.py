"""One new object among a million known ones in a bucket: what a run does besides listing them.

The listing comes from `bench.bucket`; all the rest is the product: its ledger, plan, task and seal.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pyarrow as pa

from bench.bucket import PagedBucket, content_of, key_of, stored
from bench.memory import in_a_process, peak_bytes
from bench.sealed import batch_record, object_record
from ingest.job import run
from ingest.job.discover import Listing, list_source
from ingest.job.task import run_task
from ingest.lake.checkpoint import SCHEMA, put_checkpoint
from ingest.lake.identity import content_hash
from ingest.lake.ownership import CHECKPOINT_RECORDS, Ownership
from ingest.lake.records import ObjectRecord, create_lake
from ingest.lake.seal import seal
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import s3

OBJECTS = 1_000_000
_URI = "s3://logs-of-the-shop"
# It comes late, between others that are known: there is no look-back window.
_NEW = OBJECTS // 2
# A backfill, then as many small runs as there may be before a checkpoint is due.
_BACKFILLED = 100
_RUNS, _OBJECTS_A_RUN = CHECKPOINT_RECORDS - 1, 20


@dataclass(frozen=True, slots=True)
class Discovery:
    """What one run took. `seconds` and `cpu_seconds` are those of all but the listing."""

    listing_seconds: float
    pages: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    lines: int


def discovery(folder: Path) -> tuple[Discovery, Discovery]:
    """Measure two runs over OBJECTS objects, of which one is new to the first: it has one line.

    The second one has to write a checkpoint besides, and nothing is new to it.
    """
    settings = Settings(
        root=folder,
        data=folder,
        lake=str(folder / "lake"),
        target="local",
        sources=(Source(name="raw", uri=_URI, settle_minutes=0, rotation=False),),
        search=SearchSettings(url="off"),
    )
    in_a_process(_seal_all_but_one, settings)
    os.sync()  # the run shall not wait for what was written before it
    return in_a_process(_measure, settings), in_a_process(_measure, settings)


def _seal_all_but_one(settings: Settings) -> None:
    """Write a checkpoint of the backfill, and the records of the runs after it."""
    lake = create_lake(settings.lake)
    known = [number for number in range(OBJECTS) if number != _NEW]
    early, late = known[: -_RUNS * _OBJECTS_A_RUN], known[-_RUNS * _OBJECTS_A_RUN :]
    put_checkpoint(lake, _BACKFILLED, _rows(early))
    for at in range(_RUNS):
        objects = list(_records(late[at * _OBJECTS_A_RUN : (at + 1) * _OBJECTS_A_RUN]))
        number = _BACKFILLED + 1 + at
        assert seal(lake, batch_record(number, objects), after=number - 1)


def _rows(numbers: list[int]) -> Iterator[pa.Table]:
    """Yield the ledger of the objects `numbers`, batch by batch."""
    size = -(-len(numbers) // _BACKFILLED)
    for batch, start in enumerate(range(0, len(numbers), size), 1):
        record = batch_record(batch, list(_records(numbers[start : start + size])))
        yield from Ownership().after([record]).tables(SCHEMA.names)


def _records(numbers: Iterable[int]) -> Iterator[ObjectRecord]:
    for number in numbers:
        content = content_of(number)
        hashed = content_hash([hashlib.sha256(content).digest()])
        yield object_record(
            f"{_URI}/{key_of(number)}", stored(number), first=content, last=content, hashed=hashed
        )


def _measure(settings: Settings) -> Discovery:
    bucket, spent = PagedBucket(OBJECTS), _Spent()
    with mock.patch.object(s3, "s3_client", return_value=bucket), _timed_listing(spent):
        started, started_cpu = time.perf_counter(), time.process_time()
        summary = run.ingest(settings, lambda tasks, _: [run_task(task) for task in tasks])
        seconds = time.perf_counter() - started - spent.seconds
        cpu_seconds = time.process_time() - started_cpu - spent.cpu_seconds
    return Discovery(
        listing_seconds=spent.seconds,
        pages=bucket.requests,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_bytes=peak_bytes(),
        lines=sum(record.totals.lines_read for record in summary.sealed),
    )


@dataclass
class _Spent:
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def _timed_listing(spent: _Spent) -> Iterator[None]:
    """Add to `spent` what the listings of the source take."""

    def timed(source: Source) -> Listing:
        started, started_cpu = time.perf_counter(), time.process_time()
        listing = list_source(source)
        spent.seconds += time.perf_counter() - started
        spent.cpu_seconds += time.process_time() - started_cpu
        return listing

    with mock.patch.object(run, "list_source", timed):
        yield
