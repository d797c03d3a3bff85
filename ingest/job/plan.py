"""Cut the objects of a batch into tasks of about one range each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.contract import CONTRACT_VERSION
from ingest.errors import ObjectError
from ingest.job.readings import Batch, Reading
from ingest.lake.identity import batch_id
from ingest.lake.ownership import Log
from ingest.lake.records import hash_json
from ingest.parse.model import PARSER_VERSION
from ingest.parse.registry import in_format_so_far, is_splittable
from ingest.parse.sniff import SNIFF_BYTES, sniff
from ingest.settings import ParseSettings
from ingest.storage import Storage

# Many tiny objects: opening them is the work, so their number bounds a task too.
MAX_PACKED = 1_000
# Events of an object are buffered until its verdict is known, up to this many ranges of memory.
# Measured with 64 MiB ranges: 2 give a peak of 5.8 ranges above an idle worker, 4 give 7.5.
BUFFERED_RANGES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRange:
    """What one task reads of one object: content bytes from `resume` on, up to `stop`.

    `name` is the log's name, `key`, `size` and `etag` those of the stored object. A large plain
    object is cut into [start, end); `end` None = all of it. `first_line` and `final` are those of
    the reading. `log` is the one that is expected there, None for a new one.
    """

    name: str
    key: str
    size: int
    etag: str
    resume: int = 0
    stop: int | None = None
    start: int = 0
    end: int | None = None
    first_line: int | None = 1
    final: bool = True
    log: Log | None = None

    def settings(self, given: ParseSettings) -> ParseSettings:
        """Return how the bytes are read, where the settings of the source are those `given`."""
        known = None if self.log is None or not self.resume else self.log.source_format
        return in_format_so_far(given, known)


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
    """Return the plan of `batch`, whose logs lie in `root`.

    Reads the first bytes of objects above one range. `ingest_time` is UTC.
    """
    settings_hash = hash_settings(parse)
    identity = batch_id(
        [reading.identity for reading in batch.readings],
        [move.identity for move in batch.moves],
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
        for number, (ranges, task_parse) in enumerate(
            task_ranges(batch.readings, root, parse=parse, range_bytes=range_bytes)
        )
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
    del fields["fast"]  # the events are the same
    fields["future_limit"] = parse.future_limit.total_seconds()
    return hash_json(fields)


def task_ranges(
    readings: Sequence[Reading], root: Storage, *, parse: ParseSettings, range_bytes: int
) -> Iterator[tuple[tuple[ObjectRange, ...], ParseSettings]]:
    """Yield the ranges of each task with the settings to parse them by.

    Reads the first bytes of objects above one range.
    """
    small = [one for one in readings if _cost(one) <= range_bytes]
    for packed in _packs(small, range_bytes):
        yield tuple(_whole(reading) for reading in packed), parse
    for reading in readings:
        if _cost(reading) > range_bytes:
            yield from _large(reading, root, parse, range_bytes)


def _cost(reading: Reading) -> int:
    """Return the bytes that a task has to read: only a log that can be cut spares what is known."""
    log = reading.log
    form = None if log is None else log.source_format
    is_plain = log is not None and log.size >= log.consumed
    if form is not None and is_splittable(form) and is_plain:
        return max(0, reading.found.size - reading.resume)
    return reading.found.size


def _packs(readings: Iterable[Reading], range_bytes: int) -> Iterator[list[Reading]]:
    packed: list[Reading] = []
    size = 0
    for reading in readings:
        cost = _cost(reading)
        if packed and (size + cost > range_bytes or len(packed) == MAX_PACKED):
            yield packed
            packed, size = [], 0
        packed.append(reading)
        size += cost
    if packed:
        yield packed


def _large(
    reading: Reading, root: Storage, parse: ParseSettings, range_bytes: int
) -> Iterator[tuple[tuple[ObjectRange, ...], ParseSettings]]:
    """Yield one task per range, all of one format, or one for an object that cannot be cut."""
    whole = _whole(reading)
    try:
        head = root.read(whole.key, 0, min(SNIFF_BYTES, whole.size), etag=whole.etag)
    except ObjectError:  # the task finds the same and gives the verdict
        yield (whole,), parse
        return
    sniffed = sniff(head, settings=whole.settings(parse))
    if not sniffed.splittable or sniffed.format is None:
        yield (whole,), parse
        return
    # One object has one format: it is decided here, not by each range for itself.
    same = dataclasses.replace(parse, format=sniffed.format)
    last = whole.size if reading.stop is None else min(reading.stop, whole.size)
    for start in range(reading.resume, last, range_bytes):
        end = min(start + range_bytes, last)
        yield (dataclasses.replace(whole, start=start, end=end, first_line=None),), same


def _whole(reading: Reading) -> ObjectRange:
    found = reading.found
    return ObjectRange(
        name=reading.name,
        key=found.key,
        size=found.size,
        etag=found.etag,
        resume=reading.resume,
        stop=reading.stop,
        start=reading.resume,
        first_line=reading.first_line,
        final=reading.final,
        log=reading.log,
    )
