"""Add up what the tasks of a batch did, prove it, and write the batch's record."""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import pyarrow as pa

from ingest.contract import CONTRACT_VERSION, FILES
from ingest.errors import BooksError, ObjectChanged, ObjectUnreadable
from ingest.job.attempt import store
from ingest.job.look import content_of
from ingest.job.plan import Plan
from ingest.job.readings import Move, Reading
from ingest.job.task import (
    CHANGED,
    RangeFacts,
    TaskFacts,
    failed_verdict,
    still_the_log,
)
from ingest.lake.counts import COUNTS, add_counts
from ingest.lake.identity import content_hash
from ingest.lake.parquet import ParquetSink
from ingest.lake.records import RECORD_FORMAT, BatchRecord, NamedFile, ObjectRecord, Totals
from ingest.lake.refused import REFUSED
from ingest.parse.fingerprint import fingerprint
from ingest.parse.model import PARSER_VERSION, ObjectVerdict
from ingest.render import arrow_schema
from ingest.settings import HASH_CHUNK_BYTES, Source
from ingest.storage import Storage, StoredObject

# Which verdict an object has when its ranges have several: section 1.4 of the formats.
_PRECEDENCE = (
    "failed",
    "rejected",
    "corrupt_gzip",
    "empty",
    "double_gzip",
    "trailing_garbage",
    "misnamed",
    "ok",
)
_REASON_BYTES = FILES.column("file_reason").width or 0


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A batch added up: the verdict on each log, by name, and the files that hold its rows.

    `files` maps events and rejects to their files; those of voided objects are left out.
    """

    plan: Plan
    verdicts: Mapping[str, ObjectVerdict]
    files: Mapping[str, tuple[NamedFile, ...]]

    @property
    def failed(self) -> dict[str, str]:
        """The reasons of the objects that could not be read, by key."""
        return {
            reading.found.key: self.verdicts[reading.name].file_reason or ""
            for reading in self.plan.batch.readings
            if self.verdicts[reading.name].file_status == "failed"
        }

    @property
    def refused_corrections(self) -> dict[str, str]:
        """Why objects that should have corrected a log are refused, by key."""
        return {
            reading.found.key: f"{verdict.file_status}: {verdict.file_reason}"
            for reading in self.plan.batch.readings
            if reading.corrects
            and (verdict := self.verdicts[reading.name]).file_status in REFUSED
            and verdict.file_status != "failed"
        }

    @property
    def has_news(self) -> bool:
        """Whether the ledger of logs has anything to learn of this batch."""
        failed = len(self.failed)
        return len(self.objects) > failed

    @property
    def waiting(self) -> dict[str, int]:
        """The bytes that wait for the end of their line, by key."""
        return {
            reading.found.key: self.verdicts[reading.name].waiting_bytes
            for reading in self.plan.batch.readings
            if self.verdicts[reading.name].waiting_bytes
        }

    @cached_property
    def objects(self) -> tuple[ObjectRecord, ...]:
        """What the record says of each log: what was read of it, and where it lies now."""
        read = [
            _object_record(reading, self.verdicts[reading.name])
            for reading in self.plan.batch.readings
            if _is_news(reading, self.verdicts[reading.name])
        ]
        return (*read, *map(_move_record, self.plan.batch.moves))


def add_up(plan: Plan, facts: Sequence[TaskFacts], root: Storage) -> Tally:
    """Return the tally of `plan`, whose logs lie in `root`.

    Raises BooksError when lines, rows or tasks do not add up.
    """
    ranges: dict[str, list[RangeFacts]] = defaultdict(list)
    for task in facts:
        for done in task.ranges:
            ranges[done.name].append(done)
    planned = sum(len(task.ranges) for task in plan.tasks)
    _equal("ranges of the plan", planned, sum(map(len, ranges.values())))
    verdicts = {
        reading.name: _judge(reading, ranges[reading.name], root) for reading in plan.batch.readings
    }
    tally = Tally(plan=plan, verdicts=verdicts, files=_named_files(facts, verdicts))
    _check_books(tally)
    return tally


def _judge(reading: Reading, ranges: Sequence[RangeFacts], root: Storage) -> ObjectVerdict:
    """Return the verdict on what was read of one log, in one range or in several."""
    verdict = merge(ranges)
    if len(ranges) == 1 or verdict.file_status in REFUSED:
        return verdict
    # Only now is it known where the content ends: no range could see both of its ends.
    content = content_of(root, reading.found)
    try:
        opening = content.opening
        _, before = content.scan({verdict.end})
    except (ObjectUnreadable, ObjectChanged) as error:
        return failed_verdict(f"{CHANGED}: {error}")
    ends = fingerprint(opening, before[verdict.end], verdict.end)
    return still_the_log(
        reading.log,
        replace(
            verdict,
            opening=ends.opening,
            head=ends.head,
            tail=ends.tail,
            range_hash=content_hash(verdict.range_digests),
        ),
    )


def merge(ranges: Iterable[RangeFacts]) -> ObjectVerdict:
    """Return the verdict on a log from those on its ranges; a voided one counts nothing."""
    verdicts = [done.verdict for done in sorted(ranges, key=lambda done: done.start)]
    worst = min(verdicts, key=lambda verdict: _PRECEDENCE.index(verdict.file_status))
    digests = tuple(digest for verdict in verdicts for digest in verdict.chunk_digests)
    reason = _cut(worst.file_reason)
    if worst.file_status in REFUSED or len(verdicts) == 1:
        return replace(worst, file_reason=reason, chunk_digests=digests)
    # The line that waits is the last one, whichever range it begins in: nothing after it counts.
    count = next((n for n, v in enumerate(verdicts, 1) if v.waiting_bytes), len(verdicts))
    consumed = verdicts[:count]
    return ObjectVerdict(
        source_format=next((v.source_format for v in verdicts if v.source_format), None),
        file_status=worst.file_status,
        file_reason=reason,
        min_event_time=min(_known(verdict.min_event_time for verdict in verdicts), default=None),
        max_event_time=max(_known(verdict.max_event_time for verdict in verdicts), default=None),
        counts=_sum_counts(verdicts),
        start=verdicts[0].start,
        end=consumed[-1].end,
        waiting_bytes=consumed[-1].waiting_bytes,
        chunk_digests=digests,
        range_digests=tuple(digest for verdict in consumed for digest in verdict.range_digests),
        **add_counts(verdicts),
    )


def write_record(tally: Tally, lake: Storage, *, source: Source, writer: str) -> BatchRecord:
    """Write the batch's files.parquet and return its record, number and sealing time open.

    Raises BooksError when a file in the lake is not as large as its task says.
    """
    plan = tally.plan
    files = {**tally.files, FILES.name: (_write_files_table(tally, lake),)}
    for named in (named for group in files.values() for named in group):
        _equal(f"bytes of {named.path}", named.bytes, lake.stat(named.path).size)
    return BatchRecord(
        format=RECORD_FORMAT,
        number=0,
        batch_id=plan.batch_id,
        writer=writer,
        sealed_at=plan.ingest_time,
        ingest_time=plan.ingest_time,
        source=source.name,
        contract_version=CONTRACT_VERSION,
        parser_version=PARSER_VERSION,
        settings_hash=plan.settings_hash,
        range_bytes=plan.range_bytes,
        reject_limit_ratio=source.reject_limit_ratio,
        replaces=plan.batch.replaces,
        objects=tally.objects,
        files=files,
        totals=_totals(tally),
    )


def _named_files(
    facts: Sequence[TaskFacts], verdicts: Mapping[str, ObjectVerdict]
) -> dict[str, tuple[NamedFile, ...]]:
    void = {name for name, verdict in verdicts.items() if verdict.file_status in REFUSED}
    named: dict[str, list[NamedFile]] = {"events": [], "rejects": []}
    for task in sorted(facts, key=lambda task: task.number):
        for file in task.files:
            if file.name not in void:
                named[file.table].append(file.file)
    return {table: tuple(files) for table, files in named.items()}


def _check_books(tally: Tally) -> None:
    for name, verdict in tally.verdicts.items():
        _equal(f"lines of {name}", verdict.lines_read, verdict.judged)
    verdicts = tally.verdicts.values()
    rows = {table: sum(file.rows for file in files) for table, files in tally.files.items()}
    _equal("events", sum(verdict.events for verdict in verdicts), rows["events"])
    _equal("rejects", sum(verdict.lines_reject for verdict in verdicts), rows["rejects"])


def _equal(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise BooksError(
            f"{what} do not balance: expected {expected:,}, found {found:,}; nothing was sealed;"
            " this is a bug: please report it together with the raw file"
        )


def _write_files_table(tally: Tally, lake: Storage) -> NamedFile:
    plan = tally.plan
    attempt = uuid.uuid4().hex[:12]
    key = f"files/batch_id={plan.batch_id}/part=driver-{attempt}/files.parquet"
    rows = [
        _files_row(plan.batch_id, found, tally.verdicts.get(found.source_file))
        for found in tally.objects
    ]
    with ParquetSink(lake.spool(key), FILES) as sink:
        sink.write(pa.Table.from_pylist(rows, schema=arrow_schema(FILES)))
        return store(lake, key, sink)


def _files_row(
    batch_id: str, found: ObjectRecord, verdict: ObjectVerdict | None
) -> dict[str, object]:
    codes = dict(verdict.counts) if verdict is not None and not found.is_move else {}
    taken = (
        "source_file", "etag", "source_format", "file_status", "file_reason", "min_event_time",
        "max_event_time",
    )  # fmt: skip
    return {
        "batch_id": batch_id,
        "size_bytes": found.size,
        "counts": json.dumps(codes, sort_keys=True, separators=(",", ":")),
        "object_key": found.key,
        "start_offset": found.start,
        "end_offset": found.end,
        **{name: getattr(found, name) for name in (*taken, *COUNTS)},
    }


def _is_news(reading: Reading, verdict: ObjectVerdict) -> bool:
    """Return whether the ledger has anything to learn: bytes, a verdict, or another place."""
    if verdict.lines_read or verdict.file_status != "ok" or not verdict.waiting_bytes:
        return True
    if reading.corrects:  # what was there before is no more
        return True
    # All that there is waits for the end of its line: a new log has nothing to be known by yet.
    return reading.log is not None and reading.log.key != reading.found.key


def _object_record(reading: Reading, verdict: ObjectVerdict) -> ObjectRecord:
    found = reading.found
    voided = verdict.file_status in REFUSED
    return ObjectRecord(
        source_file=reading.name,
        key=found.key,
        size=found.size,
        etag=found.etag,
        start=0 if voided else reading.resume,
        end=0 if voided else verdict.end,
        waiting_bytes=verdict.waiting_bytes,
        opening=verdict.opening,
        head=verdict.head,
        tail=verdict.tail,
        content_hash=_whole_hash(found, verdict),
        range_hash=verdict.range_hash,
        source_format=verdict.source_format,
        file_status=verdict.file_status,
        file_reason=verdict.file_reason,
        min_event_time=verdict.min_event_time,
        max_event_time=verdict.max_event_time,
        corrects=reading.corrects,
        **add_counts([verdict]),
    )


def _move_record(move: Move) -> ObjectRecord:
    log, found = move.log, move.found
    return ObjectRecord(
        source_file=log.name,
        key=found.key,
        size=found.size,
        etag=found.etag,
        start=log.consumed,
        end=log.consumed,
        waiting_bytes=move.waiting_bytes,
        opening=log.opening,
        head=log.head,
        tail=log.tail,
        content_hash=None,
        source_format=log.source_format,
        file_status="ok",
        file_reason=None,
    )


def _whole_hash(stored: StoredObject, verdict: ObjectVerdict) -> str | None:
    """Return the content hash, or None when not all bytes were read."""
    chunks = -(-stored.size // HASH_CHUNK_BYTES)
    if verdict.file_status == "failed" or len(verdict.chunk_digests) != chunks:
        return None
    return content_hash(verdict.chunk_digests)


def _totals(tally: Tally) -> Totals:
    verdicts = list(tally.verdicts.values())
    return Totals(
        objects=len(tally.objects),
        bytes=sum(found.size for found in tally.objects),
        rejects=sum(file.rows for file in tally.files["rejects"]),
        min_event_time=min(_known(verdict.min_event_time for verdict in verdicts), default=None),
        max_event_time=max(_known(verdict.max_event_time for verdict in verdicts), default=None),
        counts=_sum_counts(verdicts),
        **add_counts(verdicts),
    )


def _known(times: Iterable[datetime | None]) -> list[datetime]:
    return [time for time in times if time is not None]


def _sum_counts(verdicts: Iterable[ObjectVerdict]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for verdict in verdicts:
        total.update(verdict.counts)
    return dict(sorted(total.items()))


def _cut(reason: str | None) -> str | None:
    """Return `reason` within the width of its column, cut at a whole code point."""
    return reason and reason.encode()[:_REASON_BYTES].decode(errors="ignore")
