"""What discovery asks of an object before any task reads it."""

from __future__ import annotations

from datetime import UTC, datetime

from ingest.lake.identity import fingerprint
from ingest.lake.ownership import Log
from ingest.parse.model import Identity, Parsed, ReadRange
from ingest.parse.peek import Content
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings
from ingest.storage import Storage, StoredObject

_FIRST_BYTES = 64 << 10
# The parsed events are thrown away: only their times are looked at.
_NOBODY = Identity(source_file="", batch_id="", ingest_time=datetime(9999, 1, 1, tzinfo=UTC))


def content_of(root: Storage, found: StoredObject) -> Content:
    """Return the content of `found`; nothing is read yet."""
    return Content(_reader(root, found), found.size)


def goes_on(content: Content, log: Log) -> bool:
    """Return whether `content` begins with what was read of `log`, by its first and last 4 KiB.

    Raises ObjectError when it cannot be read.
    """
    length, before = content.scan({log.consumed})
    return (
        length >= log.consumed
        and fingerprint(content.opening[: log.consumed]) == log.head
        and fingerprint(before[log.consumed]) == log.tail
    )


def _reader(root: Storage, found: StoredObject) -> ReadRange:
    return lambda start, end: root.read(found.key, start, end, etag=found.etag)


def earliest_time(root: Storage, parse: ParseSettings, found: StoredObject) -> datetime | None:
    """Return the earliest time in the first 64 KiB of content, None when there is none.

    A hole of NULs before them is passed over. Raises ObjectError when they cannot be read.
    """
    items = parse_object(
        _reader(root, found),
        found.size,
        name=found.key,
        identity=_NOBODY,
        settings=parse,
        stop=content_of(root, found).hole() + _FIRST_BYTES,
        final=False,
    )
    times = (time for item in items if isinstance(item, Parsed) for time in item.times or ())
    return min(times, default=None)
