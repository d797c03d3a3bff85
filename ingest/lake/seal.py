"""Give a finished batch its number in the log, once, whoever else seals at the same time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from ingest.errors import StorageError
from ingest.lake.identity import OPENING_BYTES
from ingest.lake.records import BatchRecord, ObjectRecord, read_record, record_key, record_to_json
from ingest.storage import Storage

# Storage may be busy or unavailable for a moment: ten more tries within about half a minute.
RETRY_SECONDS = (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0)
_log = logging.getLogger(__name__)


def seal(
    lake: Storage,
    draft: BatchRecord,
    *,
    after: int,
    pause: Callable[[float], None] = time.sleep,
) -> BatchRecord | None:
    """Write `draft` under the first free number above `after`, the last one its plan has seen.

    Records of the same writer are passed over: one plan made them all.

    Returns the record that now holds the batch: the draft with its number and time, or the record
    of another run with the same plan (its `writer` differs; the draft's files are orphans).
    Returns None when another run sealed some of its objects, or replaced a batch that it replaces:
    give it up and plan again. Raises StorageError when the lake cannot be written.
    """
    number = after + 1
    while True:
        record = replace(draft, number=number, sealed_at=datetime.now(UTC))
        if _put(lake, record, pause):
            return record
        other = read_record(lake, number)
        if other.batch_id == draft.batch_id:
            if other.writer != draft.writer:
                _log.info("batch %s was already sealed by another run", draft.batch_id)
            return other
        if other.writer != draft.writer and are_in_conflict(draft, other):
            return None
        number += 1


def are_in_conflict(mine: BatchRecord, other: BatchRecord) -> bool:
    """Return whether both would own the same bytes of a log, or replace the same batch."""
    if set(mine.replaces) & set(other.replaces) or _may_begin_one_log(mine, other):
        return True
    theirs = {found.source_file: found for found in other.owned}
    return any(
        _overlap(found, theirs[found.source_file])
        for found in mine.owned
        if found.source_file in theirs
    )


def _may_begin_one_log(mine: BatchRecord, other: BatchRecord) -> bool:
    """Return whether a log that is new to one run may be a log that is new to the other.

    A file that was renamed or copied between their listings has two names. Logs of equal beginnings
    may be different ones all the same: then planning again costs time and nothing else.
    """
    if mine.replaces or other.replaces or mine.source != other.source:
        return False
    new, theirs = _new_logs(mine), _new_logs(other)
    short = any(found.end < OPENING_BYTES for found in (*new, *theirs))
    openings = {found.opening for found in theirs}
    return bool(new and theirs) and (short or any(found.opening in openings for found in new))


def _new_logs(record: BatchRecord) -> list[ObjectRecord]:
    return [one for one in record.owned if one.start == 0 and one.end > 0]


def _overlap(mine: ObjectRecord, theirs: ObjectRecord) -> bool:
    # The same start counts too: both may have found nothing to be read yet.
    return mine.start == theirs.start or (mine.start < theirs.end and theirs.start < mine.end)


def _put(lake: Storage, record: BatchRecord, pause: Callable[[float], None]) -> bool:
    key, data = record_key(record.number), record_to_json(record)
    for delay in RETRY_SECONDS:
        try:
            return lake.put_if_absent(key, data)
        except StorageError as error:
            _log.warning("batch record %d: %s; trying again", record.number, error)
            pause(delay)
    return lake.put_if_absent(key, data)
