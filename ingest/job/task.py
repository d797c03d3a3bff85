"""One task: raw bytes of its ranges in, one directory of Parquet files and a row of facts out.

Runs in a Spark worker, or anywhere else: it knows no Spark. A task that is repeated, or runs
twice at once, writes into another directory each time, and only the batch record says which one
counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa

from ingest.contract import EVENTS, REJECTS, Table
from ingest.errors import ObjectChanged, ObjectUnreadable, ParserBug
from ingest.job.plan import ObjectRange, Task
from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES
from ingest.lake.ownership import Log
from ingest.lake.parquet import ParquetSink
from ingest.lake.records import NamedFile
from ingest.parse.model import Identity, ObjectVerdict, Parsed
from ingest.parse.reader import parse_object
from ingest.storage import Storage, open_storage

# Verdicts that void whatever was read before they were known.
# What the reason of `failed` begins with when an object was listed as something else.
CHANGED = "changed_during_read"
VOID = frozenset(("failed", "rejected", "corrupt_gzip"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFacts:
    """The verdict on one object range of the log `name`. `start` is where it starts."""

    name: str
    start: int
    verdict: ObjectVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFile:
    """A finished file. `name` is that of the only log in it, None when there are more."""

    table: str
    file: NamedFile
    name: str | None


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
    pa.set_cpu_count(1)  # Spark runs one task per core
    lake, source = open_storage(task.lake), open_storage(task.source)
    facts: list[RangeFacts] = []
    files: list[TaskFile] = []
    with _Attempt(lake, task) as shared:
        for wanted in task.ranges:
            verdict, own = _run_range(task, wanted, lake=lake, source=source, shared=shared)
            facts.append(RangeFacts(name=wanted.name, start=wanted.start, verdict=verdict))
            files += own
        files += shared.close(name=None)
    return TaskFacts(number=task.number, ranges=tuple(facts), files=tuple(files))


def _run_range(
    task: Task, wanted: ObjectRange, *, lake: Storage, source: Storage, shared: _Attempt
) -> tuple[ObjectVerdict, list[TaskFile]]:
    """Return the verdict on the range `wanted`, and the files that hold only its rows.

    Its rows are buffered until the verdict is known, then they go to `shared`. A range alone in its
    task, or too large for the buffer, goes straight to files of its own, which are dropped if the
    verdict voids them.
    """
    buffer = _Buffer(limit=task.buffered_bytes if len(task.ranges) > 1 else 0)
    with _Attempt(lake, task) as own:
        verdict = _parse(task, wanted, source, lambda parsed: buffer.take(parsed, own))
        if verdict.file_status in VOID:
            return verdict, []
        buffer.release(own if own.started else shared)
        return verdict, own.close(name=wanted.name)


def _parse(
    task: Task, wanted: ObjectRange, source: Storage, take: Callable[[Parsed], None]
) -> ObjectVerdict:
    def read(start: int, end: int) -> bytes:
        return source.read(wanted.key, start, end, etag=wanted.etag)

    identity = Identity(
        source_file=wanted.name, batch_id=task.batch_id, ingest_time=task.ingest_time
    )
    try:
        if wanted.size == 0:
            read(0, 0)  # nothing to parse, but it must be there and be readable
        for item in parse_object(
            read,
            wanted.size,
            name=wanted.key,
            identity=identity,
            settings=task.parse,
            start=wanted.start,
            end=wanted.end,
            resume=wanted.resume,
            stop=wanted.stop,
            first_line=wanted.first_line,
            final=wanted.final,
        ):
            if isinstance(item, ObjectVerdict):
                return still_the_log(wanted.log, item)
            take(item)
    except ObjectUnreadable as error:
        return failed_verdict(f"unreadable: {error}")
    except ParserBug as error:
        return failed_verdict(str(error))
    except ObjectChanged as error:
        return failed_verdict(f"{CHANGED}: {error}")
    raise AssertionError("parse_object ends with a verdict")


def still_the_log(log: Log | None, verdict: ObjectVerdict) -> ObjectVerdict:
    """Return `verdict`, or that the content is not that of `log`, which was listed.

    A file may be renamed between the listing and the reading, and another one lie in its place.
    """
    if log is None or verdict.file_status in VOID or verdict.head is None:
        return verdict
    known = min(log.consumed, verdict.end)  # both fingerprints are of so many bytes at least
    same = known < OPENING_BYTES or verdict.opening == log.opening
    if same and (known < FINGERPRINT_BYTES or verdict.head == log.head):
        return verdict
    return failed_verdict(f"{CHANGED}: another log lies there now; the next run reads it")


def failed_verdict(reason: str) -> ObjectVerdict:
    return ObjectVerdict(source_format=None, file_status="failed", file_reason=reason)


class _Buffer:
    """Rows of one object, kept until they are worth a file or go to a shared one."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._chunks: list[tuple[pa.Table, pa.Table]] = []
        self._bytes = 0

    def take(self, parsed: Parsed, own: _Attempt) -> None:
        """Keep the rows of `parsed`; above the limit, write all to `own` and keep nothing."""
        # Not `parsed` itself: its skipped lines, which are counted and no more, may be most of it.
        self._chunks.append((parsed.events, parsed.rejects))
        self._bytes += parsed.events.nbytes + parsed.rejects.nbytes
        if own.started or self._bytes > self._limit:
            self.release(own)

    def release(self, attempt: _Attempt) -> None:
        for events, rejects in self._chunks:
            attempt.write(events, rejects)
        self._chunks = []


class _Attempt:
    """The files of one fresh directory per table, opened with their first row.

    Leaving the `with` block without `close` removes them.
    """

    def __init__(self, lake: Storage, task: Task) -> None:
        self._lake = lake
        attempt = uuid.uuid4().hex[:12]
        self._folder = f"batch_id={task.batch_id}/part={task.number:05}-{attempt}"
        self._sinks: dict[str, tuple[str, ParquetSink]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def started(self) -> bool:
        """Whether anything was written."""
        return bool(self._sinks)

    def write(self, events: pa.Table, rejects: pa.Table) -> None:
        self._append(EVENTS, events)
        self._append(REJECTS, rejects)

    def close(self, *, name: str | None) -> list[TaskFile]:
        """Finish the files, make them durable in the lake and return them."""
        finished = []
        for table, (key, sink) in self._sinks.items():
            file = store(self._lake, key, sink)
            finished.append(TaskFile(table=table, file=file, name=name))
        return finished

    def _append(self, table: Table, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        if table.name not in self._sinks:
            key = f"{table.name}/{self._folder}/{table.name}.parquet"
            sink = ParquetSink(self._lake.spool(key), table)
            self._sinks[table.name] = key, self._stack.enter_context(sink)
        self._sinks[table.name][1].write(rows)


def store(lake: Storage, key: str, sink: ParquetSink) -> NamedFile:
    """Finish the file of `sink` and store it as `key`, durably; return how a record names it."""
    written = sink.close()
    lake.upload(written.path, key)
    return NamedFile(
        path=key,
        rows=written.rows,
        bytes=written.bytes,
        sha256=written.sha256,
        min_event_time=written.min_event_time,
        max_event_time=written.max_event_time,
    )
