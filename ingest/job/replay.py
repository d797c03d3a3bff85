"""Read again what sealed batches own: exactly their ranges, each log at its present place.

The batch that does so replaces them. Nothing else ever replaces anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.errors import ClickstreamError, ObjectError, SettingsError
from ingest.job.discover import Listing
from ingest.job.look import content_of, goes_on
from ingest.job.plan import hash_settings
from ingest.job.readings import Batch, Reading
from ingest.lake.ownership import Log, Ownership, holders
from ingest.lake.records import BatchRecord, ObjectRecord
from ingest.lake.refused import with_rejects
from ingest.lake.states import last_read
from ingest.parse.model import PARSER_VERSION
from ingest.settings import Source
from ingest.storage import StoredObject

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which batches are read again: by id, with rejects, by other settings or an older parser than
    now, or those of a key.

    `batch_ids` may be the beginnings of ids until `ingest.job.run.replay` completes them.
    """

    batch_ids: tuple[str, ...] = ()
    rejects: bool = False
    settings: bool = False
    parser: bool = False
    key: str | None = None
    accept_loss: bool = False


def replays(
    choice: Choice,
    listing: Listing,
    ownership: Ownership,
    records: Sequence[BatchRecord],
    *,
    now: datetime,
) -> list[Batch]:
    """Return the batches that read again what `choice` names of the source of `listing`.

    Raises ClickstreamError when a log of them lies in the source no more, which `accept_loss`
    overrides.
    """
    found, lost = find_replays(choice, listing, ownership, records, now=now)
    if lost and not choice.accept_loss:
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise ClickstreamError(
            f"gone from source {listing.source.name}: {', '.join(lost[:_SHOWN])}{more}; "
            "their events would be lost. Restore the files, or go on without them: --accept-loss"
        )
    return found


def find_replays(
    choice: Choice,
    listing: Listing,
    ownership: Ownership,
    records: Sequence[BatchRecord],
    *,
    now: datetime,
) -> tuple[list[Batch], list[str]]:
    """Return the batches that read `choice` again, and the logs of them that are gone."""
    mine = [record for record in last_read(records) if record.source == listing.source.name]
    settled = now - timedelta(minutes=listing.source.settle_minutes)
    reader = _Reader(listing, ownership, mine, settled)
    if choice.key is not None:
        found = list(reader.corrected(choice.key))
    else:
        found = [
            Batch(readings=tuple(reader.again([record])), replaces=(record.batch_id,))
            for record in _chosen(choice, mine, listing.source)
        ]
    return found, reader.lost


def check_not_replaced(choice: Choice, records: Sequence[BatchRecord]) -> None:
    """Raise SettingsError when a chosen batch of `records` counts no more."""
    for record in records:
        for batch_id in set(record.replaces).intersection(choice.batch_ids):
            raise SettingsError(
                f"--batch {batch_id}: batch {record.number} ({record.batch_id}) replaced it already"
            )


def _chosen(
    choice: Choice, records: Sequence[BatchRecord], source: Source
) -> Sequence[BatchRecord]:
    if choice.rejects:
        return with_rejects(records)
    return [
        record
        for record in records
        if record.batch_id in choice.batch_ids
        or (choice.settings and not has_settings(record, source))
        or (choice.parser and record.parser_version < PARSER_VERSION)
    ]


def has_settings(record: BatchRecord, source: Source) -> bool:
    """Return whether the batch was read by the settings that `source` has now."""
    return record.settings_hash == hash_settings(source.parse)


class _Reader:
    """Makes readings of what the records of one source own; `lost` are logs that are gone."""

    def __init__(
        self,
        listing: Listing,
        ownership: Ownership,
        records: Sequence[BatchRecord],
        settled: datetime,
    ) -> None:
        self.lost: list[str] = []
        self._settled = settled
        self._listing = listing
        self._logs = ownership.logs
        self._records = records

    def again(
        self, records: Sequence[BatchRecord], *, without: Collection[str] = ()
    ) -> Iterator[Reading]:
        """Yield one reading of each log, but for those in `without`: all that `records` own of it.

        Where that is nothing, for it was empty or refused, all is read that no batch owns.
        """
        for name, (start, end) in _spans(records).items():
            log = self._logs[name]
            if name in without:
                continue
            place = self._place_of(log)
            if place is None:
                if log.size > log.waiting_bytes:  # Else it had no whole line yet.
                    self.lost.append(name)
                continue
            resume = start if end else log.consumed
            yield Reading(
                name=name,
                found=place,
                resume=resume,
                stop=end or None,
                log=log if log.consumed else None,
                first_line=1 + self._lines_before(name, resume),
                final=bool(end) or place.is_settled(self._settled),
            )

    def _place_of(self, log: Log) -> StoredObject | None:
        """Return where `log` lies, None when what was read of it is no longer there."""
        place = self._listing.objects.get(log.key)
        if place is None or log.lies_at(place):
            return place
        # It may have grown since it was placed: by the beginning of a line, which waits.
        with suppress(ObjectError):
            if goes_on(content_of(self._listing.root, place), log):
                return place
        return None

    def corrected(self, key: str) -> Iterator[Batch]:
        """Yield the batch in which the content at `key` replaces the log there, if both are there.

        Where keys are immutable every log of the key is replaced. Where logs rotate the others are
        older ones, which were truncated there: they keep their events.
        """
        source = self._listing.source
        logs = [log for log in self._logs.values() if (log.source, log.key) == (source.name, key)]
        place, holder = self._listing.objects.get(key), holders(logs).get(key)
        if place is None or holder is None:
            return
        theirs = [holder.name] if source.rotation else [log.name for log in logs]
        records = self._without_gaps(theirs)
        whole = Reading(
            name=holder.name,
            found=place,
            final=place.is_settled(self._settled),
            corrects=tuple(theirs),
        )
        yield Batch(
            readings=(whole, *self.again(records, without=theirs)),
            replaces=tuple(record.batch_id for record in records),
        )

    def _without_gaps(self, names: Collection[str]) -> list[BatchRecord]:
        """Return the records that own some of `names`, in order, with those in between.

        A batch reads a log in one piece. So where two of them own the beginning and the end of yet
        another log, the record that owns the rest of it is one of them.
        """
        chosen: dict[str, BatchRecord] = {}
        spans: dict[str, tuple[int, int]] = {}
        while more := [
            record
            for record in self._records
            if record.batch_id not in chosen
            and any(
                found.source_file in names or _is_within(found, spans) for found in record.owned
            )
        ]:
            chosen |= {record.batch_id: record for record in more}
            spans = _spans(chosen.values())
        return [record for record in self._records if record.batch_id in chosen]

    def _lines_before(self, name: str, start: int) -> int:
        return sum(
            found.lines_read
            for record in self._records
            for found in record.owned
            if found.source_file == name and found.end <= start
        )


def _spans(records: Iterable[BatchRecord]) -> dict[str, tuple[int, int]]:
    """Return by log the content bytes [start, end) that `records` own; an end of 0 means none."""
    spans: dict[str, tuple[int, int]] = {}
    for found in (found for record in records for found in record.owned):
        start, end = spans.get(found.source_file, (found.start, found.end))
        spans[found.source_file] = min(start, found.start), max(end, found.end)
    return spans


def _is_within(found: ObjectRecord, spans: Mapping[str, tuple[int, int]]) -> bool:
    """Return whether `found` owns bytes inside the span of its log."""
    start, end = spans.get(found.source_file, (0, 0))
    return start <= found.start < found.end <= end
