"""Add up what the tasks of a batch did, prove it, and write the batch's record."""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from ingest.contract import CONTRACT_VERSION, FILES
from ingest.errors import BooksError
from ingest.job.plan import Plan
from ingest.job.task import VOID, RangeFacts, TaskFacts, store
from ingest.lake.counts import COUNTS, add_counts
from ingest.lake.identity import content_hash
from ingest.lake.parquet import ParquetSink
from ingest.lake.records import RECORD_FORMAT, BatchRecord, NamedFile, ObjectRecord, Totals
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A batch added up: the verdict on each object, and the files that hold its rows.

    `files` maps events and rejects to their files; those of voided objects are left out.
    """

    plan: Plan
    verdicts: Mapping[str, ObjectVerdict]
    files: Mapping[str, tuple[NamedFile, ...]]

    @property
    def failed(self) -> dict[str, str]:
        """The reasons of the objects that could not be read, by key."""
        return {
            key: verdict.file_reason or ""
            for key, verdict in self.verdicts.items()
            if verdict.file_status == "failed"
        }


def add_up(plan: Plan, facts: Sequence[TaskFacts]) -> Tally:
    """Return the tally of `plan`; raises BooksError when lines, rows or tasks do not add up."""
    ranges: dict[str, list[RangeFacts]] = defaultdict(list)
    for task in facts:
        for done in task.ranges:
            ranges[done.source_file].append(done)
    planned = sum(len(task.ranges) for task in plan.tasks)
    _equal("ranges of the plan", planned, sum(map(len, ranges.values())))
    verdicts = {stored.key: merge(ranges[stored.key]) for stored in plan.batch.objects}
    tally = Tally(plan=plan, verdicts=verdicts, files=_named_files(facts, verdicts))
    _check_books(tally)
    return tally


def merge(ranges: Iterable[RangeFacts]) -> ObjectVerdict:
    """Return the verdict on an object from those on its ranges; a voided one counts nothing."""
    verdicts = [done.verdict for done in sorted(ranges, key=lambda done: done.start)]
    worst = min(verdicts, key=lambda verdict: _PRECEDENCE.index(verdict.file_status))
    digests = tuple(digest for verdict in verdicts for digest in verdict.chunk_digests)
    reason = _cut(worst.file_reason)
    if worst.file_status in VOID or len(verdicts) == 1:
        return replace(worst, file_reason=reason, chunk_digests=digests)
    return ObjectVerdict(
        source_format=next((v.source_format for v in verdicts if v.source_format), None),
        file_status=worst.file_status,
        file_reason=reason,
        min_event_time=min(_known(verdict.min_event_time for verdict in verdicts), default=None),
        max_event_time=max(_known(verdict.max_event_time for verdict in verdicts), default=None),
        counts=_sum_counts(verdicts),
        chunk_digests=digests,
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
        objects=tuple(
            _object_record(stored, tally.verdicts[stored.key]) for stored in plan.batch.objects
        ),
        files=files,
        totals=_totals(tally),
    )


def _named_files(
    facts: Sequence[TaskFacts], verdicts: Mapping[str, ObjectVerdict]
) -> dict[str, tuple[NamedFile, ...]]:
    void = {key for key, verdict in verdicts.items() if verdict.file_status in VOID}
    named: dict[str, list[NamedFile]] = {"events": [], "rejects": []}
    for task in sorted(facts, key=lambda task: task.number):
        for file in task.files:
            if file.source_file not in void:
                named[file.table].append(file.file)
    return {table: tuple(files) for table, files in named.items()}


def _check_books(tally: Tally) -> None:
    for key, verdict in tally.verdicts.items():
        _equal(f"lines of {key}", verdict.lines_read, verdict.judged)
    verdicts = tally.verdicts.values()
    rows = {table: sum(file.rows for file in files) for table, files in tally.files.items()}
    _equal("events", sum(verdict.events for verdict in verdicts), rows["events"])
    _equal("rejects", sum(verdict.lines_reject for verdict in verdicts), rows["rejects"])


def _equal(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise BooksError(
            f"{what} do not balance: {expected:,} expected, {found:,} found; nothing was sealed."
            " This is a bug: please report it with the file"
        )


def _write_files_table(tally: Tally, lake: Storage) -> NamedFile:
    plan = tally.plan
    attempt = uuid.uuid4().hex[:12]
    key = f"files/batch_id={plan.batch_id}/part=driver-{attempt}/files.parquet"
    rows = [
        _files_row(plan.batch_id, stored, tally.verdicts[stored.key])
        for stored in plan.batch.objects
    ]
    with ParquetSink(lake.spool(key), FILES) as sink:
        sink.write(pa.Table.from_pylist(rows, schema=arrow_schema(FILES)))
        return store(lake, key, sink)


def _files_row(batch_id: str, stored: StoredObject, verdict: ObjectVerdict) -> dict[str, object]:
    counts = json.dumps(dict(verdict.counts), sort_keys=True, separators=(",", ":"))
    taken = ("source_format", "file_status", "file_reason", "min_event_time", "max_event_time")
    return {
        "batch_id": batch_id,
        "source_file": stored.key,
        "size_bytes": stored.size,
        "etag": stored.etag,
        "counts": counts,
        **{name: getattr(verdict, name) for name in (*taken, *COUNTS)},
    }


def _object_record(stored: StoredObject, verdict: ObjectVerdict) -> ObjectRecord:
    return ObjectRecord(
        source_file=stored.key,
        size=stored.size,
        etag=stored.etag,
        content_hash=_whole_hash(stored, verdict),
        source_format=verdict.source_format,
        file_status=verdict.file_status,
        file_reason=verdict.file_reason,
        **add_counts([verdict]),
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
        objects=len(verdicts),
        bytes=sum(stored.size for stored in tally.plan.batch.objects),
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
