"""The ledger of logs: which bytes of which log sealed batches own, and where it was last seen.

It is a pure function of the records, so a checkpoint of it is right whoever writes it first;
without any, the log of batches alone gives the same answer more slowly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.errors import BooksError
from ingest.lake.checkpoint import (
    NO_CHECKPOINT,
    SCHEMA,
    Checkpoint,
    newest_checkpoint,
    open_checkpoint,
    put_checkpoint,
)
from ingest.lake.records import BatchRecord, ObjectRecord, read_log, record_key
from ingest.storage import Storage, StoredObject

# A run reads at most about so many records before it knows what is owned.
CHECKPOINT_RECORDS = 50
_EXPORTED = re.compile(r"exports/[^/]+/(\d{20})-\d+\.json")
# Gets some rows of a few columns of the ledger, and returns a flag for each.
Choose = Callable[[pa.Table], pa.Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log as sealed batches know it.

    `name` is the `source_file` of its events. It was last seen at `key` of the source `source`,
    stored there with `size` and `etag`; record `placed` says so. `consumed` counts its content
    bytes that `batches` own, `lines` the lines in them; `waiting_bytes` after them were a last
    line without its end. `opening`, `head` and `tail` are fingerprints of the consumed bytes
    (`ingest.lake.identity`), None when there are none. `content_hash` is that of the stored bytes,
    None when they were not read in one go. The times span its events.
    """

    name: str
    source: str
    key: str
    size: int
    etag: str
    placed: int
    consumed: int
    waiting_bytes: int
    lines: int
    opening: str | None
    head: str | None
    tail: str | None
    content_hash: str | None
    source_format: str | None
    min_event_time: datetime | None
    max_event_time: datetime | None
    batches: tuple[str, ...]

    def lies_in(self, found: StoredObject) -> bool:
        """Return whether `found`, at the log's key, is just as it was, and nothing of it waits."""
        return self.lies_at(found) and not self.waiting_bytes

    def lies_at(self, found: StoredObject) -> bool:
        """Return whether `found`, at the log's key, is just as it was."""
        return (self.size, self.etag) == (found.size, found.etag)


def holders(logs: Iterable[Log]) -> dict[str, Log]:
    """Return by key the log that lies there: of several generations the one placed there last."""
    return {log.key: log for log in sorted(logs, key=lambda log: log.placed)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The ledger when the log of batches ended with record `last`.

    It is a checkpoint, and by name the logs of which records after it have told: `checkpoint` is
    without those.
    """

    last: int = 0
    checkpoint: Checkpoint = NO_CHECKPOINT
    newer: Mapping[str, Log] = field(default_factory=dict)

    @property
    def logs(self) -> dict[str, Log]:
        """All logs by name: a million of them take gigabytes."""
        return {log.name: log for log in self.select(["name"], lambda table: pc.is_valid(table[0]))}

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield `columns` of all logs, some rows at a time."""
        for group in self.checkpoint.groups:
            yield self.checkpoint.read(group, columns)
        yield _table(self.newer.values(), columns)

    def select(
        self, columns: Sequence[str], choose: Choose, *, span: tuple[str, str] | None = None
    ) -> list[Log]:
        """Return the logs that `choose` flags when it is given some rows of `columns`.

        `span` are the least and the greatest value of the first column that it may flag.
        """
        newer = list(self.newer.values())
        flags = choose(_table(newer, columns)).to_pylist()
        return [*self._unchanged(columns, choose, span), *compress(newer, flags)]

    def where(self, column: str, values: Collection[str]) -> list[Log]:
        """Return the logs whose `column` has one of `values`."""
        if not values:
            return []
        span = min(values), max(values)
        return self.select([column], _among(column, values), span=span)

    def without_sources(self, names: Collection[str]) -> Ownership:
        """Return the ledger without the logs of the sources `names`."""
        checkpoint = self.checkpoint.without("source", names)
        newer = {name: log for name, log in self.newer.items() if log.source not in names}
        return replace(self, checkpoint=checkpoint, newer=newer)

    def after(self, records: Iterable[BatchRecord]) -> Ownership:
        """Return the ledger once `records`, the next ones, are sealed too."""
        records = list(records)
        objects = [found for record in records for found in record.objects]
        names = {name for found in objects for name in (found.source_file, *found.corrects)}
        changed = {log.name: log for log in self._named(names)}
        last, logs = self.last, {**self.newer, **changed}
        for record in records:
            last = record.number
            for found in record.objects:
                for corrected in found.corrects:
                    logs.pop(corrected, None)
                if found.file_status != "failed":
                    logs[found.source_file] = _after(logs.get(found.source_file), found, record)
        checkpoint = self.checkpoint.without("name", changed) if changed else self.checkpoint
        return Ownership(last=last, checkpoint=checkpoint, newer=logs)

    def _named(self, names: Collection[str]) -> Iterator[Log]:
        """Yield the logs `names`, of those that no record has changed since."""
        if names:
            yield from self._unchanged(["name"], _among("name", names), (min(names), max(names)))

    def _unchanged(
        self, columns: Sequence[str], choose: Choose, span: tuple[str, str] | None
    ) -> Iterator[Log]:
        """Yield the logs that `choose` flags, of those that no record has changed since."""
        checkpoint = self.checkpoint
        groups = checkpoint.groups_within(columns[0], *span) if span else checkpoint.groups
        for group in groups:
            flags = choose(checkpoint.read(group, columns))
            if pc.any(flags).as_py():
                yield from _logs(checkpoint.read(group).filter(flags))


def read_ownership(lake: Storage) -> Ownership:
    """Return the ledger as it is now.

    Raises BooksError when the log of batches has a hole or the newest checkpoint is broken.
    """
    checkpoint = open_checkpoint(lake)
    known = Ownership(last=checkpoint.number, checkpoint=checkpoint)
    return known.after(read_log(lake, after=known.last))


def check_whole(lake: Storage, records: Sequence[BatchRecord]) -> None:
    """Raise BooksError when `records`, the whole log, end before what was made of it.

    That is the newest checkpoint, and the newest batch that was exported.
    """
    exported = (_EXPORTED.fullmatch(found.key) for found in lake.list("exports/"))
    newest = max([newest_checkpoint(lake), *(int(match[1]) for match in exported if match)])
    if len(records) < newest:
        raise BooksError(
            f"{lake.uri}: {record_key(len(records) + 1)} to {record_key(newest)} are missing,"
            " although a checkpoint or an export was made of them; records are never deleted:"
            " restore them from a backup"
        )


def write_checkpoint(lake: Storage, ownership: Ownership) -> None:
    """Write `ownership` as a checkpoint if it is due: many records after the newest one."""
    if ownership.last - newest_checkpoint(lake) >= CHECKPOINT_RECORDS:
        put_checkpoint(lake, ownership.last, ownership.tables(SCHEMA.names))


def _among(column: str, values: Collection[str]) -> Choose:
    wanted = pa.array(list(values), pa.string())
    return lambda table: pc.is_in(table[column], value_set=wanted)


def _table(logs: Iterable[Log], columns: Sequence[str]) -> pa.Table:
    logs = list(logs)
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    return pa.table({name: [getattr(log, name) for log in logs] for name in columns}, schema=schema)


def _logs(table: pa.Table) -> Iterator[Log]:
    for row in table.to_pylist():
        yield Log(**{**row, "batches": tuple(row["batches"])})


def _after(log: Log | None, found: ObjectRecord, record: BatchRecord) -> Log:
    """Return the log as it is once `record` has read `found` of it, or found it elsewhere."""
    before = log or _unread(found, record)
    if 0 < found.end <= before.consumed and not found.is_move:
        # Read again: what lies behind it was not looked at, and may still wait.
        return replace(before, batches=(*before.batches, record.batch_id))
    # One copy, not two: a record may hold 10,000 objects, and a ledger is made of many records.
    return replace(
        before,
        source=record.source,
        key=found.key,
        size=found.size,
        etag=found.etag,
        placed=record.number,
        waiting_bytes=found.waiting_bytes,
        content_hash=found.content_hash or before.content_hash,
        batches=before.batches if found.is_move else (*before.batches, record.batch_id),
        **_grown(before, found),
    )


def _grown(before: Log, found: ObjectRecord) -> dict[str, Any]:
    """Return what changes where bytes are new: they are not where a log moved."""
    if found.end <= before.consumed:
        return {}
    return {
        "consumed": found.end,
        "lines": before.lines + found.lines_read,
        "opening": found.opening,
        "head": found.head,
        "tail": found.tail,
        "source_format": found.source_format or before.source_format,
        "min_event_time": _earliest(before.min_event_time, found.min_event_time),
        "max_event_time": _latest(before.max_event_time, found.max_event_time),
    }


def _unread(found: ObjectRecord, record: BatchRecord) -> Log:
    return Log(
        name=found.source_file,
        source=record.source,
        key=found.key,
        size=found.size,
        etag=found.etag,
        placed=record.number,
        consumed=0,
        waiting_bytes=0,
        lines=0,
        opening=None,
        head=None,
        tail=None,
        content_hash=None,
        source_format=found.source_format,
        min_event_time=None,
        max_event_time=None,
        batches=(),
    )


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time is not None), default=None)


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)
