"""What was rejected and why, with one example for each reason, and what would mend it.

Shown is what `clickstream replay --rejects` would read again: the newest reading of all bytes,
quarantined batches included.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.books.remedies import Rejected, Remedy, mend_line, mend_object
from ingest.errors import SettingsError
from ingest.job.discover import local_path, open_source
from ingest.job.dry_replay import changes_since
from ingest.lake.accepted import accepted_ids
from ingest.lake.records import BatchRecord, ObjectRecord, open_lake, read_log
from ingest.lake.refused import REFUSED_CONTENT, current_objects
from ingest.lake.rejected import RejectedLines, first_line, rejected_lines
from ingest.lake.states import QUARANTINED, decide, in_state, last_read
from ingest.settings import Settings, Source
from ingest.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A rejected line, or a refused object, of which the offset, line number and text are None.

    `key` is where the log lay when it was read, a path within its source. `text` are the first
    1,024 bytes of the line, repaired, `length` counts all of them. None = not known or not there.
    """

    source_file: str
    key: str
    source_offset: int | None = None
    source_line: int | None = None
    detail: str | None = None
    text: str | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why lines of a source were rejected, or objects refused as a whole, and how many.

    `source_format` is what they were read as, None for objects.
    """

    reason: str
    source_format: str | None
    lines: int
    objects: int
    example: Example
    remedy: Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRejects:
    """The rejects of a source, the most frequent reason first.

    `quarantined` are the ids of its batches that exceed the reject limit.
    """

    source: str
    lines_read: int
    lines_reject: int
    refused: int
    quarantined: tuple[str, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejects:
    """All rejects of a lake, by source."""

    lake: str
    sources: tuple[SourceRejects, ...]


def rejects(settings: Settings) -> Rejects:
    """Return the rejects of all sources that have some.

    Raises BooksError when the log of batches is broken, ObjectUnreadable when the lake's file of
    rejects is.
    """
    lake = open_lake(settings.lake)
    records = read_log(lake)
    current = last_read(records)
    waiting = in_state(current, decide(records, accepted_ids(lake)), QUARANTINED)
    configured = {source.name: source for source in settings.sources}
    found = [
        _of_source(
            lake,
            [record for record in current if record.source == name],
            configured.get(name),
            quarantined=tuple(one.batch_id for one in waiting if one.source == name),
        )
        for name in dict.fromkeys(record.source for record in current)
    ]
    return Rejects(lake=settings.lake, sources=tuple(one for one in found if one.reasons))


def _of_source(
    lake: Storage,
    records: Sequence[BatchRecord],
    source: Source | None,
    *,
    quarantined: tuple[str, ...],
) -> SourceRejects:
    refused = [
        found for _, found in current_objects(records) if found.file_status in REFUSED_CONTENT
    ]
    reasons = [*_lines(lake, records, source), *_objects(refused, source)]
    return SourceRejects(
        source=records[0].source,
        lines_read=sum(record.totals.lines_read for record in records),
        lines_reject=sum(record.totals.lines_reject for record in records),
        refused=len(refused),
        quarantined=quarantined,
        reasons=tuple(sorted(reasons, key=lambda one: (-one.lines, -one.objects))),
    )


# --- rejected lines


def _lines(
    lake: Storage, records: Sequence[BatchRecord], source: Source | None
) -> Iterator[Reason]:
    """Yield the reasons of rejected lines by the format that these were read as.

    The example is of the log with the most such lines: one line of another format in each log is
    odd, a log full of them is a setting to correct.
    """
    kinds: dict[tuple[str, str], list[RejectedLines]] = defaultdict(list)
    for record in records:
        for found in rejected_lines(lake, record):
            kinds[found.source_format, found.reason].append(found)
    for alike in kinds.values():
        most = max(alike, key=lambda found: found.lines)
        yield _line_reason(
            first_line(lake, most),
            most.record,
            source,
            lines=sum(found.lines for found in alike),
            longest=max(found.longest for found in alike),
        )


def _line_reason(
    row: dict[str, Any], record: BatchRecord, source: Source | None, *, lines: int, longest: int
) -> Reason:
    names = (one.key for one in record.objects if one.source_file == row["source_file"])
    key = next(names, "")
    raw = base64.b64decode(row["raw_base64"] or "")
    rejected = Rejected(
        reason=row["reason"],
        source_format=row["source_format"],
        raw=raw,
        is_cut=len(raw) < row["raw_length"],
        longest=longest,
        has_changed=source is not None and bool(changes_since(record, source)),
        key=key,
        file=_file(source, key),
    )
    return Reason(
        reason=row["reason"],
        source_format=row["source_format"],
        lines=lines,
        objects=0,
        example=Example(
            source_file=row["source_file"],
            key=key,
            source_offset=row["source_offset"],
            source_line=row["source_line"],
            detail=row["detail"],
            text=row["raw_text"] or "",
            length=row["raw_length"],
        ),
        remedy=mend_line(rejected, source),
    )


# --- refused objects


def _objects(refused: Sequence[ObjectRecord], source: Source | None) -> Iterator[Reason]:
    """Yield the reasons for which objects were refused as a whole."""
    kinds: dict[str, list[ObjectRecord]] = {}
    for found in refused:
        kinds.setdefault(_object_reason(found), []).append(found)
    for reason, objects in kinds.items():
        first = objects[0]
        yield Reason(
            reason=reason,
            source_format=None,
            lines=0,
            objects=len(objects),
            example=Example(source_file=first.source_file, key=first.key, detail=first.file_reason),
            remedy=mend_object(reason, _file(source, first.key), source),
        )


def _object_reason(found: ObjectRecord) -> str:
    """Return one of a closed list: what is wrong with gzip says how many bytes could be read."""
    is_listed = found.file_status == "rejected" and found.file_reason is not None
    return str(found.file_reason) if is_listed else found.file_status


def _file(source: Source | None, key: str) -> Path | None:
    """Return where `key` lies on this machine, None when it does not; no bucket is asked."""
    if source is None or not key or local_path(source.uri) is None:
        return None
    try:
        root, _ = open_source(source)
    except SettingsError:
        return None
    path = Path(root.uri) / key
    return path if path.is_file() else None
