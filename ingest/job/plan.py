"""Cut the objects of a batch into tasks of about one range each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ingest.contract import CONTRACT_VERSION
from ingest.errors import ObjectChanged, ObjectUnreadable
from ingest.job.discover import Batch
from ingest.lake.records import batch_id, hash_json
from ingest.parse.model import PARSER_VERSION, ParseSettings
from ingest.parse.sniff import SNIFF_BYTES, sniff
from ingest.storage import Storage, StoredObject

# Many tiny objects: opening them is the work, so their number bounds a task too.
MAX_PACKED = 1_000
# Events of an object are held until its verdict is known, up to this many ranges of memory.
# Measured with 64 MiB ranges: 2 give a peak of 5.8 ranges above an idle worker, 4 give 7.5.
HELD_RANGES = 2


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
    """What one task does: one slice of a large object, or small objects as a whole.

    Plain values only. `source` and `lake` are URIs. `held_bytes` bounds the events that are held
    in memory until the verdict on their object is known.
    """

    batch_id: str
    part: int
    ingest_time: datetime
    source: str
    lake: str
    parse: ParseSettings
    held_bytes: int
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
        batch.entries,
        range_bytes=range_bytes,
        parser_version=PARSER_VERSION,
        contract_version=CONTRACT_VERSION,
        settings_hash=settings_hash,
        replaces=batch.replaces,
    )
    tasks = tuple(
        Task(
            batch_id=identity,
            part=part,
            ingest_time=ingest_time,
            source=root.uri,
            lake=lake,
            parse=task_parse,
            held_bytes=HELD_RANGES * range_bytes,
            ranges=ranges,
        )
        for part, (ranges, task_parse) in enumerate(_tasks(batch, root, parse, range_bytes))
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
    """Return the hash of all that decides, beside the bytes, what an event looks like."""
    fields = dataclasses.asdict(parse)
    fields["future_limit"] = parse.future_limit.total_seconds()
    return hash_json(fields)


def _tasks(
    batch: Batch, root: Storage, parse: ParseSettings, range_bytes: int
) -> Iterator[tuple[tuple[ObjectRange, ...], ParseSettings]]:
    """Yield the ranges of each task with the settings to parse them by."""
    small = [entry for entry in batch.entries if entry.size <= range_bytes]
    for packed in _packs(small, range_bytes):
        yield tuple(_whole(entry) for entry in packed), parse
    for entry in batch.entries:
        if entry.size > range_bytes:
            yield from _large(entry, root, parse, range_bytes)


def _packs(entries: Iterable[StoredObject], range_bytes: int) -> Iterator[list[StoredObject]]:
    packed: list[StoredObject] = []
    size = 0
    for entry in entries:
        if packed and (size + entry.size > range_bytes or len(packed) == MAX_PACKED):
            yield packed
            packed, size = [], 0
        packed.append(entry)
        size += entry.size
    if packed:
        yield packed


def _large(
    entry: StoredObject, root: Storage, parse: ParseSettings, range_bytes: int
) -> Iterator[tuple[tuple[ObjectRange, ...], ParseSettings]]:
    """Yield one task per range, all of one format, or one for an object that cannot be cut."""
    try:
        head = root.read(entry.key, 0, SNIFF_BYTES, etag=entry.etag)
    except (ObjectUnreadable, ObjectChanged):  # the task finds the same and gives the verdict
        yield (_whole(entry),), parse
        return
    sniffed = sniff(head, name=entry.key, settings=parse)
    if not sniffed.splittable or sniffed.format is None:
        yield (_whole(entry),), parse
        return
    # One object has one format: it is decided here, not by each range for itself.
    same = dataclasses.replace(parse, format=sniffed.format)
    for start in range(0, entry.size, range_bytes):
        end = min(start + range_bytes, entry.size)
        yield (dataclasses.replace(_whole(entry), start=start, end=end),), same


def _whole(entry: StoredObject) -> ObjectRange:
    return ObjectRange(source_file=entry.key, size=entry.size, etag=entry.etag)
