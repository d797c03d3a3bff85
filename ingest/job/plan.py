"""Cut the objects of a batch into tasks of about one range each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ingest.contract import CONTRACT_VERSION
from ingest.errors import ObjectChanged, ObjectUnreadable
from ingest.job.discover import Batch
from ingest.lake.identity import batch_id
from ingest.lake.records import hash_json
from ingest.parse.model import PARSER_VERSION
from ingest.parse.sniff import SNIFF_BYTES, sniff
from ingest.settings import ParseSettings
from ingest.storage import Storage, StoredObject

# With many tiny objects, opening them is the work, so their number bounds a task too.
MAX_PACKED = 1_000
# Events of an object are buffered until its verdict is known, up to this many ranges of memory.
# Measured with 64 MiB ranges: 2 give a peak of 5.8 ranges above an idle worker, 4 give 7.5.
BUFFERED_RANGES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRange:
    """Bytes [start, end) of an object; `end` None = the whole object, whatever it is."""

    source_file: str
    size: int
    etag: str
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one task does: one range of a large object, or small objects as a whole.

    Plain values only. `number` counts the tasks of a batch from 0. `source` and `lake` are URIs.
    `buffered_bytes` bounds the events that are kept in memory until the verdict on their object is
    known.
    """

    batch_id: str
    number: int
    ingest_time: datetime
    source: str
    lake: str
    parse: ParseSettings
    buffered_bytes: int
    ranges: tuple[ObjectRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A batch ready to be run. Its id follows from its content alone, so it is the same again
    after a crash.
    """

    batch: Batch
    batch_id: str
    ingest_time: datetime
    settings_hash: str
    range_bytes: int
    tasks: tuple[Task, ...]


def make_plan(
    batch: Batch,
    root: Storage,
    *,
    lake: str,
    parse: ParseSettings,
    range_bytes: int,
    ingest_time: datetime,
) -> Plan:
    """Return the plan of `batch`, whose objects are in `root`.

    Reads the first bytes of objects above one range. `ingest_time` is UTC.
    """
    settings_hash = hash_settings(parse)
    identity = batch_id(
        batch.objects,
        range_bytes=range_bytes,
        parser_version=PARSER_VERSION,
        contract_version=CONTRACT_VERSION,
        settings_hash=settings_hash,
        replaces=batch.replaces,
    )
    tasks = tuple(
        Task(
            batch_id=identity,
            number=number,
            ingest_time=ingest_time,
            source=root.uri,
            lake=lake,
            parse=task_parse,
            buffered_bytes=BUFFERED_RANGES * range_bytes,
            ranges=ranges,
        )
        for number, (ranges, task_parse) in enumerate(_tasks(batch, root, parse, range_bytes))
    )
    return Plan(
        batch=batch,
        batch_id=identity,
        ingest_time=ingest_time,
        settings_hash=settings_hash,
        range_bytes=range_bytes,
        tasks=tasks,
    )


def hash_settings(parse: ParseSettings) -> str:
    """Return the hash of all that decides, besides the bytes, what an event looks like."""
    fields = dataclasses.asdict(parse)
    fields["future_limit"] = parse.future_limit.total_seconds()
    return hash_json(fields)


def _tasks(
    batch: Batch, root: Storage, parse: ParseSettings, range_bytes: int
) -> Iterator[tuple[tuple[ObjectRange, ...], ParseSettings]]:
    """Yield the ranges of each task with the settings to parse them by."""
    small = [stored for stored in batch.objects if stored.size <= range_bytes]
    for packed in _packs(small, range_bytes):
        yield tuple(_whole(stored) for stored in packed), parse
    for stored in batch.objects:
        if stored.size > range_bytes:
            yield from _large(stored, root, parse, range_bytes)


def _packs(objects: Iterable[StoredObject], range_bytes: int) -> Iterator[list[StoredObject]]:
    packed: list[StoredObject] = []
    size = 0
    for stored in objects:
        if packed and (size + stored.size > range_bytes or len(packed) == MAX_PACKED):
            yield packed
            packed, size = [], 0
        packed.append(stored)
        size += stored.size
    if packed:
        yield packed


def _large(
    stored: StoredObject, root: Storage, parse: ParseSettings, range_bytes: int
) -> Iterator[tuple[tuple[ObjectRange, ...], ParseSettings]]:
    """Yield one task per range, all of one format, or one for an object that cannot be cut."""
    try:
        head = root.read(stored.key, 0, SNIFF_BYTES, etag=stored.etag)
    except (ObjectUnreadable, ObjectChanged):  # the task fails likewise and gives the verdict
        yield (_whole(stored),), parse
        return
    sniffed = sniff(head, name=stored.key, settings=parse)
    if not sniffed.splittable or sniffed.format is None:
        yield (_whole(stored),), parse
        return
    # One object has one format: it is decided here, not by each range for itself.
    same = dataclasses.replace(parse, format=sniffed.format)
    for start in range(0, stored.size, range_bytes):
        end = min(start + range_bytes, stored.size)
        yield (dataclasses.replace(_whole(stored), start=start, end=end),), same


def _whole(stored: StoredObject) -> ObjectRange:
    return ObjectRange(source_file=stored.key, size=stored.size, etag=stored.etag)
