"""One task: raw bytes of its ranges in, one directory of Parquet files and a row of facts out.

Runs in a Spark worker, or anywhere else: it knows no Spark. A task that is repeated, or runs
twice at once, writes into another directory each time, and only the batch record says which one
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from ingest.allocator import keep_freed_memory
from ingest.errors import ObjectChanged, ObjectUnreadable, ParserBug
from ingest.job.attempt import Attempt, Buffer, TaskFile
from ingest.job.plan import ObjectRange, Task
from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES
from ingest.lake.ownership import Log
from ingest.lake.refused import REFUSED
from ingest.parse.model import Identity, ObjectVerdict, Parsed
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings
from ingest.storage import Storage, open_storage

# What the reason of `failed` begins with when an object was listed as something else.
CHANGED = "changed_during_read"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFacts:
    """The verdict on one object range of the log `name`. `start` is where it starts."""

    name: str
    start: int
    verdict: ObjectVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What one attempt at the task `number` did: all that the driver ever learns of it."""

    number: int
    ranges: tuple[RangeFacts, ...]
    files: tuple[TaskFile, ...]


def run_task(task: Task) -> TaskFacts:
    """Parse the ranges of `task` into Parquet files of the lake and return the facts.

    Bad data and unreadable objects are verdicts. Raises whatever else goes wrong (a full disk, a
    bug), so that Spark tries the task again. The files are durable when this returns.
    """
    prepare_worker()
    lake, source = open_storage(task.lake), open_storage(task.source)
    facts: list[RangeFacts] = []
    files: list[TaskFile] = []
    with Attempt(lake, task) as shared:
        for wanted in task.ranges:
            verdict, own = _run_range(task, wanted, lake=lake, source=source, shared=shared)
            facts.append(RangeFacts(name=wanted.name, start=wanted.start, verdict=verdict))
            files += own
        files += shared.close(name=None)
    return TaskFacts(number=task.number, ranges=tuple(facts), files=tuple(files))


def prepare_worker() -> None:
    """Make a process that runs tasks share the machine with the others."""
    pa.set_cpu_count(1)  # Spark runs one task per core
    keep_freed_memory()


def _run_range(
    task: Task, wanted: ObjectRange, *, lake: Storage, source: Storage, shared: Attempt
) -> tuple[ObjectVerdict, list[TaskFile]]:
    """Return the verdict on the range `wanted`, and the files that hold only its rows.

    Its rows are buffered until the verdict is known, then they go to `shared`. A range alone in its
    task, or too large for the buffer, goes straight to files of its own, which are dropped if the
    verdict voids them.
    """
    buffer = Buffer(limit=task.buffered_bytes if len(task.ranges) > 1 else 0)
    with Attempt(lake, task) as own:
        verdict = _parse(task, wanted, source, lambda parsed: buffer.take(parsed, own))
        if verdict.file_status in REFUSED:
            return verdict, []
        buffer.release(own if own.started else shared)
        return verdict, own.close(name=wanted.name)


def _parse(
    task: Task, wanted: ObjectRange, source: Storage, take: Callable[[Parsed], None]
) -> ObjectVerdict:
    identity = Identity(
        source_file=wanted.name, batch_id=task.batch_id, ingest_time=task.ingest_time
    )
    for item in parse_range(source, wanted, identity=identity, settings=task.parse):
        if isinstance(item, ObjectVerdict):
            return still_the_log(wanted.log, item)
        take(item)
    raise AssertionError("parse_range ends with a verdict")


def parse_range(
    source: Storage, wanted: ObjectRange, *, identity: Identity, settings: ParseSettings
) -> Iterator[Parsed | ObjectVerdict]:
    """Yield the verdicts on the lines of the range `wanted` in `source`, then one ObjectVerdict.

    That it cannot be read is a verdict too. Raises ObjectUnavailable when it may be later.
    """

    def read(start: int, end: int) -> bytes:
        return source.read(wanted.key, start, end, etag=wanted.etag)

    try:
        if wanted.size == 0:
            read(0, 0)  # nothing to parse, but it must be there and be readable
        yield from parse_object(
            read,
            wanted.size,
            name=wanted.key,
            identity=identity,
            settings=wanted.settings(settings),
            start=wanted.start,
            end=wanted.end,
            resume=wanted.resume,
            stop=wanted.stop,
            first_line=wanted.first_line,
            final=wanted.final,
        )
    except ObjectUnreadable as error:
        yield failed_verdict(f"unreadable: {error}")
    except ParserBug as error:
        yield failed_verdict(str(error))
    except ObjectChanged as error:
        yield failed_verdict(f"{CHANGED}: {error}")


def still_the_log(log: Log | None, verdict: ObjectVerdict) -> ObjectVerdict:
    """Return `verdict`, or that the content is not that of `log`, which was listed.

    A file may be renamed between the listing and the reading, and another one lie in its place.
    """
    if log is None or verdict.file_status in REFUSED or verdict.head is None:
        return verdict
    known = min(log.consumed, verdict.end)  # both fingerprints are of so many bytes at least
    same = known < OPENING_BYTES or verdict.opening == log.opening
    if same and (known < FINGERPRINT_BYTES or verdict.head == log.head):
        return verdict
    return failed_verdict(f"{CHANGED}: another log lies there now; the next run reads it")


def failed_verdict(reason: str) -> ObjectVerdict:
    return ObjectVerdict(source_format=None, file_status="failed", file_reason=reason)
