"""Objects of which nothing was loaded, by name: they must not get lost in a count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.lake.records import BatchRecord, ObjectRecord
from ingest.terminal.text import count_of, printable

# Content that is no log, or broken; the third could not be read at all and is tried again. Each
# voids whatever was read of an object before it was known.
REFUSED_CONTENT = ("rejected", "corrupt_gzip")
FAILED = "failed"
REFUSED = (*REFUSED_CONTENT, FAILED)
SEE_ALL = "clickstream status --json"
SEE_REMEDIES = "clickstream status --rejects"
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedObject:
    """A raw object that was refused as a whole, or could not be read, and why.

    `source_file` is the name of its log, or its key while no batch knows it.
    """

    source_file: str
    file_status: str
    file_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """How many objects were refused, the first five of them, and how to see all."""

    count: int
    objects: tuple[RefusedObject, ...]
    see_all: str = SEE_ALL


def refused_in(records: Iterable[BatchRecord]) -> Iterator[RefusedObject]:
    """Yield the objects of `records` whose content was refused, in order."""
    for record in records:
        for found in record.objects:
            if found.file_status in REFUSED_CONTENT:
                yield RefusedObject(
                    source_file=found.source_file,
                    file_status=found.file_status,
                    file_reason=found.file_reason,
                )


def current_objects(records: Sequence[BatchRecord]) -> Iterator[tuple[BatchRecord, ObjectRecord]]:
    """Yield the objects of `records`, but for refused ones that a later record has as well."""
    newest = {found.source_file: record.number for record in records for found in record.objects}
    for record in records:
        for found in record.objects:
            if found.file_status not in REFUSED or newest[found.source_file] == record.number:
                yield record, found


def with_rejects(records: Sequence[BatchRecord]) -> tuple[BatchRecord, ...]:
    """Return those of `records` with rejected lines or with objects whose content is refused."""
    refused = {
        record.batch_id
        for record, found in current_objects(records)
        if found.file_status in REFUSED_CONTENT
    }
    return tuple(
        record for record in records if record.totals.lines_reject or record.batch_id in refused
    )


def first_refused(objects: Iterable[RefusedObject]) -> Refused:
    """Return `objects` as a count and their first five."""
    everything = tuple(objects)
    return Refused(count=len(everything), objects=everything[:_SHOWN])


def refused_text(refused: Refused) -> str:
    """Return one line that names what was refused, empty when nothing was."""
    if not refused.count:
        return ""
    names = ", ".join(map(_described, refused.objects))
    left = refused.count - len(refused.objects)
    more = f" and {left:,} more (see all with: {refused.see_all})" if left else ""
    text = f"{count_of(refused.count, 'object')} refused or unreadable: {names}{more}"
    is_content = any(one.file_status in REFUSED_CONTENT for one in refused.objects)
    return f"{text}; how to fix them: {SEE_REMEDIES}" if is_content else text


def _described(one: RefusedObject) -> str:
    reason = f": {printable(one.file_reason)}" if one.file_reason else ""
    return f"{printable(one.source_file)} ({one.file_status}{reason})"
