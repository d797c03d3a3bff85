"""Runs with next to nothing to do: many known files, and one line at the end of a large log.

What was read before is sealed by hand, with the fingerprints of what lies there: to read 10 GB
first would measure something else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from ingest.contract import CONTRACT_VERSION
from ingest.job.plan import Task
from ingest.job.run import IngestSummary, ingest
from ingest.job.task import TaskFacts, run_task
from ingest.lake.counts import LineCounts
from ingest.lake.identity import FINGERPRINT_BYTES
from ingest.lake.ownership import CHECKPOINT_RECORDS
from ingest.lake.records import RECORD_FORMAT, BatchRecord, ObjectRecord, Totals, create_lake
from ingest.lake.seal import seal
from ingest.parse.fingerprint import fingerprint
from ingest.parse.model import PARSER_VERSION
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import open_storage
from ingest.storage.folder import FolderStorage

# As many batches as make a checkpoint due.
FILES, FILES_A_BATCH = 100_000, 100_000 // CHECKPOINT_RECORDS
LARGE_BYTES = 10 << 30
_LINE = b'192.0.2.1 - - [10/Oct/2024:13:00:00 +0000] "GET /%d HTTP/1.1" 200 5 "-" "x"\n'
_AT = datetime(2024, 10, 10, 13, tzinfo=UTC)


@dataclass(frozen=True)
class Idle:
    """Seconds of a run, and the bytes of logs that it read; `lines` are those that it sealed."""

    seconds: float
    bytes_read: int
    lines: int


def known_files(folder: Path) -> tuple[Idle, Idle]:
    """Measure two runs over many files, nothing of which is new.

    The first one knows them by their batches and writes the checkpoint that the second one reads.
    """
    settings = _settings(folder / "many")
    raw = Path(settings.sources[0].uri)
    for number in range(FILES):
        place = raw / f"{number // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.log").write_bytes(_LINE % number)
    _seal(settings)
    return _measured(settings), _measured(settings)


def appended_line(folder: Path) -> Idle:
    """Measure a run after one line was appended to a large log; what lies in between is a hole."""
    settings = _settings(folder / "large")
    log = Path(settings.sources[0].uri) / "access.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        file.write(_LINE % 1 * 100)
        file.truncate(LARGE_BYTES)
        file.seek(LARGE_BYTES - len(_LINE % 2 * 100))
        file.write(_LINE % 2 * 100)
    _seal(settings)
    with log.open("ab") as file:
        file.write(_LINE % 3)
    return _measured(settings)


def _settings(folder: Path) -> Settings:
    return Settings(
        root=folder,
        data=folder,
        lake=str(folder / "lake"),
        target="local",
        sources=(Source(name="raw", uri=str(folder / "raw"), settle_minutes=0),),
        search=SearchSettings(url="off"),
    )


def _seal(settings: Settings) -> None:
    """Seal all that lies in the source, as if it had been read."""
    lake, raw = create_lake(settings.lake), open_storage(settings.sources[0].uri)
    known = []
    for found in raw.list():
        first = raw.read(found.key, 0, min(FINGERPRINT_BYTES, found.size))
        last = raw.read(found.key, max(0, found.size - FINGERPRINT_BYTES), found.size)
        ends = fingerprint(first, last, found.size)
        known.append(
            ObjectRecord(
                source_file=f"raw/{found.key}",
                key=found.key,
                size=found.size,
                etag=found.etag,
                end=found.size,
                opening=ends.opening,
                head=ends.head,
                tail=ends.tail,
                content_hash=None,
                source_format="access",
                file_status="ok",
                file_reason=None,
                min_event_time=_AT,
                max_event_time=_AT,
                lines_read=1,
                lines_ok=1,
                events=1,
            )
        )
    for number, start in enumerate(range(0, len(known), FILES_A_BATCH)):
        objects = known[start : start + FILES_A_BATCH]
        assert seal(lake, _record(f"{number:032}", objects), after=number)


def _record(batch_id: str, objects: Sequence[ObjectRecord]) -> BatchRecord:
    count = LineCounts(lines_read=len(objects), lines_ok=len(objects), events=len(objects))
    return BatchRecord(
        format=RECORD_FORMAT,
        number=0,
        batch_id=batch_id,
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


def _measured(settings: Settings) -> Idle:
    os.sync()  # the run shall not wait for what was written before it
    with _counted_reads(Path(settings.sources[0].uri)) as read:
        started = time.perf_counter()
        summary: IngestSummary = ingest(settings, _run_tasks)
        seconds = time.perf_counter() - started
    lines = sum(record.totals.lines_read for record in summary.sealed)
    return Idle(seconds=seconds, bytes_read=sum(read), lines=lines)


def _run_tasks(tasks: Sequence[Task], _label: str) -> list[TaskFacts]:
    return [run_task(task) for task in tasks]


@contextmanager
def _counted_reads(folder: Path) -> Iterator[list[int]]:
    """Yield the sizes of all reads below `folder`."""
    sizes: list[int] = []
    read = FolderStorage.read

    def counting(
        self: FolderStorage,
        key: str,
        start: int = 0,
        end: int | None = None,
        *,
        etag: str | None = None,
    ) -> bytes:
        data = read(self, key, start, end, etag=etag)
        if self.uri == str(folder):
            sizes.append(len(data))
        return data

    with mock.patch.object(FolderStorage, "read", counting):
        yield sizes
