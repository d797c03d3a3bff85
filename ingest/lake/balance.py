"""Whether a batch agrees with itself: its totals, its objects and its files."""

from __future__ import annotations

import hashlib

from ingest.errors import ObjectChanged, ObjectUnreadable
from ingest.lake.counts import add_counts
from ingest.lake.records import BatchRecord, NamedFile
from ingest.storage import Storage

_BLOCK_BYTES = 8 << 20


def imbalance(record: BatchRecord) -> str | None:
    """Return where `record` contradicts itself, None when it does nowhere."""
    totals = record.totals
    rows = {table: sum(file.rows for file in files) for table, files in record.files.items()}
    sums = {
        "lines_read": totals.judged,
        "events": rows.get("events", 0),
        "rejects": rows.get("rejects", 0),
        "objects": rows.get("files", 0),
    }
    of_objects = {
        **add_counts(record.objects),
        "objects": len(record.objects),
        "bytes": sum(found.size for found in record.objects),
    }
    for name, found in (*sums.items(), *of_objects.items()):
        if getattr(totals, name) != found:
            return (
                f"batch {record.number}: its total is {getattr(totals, name):,} {name}, but its"
                f" objects and files add up to {found:,}"
            )
    return None


def has_its_size(lake: Storage, file: NamedFile) -> bool:
    """Return whether `file` is in the lake, as large as its record says."""
    try:
        return lake.stat(file.path).size == file.bytes
    except ObjectUnreadable:
        return False


def has_its_bytes(lake: Storage, file: NamedFile) -> bool:
    """Return whether `file` holds the bytes that were written; reads all of it.

    Of a file without a hash only the size is compared.
    """
    try:
        if file.sha256 is None or not has_its_size(lake, file):
            return has_its_size(lake, file)
        return sha256_of(lake, file.path, file.bytes) == file.sha256
    except (ObjectUnreadable, ObjectChanged):
        return False


def sha256_of(lake: Storage, key: str, size: int) -> str:
    """Return the SHA-256 (hexadecimal) of the first `size` bytes of `key`.

    Raises ObjectUnreadable or ObjectChanged when they cannot be read.
    """
    digest = hashlib.sha256()
    for start in range(0, size, _BLOCK_BYTES):
        digest.update(lake.read(key, start, min(start + _BLOCK_BYTES, size)))
    return digest.hexdigest()
