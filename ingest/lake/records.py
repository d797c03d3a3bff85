"""The numbered log of sealed batches: the only truth about what the lake holds.

A record is written once, last, with put-if-absent, and names the winning files of its batch.
Readers trust records only, never a listing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ingest.errors import BooksError, SettingsError
from ingest.settings import HASH_CHUNK_BYTES
from ingest.storage import Storage, StoredObject, open_storage

RECORD_FORMAT = 1
LAKE_FORMAT = 1
# A share of rejects says little about fewer lines than this.
QUARANTINE_FROM_LINES = 1_000
FOLDER = "batches/"
# What reading JSON ends with that this program never wrote.
_NOT_OURS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
_RECORD_KEY = re.compile(r"batches/(\d{20})\.json")


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


def open_lake(uri: str) -> Storage:
    """Return the lake at `uri`, made on first use.

    Raises SettingsError when a newer clickstream made it, or when its place cannot hold a lake.
    """
    lake = open_storage(uri)
    lake.put_if_absent("lake.json", to_json({"format": LAKE_FORMAT, "id": uuid.uuid4().hex}))
    check_format(lake)
    return lake


def check_format(lake: Storage) -> None:
    """Raise SettingsError when the lake has a higher format than this program knows.

    Raises BooksError when its lake.json is not one.
    """
    if not any(entry.key == "lake.json" for entry in lake.list("lake.json")):
        return
    found = _lake_format(lake)
    if found > LAKE_FORMAT:
        raise SettingsError(
            f"{lake.uri}: the lake has format {found}, this clickstream reads up to"
            f" {LAKE_FORMAT}; use a newer one"
        )


def _lake_format(lake: Storage) -> int:
    try:
        return int(json.loads(lake.read("lake.json"))["format"])
    except _NOT_OURS as error:
        raise BooksError(
            f"{lake.uri}/lake.json: says no format of a lake ({error}); restore it, or remove it"
            f" if the lake has format {LAKE_FORMAT}"
        ) from error


def record_key(number: int) -> str:
    """Return the key of record `number`: 20 digits, so that byte order is number order."""
    return f"{FOLDER}{number:020}.json"


def read_log(lake: Storage, *, after: int = 0) -> tuple[BatchRecord, ...]:
    """Return the sealed records numbered above `after`, in number order.

    Raises BooksError when a number is missing or a record cannot be read, SettingsError when a
    newer clickstream wrote one.
    """
    check_format(lake)
    records: list[BatchRecord] = []
    for entry in lake.list(FOLDER, after=record_key(after)):
        match = _RECORD_KEY.fullmatch(entry.key)
        if match is None:  # the temporary file of a writer, alive or dead
            continue
        expected = after + len(records) + 1
        if int(match[1]) != expected:
            raise BooksError(
                f"{lake.uri}: {record_key(expected)} is missing although {entry.key} exists;"
                " records are never deleted: restore it"
            )
        records.append(read_record(lake, expected))
    return tuple(records)


def read_record(lake: Storage, number: int) -> BatchRecord:
    """Return record `number`; raises BooksError when it is not one."""
    key = record_key(number)
    try:
        record = _record(json.loads(lake.read(key)))
    except _NOT_OURS as error:
        raise BooksError(f"{lake.uri}/{key}: not a batch record ({error}); restore it") from error
    if record.number != number:
        raise BooksError(f"{lake.uri}/{key}: holds record {record.number}; restore it")
    return record


def is_quarantined(record: BatchRecord, *, reject_limit_ratio: float) -> bool:
    """Return whether the batch exceeds its source's share of rejected lines (1,000 lines on)."""
    totals = record.totals
    if totals.lines_read < QUARANTINE_FROM_LINES:
        return False
    return totals.lines_reject > reject_limit_ratio * totals.lines_read


def batch_id(
    objects: Iterable[StoredObject],
    *,
    range_bytes: int,
    parser_version: int,
    contract_version: int,
    settings_hash: str,
    replaces: Sequence[str] = (),
) -> str:
    """Return the id of a plan, 32 hexadecimal digits: the same plan has the same id.

    `replaces` takes part where there is any: an object that changes and changes back gives the
    plan of a batch that was replaced meanwhile, and an id must not come twice.
    """
    plan: dict[str, Any] = {
        "objects": sorted((entry.key, entry.size, entry.etag) for entry in objects),
        "range_bytes": range_bytes,
        "parser_version": parser_version,
        "contract_version": contract_version,
        "settings_hash": settings_hash,
    }
    if replaces:
        plan["replaces"] = sorted(replaces)
    return hash_json(plan)[:32]


def content_hash(chunk_digests: Iterable[bytes]) -> str:
    """Return the hash of an object from the SHA-256 digests of its consecutive 8 MiB chunks."""
    return hashlib.sha256(b"".join(chunk_digests)).hexdigest()


def read_content_hash(storage: Storage, entry: StoredObject) -> str:
    """Read the object and return its content hash.

    Raises ObjectUnreadable or ObjectChanged.
    """
    return content_hash(
        hashlib.sha256(
            storage.read(
                entry.key, start, min(start + HASH_CHUNK_BYTES, entry.size), etag=entry.etag
            )
        ).digest()
        for start in range(0, entry.size, HASH_CHUNK_BYTES)
    )


def hash_json(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, in hexadecimal digits."""
    return hashlib.sha256(to_json(value)).hexdigest()


def to_json(value: Any) -> bytes:
    """Return canonical JSON: UTF-8, keys sorted, no blanks, times in UTC with microseconds."""
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_time_text
    )
    return text.encode()


def record_to_json(record: BatchRecord) -> bytes:
    """Return the bytes of a record as the log holds them."""
    return to_json(dataclasses.asdict(record))


def _time_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no place in canonical JSON")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _with_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: _time(fields[name]) for name in ("min_event_time", "max_event_time")}
    return {**fields, **times}


def _record(fields: Mapping[str, Any]) -> BatchRecord:
    if fields["format"] > RECORD_FORMAT:
        raise SettingsError(
            f"batch record {fields['number']} has format {fields['format']}, this clickstream reads"
            f" up to {RECORD_FORMAT}; use a newer one"
        )
    return BatchRecord(
        **{
            **fields,
            "sealed_at": datetime.fromisoformat(fields["sealed_at"]),
            "ingest_time": datetime.fromisoformat(fields["ingest_time"]),
            "replaces": tuple(fields["replaces"]),
            "objects": tuple(ObjectRecord(**entry) for entry in fields["objects"]),
            "files": {
                table: tuple(NamedFile(**_with_times(entry)) for entry in entries)
                for table, entries in fields["files"].items()
            },
            "totals": Totals(**_with_times(fields["totals"])),
        }
    )
