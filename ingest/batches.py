"""The numbered log of sealed batches: the only truth about what the lake holds.

A record is written once, last, with put-if-absent, and names the winning files of its batch.
Readers trust records only, never a listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ingest.storage import Storage

RECORD_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A Parquet file that a record names. `path` is relative to the lake; times are UTC.

    The times are None outside events and where no event has a time.
    """

    path: str
    rows: int
    bytes: int
    min_event_time: datetime | None = None
    max_event_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """One raw object as a batch read it."""

    source_file: str
    size: int
    etag: str
    content_hash: str | None
    source_format: str | None
    file_status: str
    file_reason: str | None
    lines_read: int
    lines_ok: int
    lines_warn: int
    lines_skip: int
    lines_reject: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the objects of a batch. `counts`: code or reason -> lines."""

    objects: int
    bytes: int
    lines_read: int
    lines_ok: int
    lines_warn: int
    lines_skip: int
    lines_reject: int
    events: int
    rejects: int
    min_event_time: datetime | None
    max_event_time: datetime | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A sealed batch. `files` maps events, rejects and files to the Parquet files they are in."""

    format: int
    number: int
    batch_id: str
    writer: str
    sealed_at: datetime
    ingest_time: datetime
    source: str
    contract_version: int
    parser_version: int
    settings_hash: str
    range_bytes: int
    replaces: tuple[str, ...]
    objects: tuple[ObjectRecord, ...]
    files: Mapping[str, tuple[NamedFile, ...]]
    totals: Totals


def read_log(lake: Storage, *, after: int = 0) -> tuple[BatchRecord, ...]:
    """Return the sealed records numbered above `after`, in number order.

    Raises BooksError when a number is missing or a record cannot be read.
    """
    raise NotImplementedError


def is_held(record: BatchRecord, *, reject_limit_ratio: float) -> bool:
    """Return whether the batch exceeds its source's share of rejected lines (1,000 lines on)."""
    raise NotImplementedError
