"""The ledger of logs: which bytes of which log sealed batches own, and where it was last seen.

It is a pure function of the records, so a checkpoint of it is right whoever writes it first;
without any, the log of batches alone gives the same answer more slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import BooksError
from ingest.lake.records import BatchRecord, ObjectRecord, read_log, record_key
from ingest.storage import Storage, StoredObject

# A run reads at most about so many records before it knows what is owned.
CHECKPOINT_RECORDS = 50
_KEY = re.compile(r"checkpoints/(\d{20})\.parquet")
_EXPORTED = re.compile(r"exports/[^/]+/(\d{20})-\d+\.json")
_TIME = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("size", pa.int64()),
        ("etag", pa.string()),
        ("placed", pa.int64()),
        ("consumed", pa.int64()),
        ("waiting_bytes", pa.int64()),
        ("lines", pa.int64()),
        ("opening", pa.string()),
        ("head", pa.string()),
        ("tail", pa.string()),
        ("content_hash", pa.string()),
        ("source_format", pa.string()),
        ("min_event_time", _TIME),
        ("max_event_time", _TIME),
        ("batches", pa.list_(pa.string())),
    ]
)


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


@dataclass(frozen=True, slots=True)
class Ownership:
    """The ledger when the log of batches ended with record `last`: logs by their name."""

    last: int
    logs: Mapping[str, Log]

    def of_source(self, source: str) -> list[Log]:
        """Return the logs of one source."""
        return [log for log in self.logs.values() if log.source == source]

    def after(self, records: Iterable[BatchRecord]) -> Ownership:
        """Return the ledger once `records`, the next ones, are sealed too."""
        last, logs = self.last, dict(self.logs)
        for record in records:
            last = record.number
            for found in record.objects:
                for corrected in found.corrects:
                    logs.pop(corrected, None)
                if found.file_status != "failed":
                    logs[found.source_file] = _after(logs.get(found.source_file), found, record)
        return Ownership(last=last, logs=logs)


def read_ownership(lake: Storage) -> Ownership:
    """Return the ledger as it is now.

    Raises BooksError when the log of batches has a hole or the newest checkpoint is broken.
    """
    checkpoint = _read_checkpoint(lake, _newest_checkpoint(lake))
    return checkpoint.after(read_log(lake, after=checkpoint.last))


def check_whole(lake: Storage, records: Sequence[BatchRecord]) -> None:
    """Raise BooksError when `records`, the whole log, end before what was made of it.

    That is the newest checkpoint, and the newest batch that was exported.
    """
    exported = (_EXPORTED.fullmatch(found.key) for found in lake.list("exports/"))
    newest = max([_newest_checkpoint(lake), *(int(match[1]) for match in exported if match)])
    if len(records) < newest:
        raise BooksError(
            f"{lake.uri}: {record_key(len(records) + 1)} to {record_key(newest)} are missing,"
            " although a checkpoint or an export was made of them; records are never deleted:"
            " restore them from a backup"
        )


def write_checkpoint(lake: Storage, ownership: Ownership) -> None:
    """Write `ownership` as a checkpoint if it is due: many records after the newest one."""
    if ownership.last - _newest_checkpoint(lake) >= CHECKPOINT_RECORDS:
        lake.put_if_absent(_checkpoint_key(ownership.last), _to_parquet(ownership))


def _newest_checkpoint(lake: Storage) -> int:
    """Return the number of the last record in the newest checkpoint, 0 when there is none."""
    keys = (found.key for found in lake.list("checkpoints/"))
    return max((int(match[1]) for key in keys if (match := _KEY.fullmatch(key))), default=0)


def _checkpoint_key(number: int) -> str:
    return f"checkpoints/{number:020}.parquet"


def _read_checkpoint(lake: Storage, number: int) -> Ownership:
    if number == 0:
        return Ownership(last=0, logs={})
    key = _checkpoint_key(number)
    try:
        rows = pq.read_table(pa.BufferReader(lake.read(key))).to_pylist()
        logs = (Log(**{**row, "batches": tuple(row["batches"])}) for row in rows)
        return Ownership(last=number, logs={log.name: log for log in logs})
    except (pa.ArrowException, OSError, TypeError, KeyError) as error:
        raise BooksError(
            f"{lake.uri}/{key}: not a checkpoint ({error}); remove it: it is rebuilt from the"
            " batch records"
        ) from error


def _to_parquet(ownership: Ownership) -> bytes:
    logs = ownership.logs.values()
    columns = {name: [getattr(log, name) for log in logs] for name in _SCHEMA.names}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=_SCHEMA), sink)
    return bytes(sink.getvalue())


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
