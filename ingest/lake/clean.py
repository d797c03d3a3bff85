"""Files in the lake that no record names: of attempts that were killed, or lost against others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.lake.ownership import check_whole
from ingest.lake.records import BatchRecord
from ingest.storage import Storage, StoredObject

# Longer than any job: an attempt that still runs is in no record either.
DAYS = 7
_FOLDERS = ("events/", "rejects/", "files/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Files of attempts that no record names and that nothing has changed for `days`."""

    files: int
    bytes: int
    days: int
    keys: tuple[str, ...]


def find_orphans(
    lake: Storage, records: Sequence[BatchRecord], *, now: datetime, days: int = DAYS
) -> Orphans:
    """Return the orphans; `records` is the whole log, read before. Without a record there are none.

    An attempt is left alone as a whole while one of its files is named or younger than `days`, or
    has no known time of its last change. Raises BooksError when the log has lost its end: what it
    named must not pass for orphans.
    """
    if not records:  # nothing was sealed yet; or all was lost, and a backup will need the files
        return Orphans(files=0, bytes=0, days=days, keys=())
    check_whole(lake, records)
    named = {file.path for record in records for table in record.files.values() for file in table}
    before = now - timedelta(days=days)
    found = [file for file in _attempts(lake, named) if _is_older(file, before)]
    return Orphans(
        files=sum(map(len, found)),
        bytes=sum(file.size for files in found for file in files),
        days=days,
        keys=tuple(file.key for files in found for file in files),
    )


def clean(
    lake: Storage, records: Sequence[BatchRecord], *, now: datetime, days: int = DAYS
) -> Orphans:
    """Delete the orphans and return them. Raises StorageError when one cannot be deleted."""
    orphans = find_orphans(lake, records, now=now, days=days)
    lake.delete(orphans.keys)
    return orphans


def _attempts(lake: Storage, named: set[str]) -> Iterator[list[StoredObject]]:
    """Yield the files of each attempt of which none is `named`."""
    attempts: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for folder in _FOLDERS:
        for file in lake.list(folder):
            attempts[file.key.rpartition("/")[0]].append(file)
    for files in attempts.values():
        if named.isdisjoint(file.key for file in files):
            yield files


def _is_older(files: Sequence[StoredObject], before: datetime) -> bool:
    return all(file.changed_at is not None and file.changed_at < before for file in files)
