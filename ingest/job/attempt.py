"""The files of one attempt at a task, and what is kept of an object until it is judged."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa

from ingest.contract import EVENTS, REJECTS, Table
from ingest.job.plan import Task
from ingest.lake.parquet import ParquetSink
from ingest.lake.records import NamedFile
from ingest.parse.model import Parsed
from ingest.parse.rows import Row, events_table
from ingest.storage import Storage

# Rows of a chunk up to this size wait to share a table with others, which is built once the second
# number of bytes wait.
_SHARED_BYTES = 64 << 10
_TABLE_BYTES = 16 << 20
# What a table of the contract takes beside its values: a line over the limit is a table of its own.
_OVERHEAD_BYTES = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFile:
    """A finished file. `name` is that of the only log in it, None when there are more."""

    table: str
    file: NamedFile
    name: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Events and rejects of one chunk; the events as a table, and as rows of about `row_bytes`."""

    table: pa.Table
    rows: tuple[Row, ...]
    row_bytes: int
    rejects: pa.Table

    @property
    def bytes(self) -> int:
        # Asking a table without rows for its size takes as long as parsing ten lines.
        tables = (table for table in (self.table, self.rejects) if table.num_rows)
        return sum((int(table.nbytes) + _OVERHEAD_BYTES for table in tables), start=self.row_bytes)


def _kept_of(parsed: Parsed) -> Kept:
    """Return what is to be written of `parsed`; only a small chunk keeps its rows as they are."""
    if parsed.row_bytes > _SHARED_BYTES:
        return Kept(parsed.events, (), 0, parsed.rejects)
    return Kept(parsed.table, parsed.rows, parsed.row_bytes, parsed.rejects)


class Buffer:
    """Events and rejects of one object, kept until they are worth a file or go to a shared one."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._kept: list[Kept] = []
        self._bytes = 0

    def take(self, parsed: Parsed, own: Attempt) -> None:
        """Keep the events of `parsed`; above the limit, write all to `own` and keep nothing."""
        # Not `parsed` itself: its skipped lines, which are counted and no more, may be most of it.
        kept = _kept_of(parsed)
        self._kept.append(kept)
        self._bytes += kept.bytes
        if own.started or self._bytes > self._limit:
            self.release(own)

    def release(self, attempt: Attempt) -> None:
        """Write all that is kept to `attempt`."""
        for kept in self._kept:
            attempt.write(kept)
        self._kept = []


class Attempt:
    """The files of one fresh directory per table, opened with their first row.

    Leaving the `with` block without `close` removes them.
    """

    def __init__(self, lake: Storage, task: Task) -> None:
        self._lake = lake
        attempt = uuid.uuid4().hex[:12]
        self._folder = f"batch_id={task.batch_id}/part={task.number:05}-{attempt}"
        self._sinks: dict[str, tuple[str, ParquetSink]] = {}
        self._stack = ExitStack()
        self._rows: list[Row] = []
        self._row_bytes = 0

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
        return bool(self._sinks or self._rows)

    def write(self, kept: Kept) -> None:
        """Write the tables of `kept` now; its rows wait to share one."""
        self._append(EVENTS, kept.table)
        self._append(REJECTS, kept.rejects)
        self._rows += kept.rows
        self._row_bytes += kept.row_bytes
        if self._row_bytes > _TABLE_BYTES:
            self._flush()

    def close(self, *, name: str | None) -> list[TaskFile]:
        """Finish the files, make them durable in the lake and return them."""
        self._flush()
        finished = []
        for table, (key, sink) in self._sinks.items():
            file = store(self._lake, key, sink)
            finished.append(TaskFile(table=table, file=file, name=name))
        return finished

    def _flush(self) -> None:
        """Write the waiting rows as one table."""
        self._append(EVENTS, events_table(self._rows))
        self._rows, self._row_bytes = [], 0

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
