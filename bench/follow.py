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
from pathlib import Path
from unittest import mock

from bench.sealed import LINE, batch_record, object_record
from ingest.job.plan import Task
from ingest.job.run import IngestSummary, ingest
from ingest.job.task import TaskFacts, run_task
from ingest.lake.identity import FINGERPRINT_BYTES
from ingest.lake.ownership import CHECKPOINT_RECORDS
from ingest.lake.records import create_lake
from ingest.lake.seal import seal
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import open_storage
from ingest.storage.folder import FolderStorage

# As many batches as make a checkpoint due.
FILES, FILES_A_BATCH = 100_000, 100_000 // CHECKPOINT_RECORDS
LARGE_BYTES = 10 << 30


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
        (place / f"{number}.log").write_bytes(LINE % number)
    _seal(settings)
    return _measured(settings), _measured(settings)


def appended_line(folder: Path) -> Idle:
    """Measure a run after one line was appended to a large log; what lies in between is a hole."""
    settings = _settings(folder / "large")
    log = Path(settings.sources[0].uri) / "access.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        file.write(LINE % 1 * 100)
        file.truncate(LARGE_BYTES)
        file.seek(LARGE_BYTES - len(LINE % 2 * 100))
        file.write(LINE % 2 * 100)
    _seal(settings)
    with log.open("ab") as file:
        file.write(LINE % 3)
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
        known.append(object_record(f"raw/{found.key}", found, first=first, last=last))
    for number, start in enumerate(range(0, len(known), FILES_A_BATCH), 1):
        record = batch_record(number, known[start : start + FILES_A_BATCH])
        assert seal(lake, record, after=number - 1)


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
