"""Read again what sealed batches own: exactly their ranges, each log at its present place.

The batch that does so replaces them. Nothing else ever replaces anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.errors import ClickstreamError
from ingest.job.discover import Listing
from ingest.job.readings import Batch, Reading
from ingest.lake.ownership import Ownership, holders
from ingest.lake.records import BatchRecord, ObjectRecord
from ingest.parse.model import PARSER_VERSION

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which batches are read again: by id, with rejects, of an older parser, or those of a key.

    `batch_ids` may be the beginnings of ids until `ingest.job.run.replay` completes them.
    """

    batch_ids: tuple[str, ...] = ()
    rejects: bool = False
    parser: bool = False
    key: str | None = None
    accept_loss: bool = False


def replays(
    choice: Choice, listing: Listing, ownership: Ownership, records: Sequence[BatchRecord]
) -> list[Batch]:
    """Return the batches that read again what `choice` names of the source of `listing`.

    Raises ClickstreamError when a log of them lies in the source no more, which `accept_loss`
    overrides.
    """
    replaced = {batch_id for record in records for batch_id in record.replaces}
    mine = [
        record
        for record in records
        if record.source == listing.source.name and record.batch_id not in replaced
    ]
    reader = _Reader(listing, ownership, mine)
    if choice.key is not None:
        found = list(reader.corrected(choice.key))
    else:
        found = [
            Batch(readings=tuple(reader.again(record)), replaces=(record.batch_id,))
            for record in mine
            if _is_chosen(choice, record)
        ]
    if reader.lost and not choice.accept_loss:
        more = f" and {len(reader.lost) - _SHOWN} more" if len(reader.lost) > _SHOWN else ""
        raise ClickstreamError(
            f"gone from source {listing.source.name}: {', '.join(reader.lost[:_SHOWN])}{more}; "
            "their events would be lost. Restore the files, or go on without them: --accept-loss"
        )
    return found


def _is_chosen(choice: Choice, record: BatchRecord) -> bool:
    return (
        record.batch_id in choice.batch_ids
        or (choice.rejects and bool(record.totals.lines_reject or _refused(record)))
        or (choice.parser and record.parser_version < PARSER_VERSION)
    )


def _refused(record: BatchRecord) -> bool:
    return any(found.file_status in ("rejected", "corrupt_gzip") for found in record.objects)


class _Reader:
    """Makes readings of what the records of one source own; `lost` are logs that are gone."""

    def __init__(
        self, listing: Listing, ownership: Ownership, records: Sequence[BatchRecord]
    ) -> None:
        self.lost: list[str] = []
        self._listing = listing
        self._ownership = ownership
        self._records = records

    def again(self, record: BatchRecord, *, without: Iterable[str] = ()) -> Iterator[Reading]:
        """Yield a reading of each range that `record` owns, but for the logs in `without`."""
        left_out = set(without)
        for found in record.objects:
            if found.file_status == "failed" or found.is_move or found.source_file in left_out:
                continue
            log = self._ownership.logs[found.source_file]
            place = self._listing.objects.get(log.key)
            if place is None or not log.lies_at(place):
                self.lost.append(found.source_file)
                continue
            yield Reading(
                name=log.name,
                found=place,
                resume=found.start,
                stop=found.end or None,
                log=log if found.end else None,
                first_line=1 + self._lines_before(found),
            )

    def corrected(self, key: str) -> Iterator[Batch]:
        """Yield the batch in which the content at `key` replaces the log there, if both are there.

        Where keys are immutable every log of the key is replaced. Where logs rotate the others are
        older ones, which were truncated there: they keep their events.
        """
        source = self._listing.source
        logs = [log for log in self._ownership.of_source(source.name) if log.key == key]
        place, holder = self._listing.objects.get(key), holders(logs).get(key)
        if place is None or holder is None:
            return
        theirs = [holder.name] if source.rotation else [log.name for log in logs]
        records = [
            record
            for record in self._records
            if any(found.source_file in theirs and not found.is_move for found in record.objects)
        ]
        others = [one for record in records for one in self.again(record, without=theirs)]
        whole = Reading(name=holder.name, found=place, corrects=tuple(theirs))
        yield Batch(
            readings=(whole, *others), replaces=tuple(record.batch_id for record in records)
        )

    def _lines_before(self, wanted: ObjectRecord) -> int:
        return sum(
            found.lines_read
            for record in self._records
            for found in record.objects
            if found.source_file == wanted.source_file and found.end <= wanted.start
        )
