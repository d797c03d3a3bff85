"""What lies in the sources is still what was read there: no byte of a log was changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.errors import SettingsError, StorageError
from ingest.job.discover import Listing, list_source
from ingest.job.look import content_of, goes_on
from ingest.lake.checks import Check, first_few
from ingest.lake.identity import content_hash
from ingest.lake.ownership import Log, Ownership, holders
from ingest.lake.records import BatchRecord
from ingest.parse.fingerprint import RangeHash
from ingest.parse.peek import Content
from ingest.settings import Settings
from ingest.storage import StoredObject
from ingest.terminal.text import count_of

_Range = tuple[int, int, str]  # first byte, end, hash of the content between them


@dataclass(frozen=True, slots=True)
class _Place:
    """A log, and the object that holds it, unchanged since a batch was sealed."""

    listing: Listing
    found: StoredObject
    log: Log


def source_check(
    settings: Settings, records: Sequence[BatchRecord], *, whole: bool
) -> tuple[Check, list[str]]:
    """Compare the logs that lie where they were read with what was read; return notes as well.

    `whole` hashes all bytes that batches own. Otherwise the first and last 4 KiB are compared; left
    out are compressed files, which would have to be read whole, and S3, where the etag tells it
    without a request. What changed since the last ingest is always left out: the next ingest judges
    it.
    """
    places, notes = _places(settings, records)
    told = [place for place in places if place.listing.root.etag_tells_content and not whole]
    if told:
        places = [place for place in places if not place.listing.root.etag_tells_content]
        notes.append(
            f"{count_of(len(told), 'object')} in S3 still with the etag that was read:"
            " verify --sources reads all bytes"
        )
    read = _ranges(records)
    compared, wrong, packed = 0, [], 0
    for place in places:
        log, content = place.log, content_of(place.listing.root, place.found)
        try:
            if not whole and content.is_compressed:
                packed += 1
                continue
            same = _has_ranges(content, read[log.name]) if whole else goes_on(content, log)
            problem = "" if same else "not what was read"
        except StorageError as error:
            problem = str(error)
        compared += 1
        if problem:
            wrong.append(f"{place.found.key}: {problem}")
    if packed:
        notes.append(
            f"{count_of(packed, 'compressed file')} not compared: verify --sources reads all"
        )
    check = Check(
        name="logs in sources = read",
        expected=compared,
        found=compared - len(wrong),
        detail=first_few(wrong) or ("all bytes" if whole else "first and last 4 KiB"),
    )
    return check, notes


def _places(settings: Settings, records: Sequence[BatchRecord]) -> tuple[list[_Place], list[str]]:
    """Return the logs that lie in a source as the ledger knows them, and what could not be seen."""
    ownership = Ownership().after(records)
    places: list[_Place] = []
    notes: list[str] = []
    changed = 0
    for source in settings.sources:
        try:
            listing = list_source(source)
        except (SettingsError, StorageError) as error:
            notes.append(f"source {source.name} was not compared: {error}")
            continue
        for key, log in holders(ownership.where("source", [source.name])).items():
            found = listing.objects.get(key)
            if found is None or not log.consumed:
                continue
            if log.lies_at(found):
                places.append(_Place(listing, found, log))
            else:
                changed += 1
    if changed:
        notes.append(f"{count_of(changed, 'log')} changed since the last ingest: not compared")
    return places, notes


def _ranges(records: Sequence[BatchRecord]) -> dict[str, set[_Range]]:
    """Return by the name of a log what sealed batches read of it; a correction begins again."""
    read: dict[str, set[_Range]] = defaultdict(set)
    for record in records:
        for found in record.objects:
            for corrected in found.corrects:
                read.pop(corrected, None)
            if found.end > found.start and found.range_hash is not None:
                read[found.source_file].add((found.start, found.end, found.range_hash))
    return read


def _has_ranges(content: Content, ranges: set[_Range]) -> bool:
    hashes = [(RangeHash(start, end), wanted) for start, end, wanted in ranges]
    at = 0
    for piece in content.pieces():
        for hasher, _ in hashes:
            hasher.feed(piece, at)
        at += len(piece)
    return all(content_hash(hasher.digests) == wanted for hasher, wanted in hashes)
