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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from ingest.errors import BooksError, SettingsError, StorageError
from ingest.lake.counts import COUNTS, LineCounts
from ingest.storage import Storage, StoredObject, open_storage

RECORD_FORMAT = LAKE_FORMAT = 2
LAKE_KEY = "lake.json"
FOLDER = "batches/"
# What reading JSON that this program did not write may raise.
_NOT_OURS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
_RECORD_KEY = re.compile(r"batches/(\d{20})\.json")
_NEW_ID = (
    "run `clickstream ingest`, then `clickstream export --recreate`: the index knows the lake by"
    " the id that was in it"
)
Field = TypeVar("Field")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A Parquet file that a record names. `path` is relative to the lake; times are UTC.

    The times are None outside events and where no event has a time, `sha256` (hexadecimal) where
    an earlier clickstream wrote it.
    """

    path: str
    rows: int
    bytes: int
    sha256: str | None = None
    min_event_time: datetime | None = None
    max_event_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord(LineCounts):
    """What a batch read of one log: its content bytes [start, end).

    `source_file` is the log's name, `key` the place where it lay then, stored with `size` and
    `etag`. Where start equals end nothing was read: the log moved, was touched or compressed, or
    it is empty, or refused. `waiting_bytes` after `end` were left for a later run: a last line
    without its end. `opening`, `head` and `tail` are fingerprints of the content up to `end`
    (`ingest.lake.identity`), None without any. `content_hash` is that of the stored bytes, None
    when they were not all read; `range_hash` that of the content bytes that were. The times span
    its events. `corrects` names logs whose place this one takes: their events are replaced.
    """

    source_file: str
    key: str
    size: int
    etag: str
    start: int = 0
    end: int = 0
    waiting_bytes: int = 0
    opening: str | None = None
    head: str | None = None
    tail: str | None = None
    content_hash: str | None
    range_hash: str | None = None
    source_format: str | None
    file_status: str
    file_reason: str | None
    min_event_time: datetime | None = None
    max_event_time: datetime | None = None
    corrects: tuple[str, ...] = ()

    @property
    def is_move(self) -> bool:
        """Whether only the place of a log is told, of which earlier batches own the content."""
        return self.start == self.end > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(LineCounts):
    """Sums over the objects of a batch. `counts`: code or reason -> lines."""

    objects: int
    bytes: int
    rejects: int
    min_event_time: datetime | None
    max_event_time: datetime | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A sealed batch. `files` maps events, rejects and files to the Parquet files they are in.

    `reject_limit_ratio` is what its source allowed then: what it allows later does not matter.
    """

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
    reject_limit_ratio: float
    replaces: tuple[str, ...]
    objects: tuple[ObjectRecord, ...]
    files: Mapping[str, tuple[NamedFile, ...]]
    totals: Totals

    @property
    def owned(self) -> tuple[ObjectRecord, ...]:
        """The objects of which it owns bytes, or the verdict that there are none."""
        return tuple(one for one in self.objects if one.file_status != "failed" and not one.is_move)


def create_lake(uri: str) -> Storage:
    """Return the lake at `uri`, created if there is none; only `ingest` does this.

    Raises what `open_lake` raises, and SettingsError or StorageError when its place cannot hold a
    lake.
    """
    lake = open_storage(uri)
    lake.put_if_absent(LAKE_KEY, to_json({"format": LAKE_FORMAT, "id": uuid.uuid4().hex}))
    _check_format(lake)
    return lake


def open_lake(uri: str, *, must_exist: bool = False) -> Storage:
    """Return the lake at `uri` to be read; where there is none it is empty, unless it must exist.

    Raises SettingsError when another format of clickstream made it, or it must exist and does not,
    BooksError when its lake.json is lost or not valid, StorageError when it cannot be read.
    """
    lake = open_storage(uri)
    if _exists(lake):
        _check_format(lake)
    elif any(_RECORD_KEY.fullmatch(found.key) for found in lake.list(FOLDER)):
        raise BooksError(
            f"{lake.uri}/{LAKE_KEY} is missing although batches are sealed; restore it. Without a"
            f" backup {_NEW_ID}"
        )
    elif must_exist:
        raise SettingsError(f"no lake at {lake.uri}: run `clickstream ingest` first")
    return lake


def lake_id(lake: Storage) -> str:
    """Return the id that the lake got when it was made; empty when it was not made yet."""
    return _lake_field(lake, "id", str) if _exists(lake) else ""


def _exists(lake: Storage) -> bool:
    for found in lake.list(LAKE_KEY):
        check_folder(lake, found, FOLDER)
        if found.key == LAKE_KEY:
            return True
    return False


def check_folder(lake: Storage, found: StoredObject, folder: str) -> None:
    """Raise StorageError when `found` says that `folder` cannot be listed.

    It must not look like an empty one.
    """
    if found.problem is not None and found.key in ("", folder):
        raise StorageError(f"{lake.uri}/{found.key}: {found.problem}")


def _check_format(lake: Storage) -> None:
    found = _lake_field(lake, "format", int)
    if found > LAKE_FORMAT:
        raise SettingsError(
            f"{lake.uri}: the lake has format {found}, but this clickstream reads format"
            f" {LAKE_FORMAT}; use a newer clickstream"
        )
    if found < LAKE_FORMAT:
        raise SettingsError(
            f"{lake.uri}: an earlier clickstream made this lake (format {found}; now it is"
            f" {LAKE_FORMAT}); delete it, and the folders warehouse and metastore beside it, and"
            " run again: all is read from the raw logs"
        )


def _lake_field(lake: Storage, name: str, kind: Callable[[Any], Field]) -> Field:
    """Return the field `name` of lake.json."""
    try:
        return kind(json.loads(lake.read(LAKE_KEY))[name])
    except _NOT_OURS as error:
        raise BooksError(
            f"{lake.uri}/{LAKE_KEY} has no valid {name} field ({error}); restore it. Without a"
            f" backup remove it, {_NEW_ID}"
        ) from error


def record_key(number: int) -> str:
    """Return the key of record `number`: 20 digits, so that byte order is number order."""
    return f"{FOLDER}{number:020}.json"


def read_log(lake: Storage, *, after: int = 0) -> tuple[BatchRecord, ...]:
    """Return the sealed records numbered above `after`, in number order.

    Raises BooksError when a number is missing or a record is broken, SettingsError when a newer
    clickstream wrote one, StorageError when the log or a record cannot be read.
    """
    records: list[BatchRecord] = []
    for found in lake.list(FOLDER, after=record_key(after)):
        match = _RECORD_KEY.fullmatch(found.key)
        if match is None:
            check_folder(lake, found, FOLDER)
            continue  # a writer's temporary file, in use or left behind
        expected = after + len(records) + 1
        if int(match[1]) != expected:
            raise BooksError(
                f"{lake.uri}: {record_key(expected)} is missing although {found.key} exists;"
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
        raise BooksError(f"{lake.uri}/{key} holds record {record.number}; restore it")
    return record


def hash_json(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, in hexadecimal digits."""
    return hashlib.sha256(to_json(value)).hexdigest()


def to_json(value: Any) -> bytes:
    """Return canonical JSON: UTF-8, keys sorted, no spaces, times in UTC with microseconds.

    Dataclasses are objects of their fields.
    """
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain
    )
    return text.encode()


def record_to_json(record: BatchRecord) -> bytes:
    """Return the bytes of a record as the log holds them."""
    return to_json(record)


def _plain(value: Any) -> Any:
    """Return a dataclass as a dictionary of its fields, and a time as text."""
    if dataclasses.is_dataclass(value):
        # dataclasses.asdict would copy all that is in them, which takes ten times as long.
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} cannot be written as canonical JSON")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _with_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: _time(fields[name]) for name in ("min_event_time", "max_event_time")}
    return {**fields, **times}


def _with_counts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields`; raises KeyError or TypeError where a count is missing: it is not 0 then."""
    for name in COUNTS:
        if not isinstance(fields[name], int):
            raise TypeError(f"{name} is {fields[name]!r}")
    return dict(fields)


def _object(fields: Mapping[str, Any]) -> ObjectRecord:
    counted = _with_counts(_with_times(fields))
    return ObjectRecord(**{**counted, "corrects": tuple(fields["corrects"])})


def _record(fields: Mapping[str, Any]) -> BatchRecord:
    if fields["format"] != RECORD_FORMAT:
        raise SettingsError(
            f"batch record {fields['number']} has format {fields['format']}, but this clickstream"
            f" reads format {RECORD_FORMAT}: use the one that wrote it"
        )
    return BatchRecord(
        **{
            **fields,
            "sealed_at": datetime.fromisoformat(fields["sealed_at"]),
            "ingest_time": datetime.fromisoformat(fields["ingest_time"]),
            "replaces": tuple(fields["replaces"]),
            "objects": tuple(_object(one) for one in fields["objects"]),
            "files": {
                table: tuple(NamedFile(**_with_times(one)) for one in named)
                for table, named in fields["files"].items()
            },
            "totals": Totals(**_with_counts(_with_times(fields["totals"]))),
        }
    )
