"""Batches that are sealed by hand, as if their objects had been read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ingest.contract import CONTRACT_VERSION
from ingest.lake.counts import LineCounts
from ingest.lake.records import RECORD_FORMAT, BatchRecord, ObjectRecord, Totals
from ingest.parse.fingerprint import fingerprint
from ingest.parse.model import PARSER_VERSION
from ingest.storage import StoredObject

LINE = b'192.0.2.1 - - [10/Oct/2024:13:00:00 +0000] "GET /%d HTTP/1.1" 200 5 "-" "x"\n'
_AT = datetime(2024, 10, 10, 13, tzinfo=UTC)


def object_record(
    source_file: str, found: StoredObject, *, first: bytes, last: bytes, hashed: str | None = None
) -> ObjectRecord:
    """Return what a batch says of `found`, a plain object of one line; it was read to its end.

    `first` and `last` are up to 4096 bytes at its ends, `hashed` its content hash.
    """
    ends = fingerprint(first, last, found.size)
    return ObjectRecord(
        source_file=source_file,
        key=found.key,
        size=found.size,
        etag=found.etag,
        end=found.size,
        opening=ends.opening,
        head=ends.head,
        tail=ends.tail,
        content_hash=hashed,
        source_format="access",
        file_status="ok",
        file_reason=None,
        min_event_time=_AT,
        max_event_time=_AT,
        lines_read=1,
        lines_ok=1,
        events=1,
    )


def batch_record(number: int, objects: Sequence[ObjectRecord]) -> BatchRecord:
    """Return record `number`, of the source `raw`; its batch has no files."""
    count = LineCounts(lines_read=len(objects), lines_ok=len(objects), events=len(objects))
    return BatchRecord(
        format=RECORD_FORMAT,
        number=number,
        batch_id=f"{number:032}",
        writer="bench",
        sealed_at=_AT,
        ingest_time=_AT,
        source="raw",
        contract_version=CONTRACT_VERSION,
        parser_version=PARSER_VERSION,
        settings_hash="",
        range_bytes=64 << 20,
        reject_limit_ratio=0.01,
        replaces=(),
        objects=tuple(objects),
        files={"events": (), "rejects": (), "files": ()},
        totals=Totals(
            objects=len(objects),
            bytes=sum(found.size for found in objects),
            rejects=0,
            min_event_time=_AT,
            max_event_time=_AT,
            counts={},
            lines_read=count.lines_read,
            lines_ok=count.lines_ok,
            events=count.events,
        ),
    )
