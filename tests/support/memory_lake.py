"""What an ingest in this process left in its lake, and how another run comes between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.job.plan import Task
from ingest.job.replay import Choice
from ingest.job.run import IngestSummary, RunTasks, ingest, replay
from ingest.job.task import TaskFacts
from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.states import LIVE, decide, in_state
from ingest.settings import Settings
from ingest.storage import Storage, open_storage


@dataclass(frozen=True, kw_only=True)
class Site:
    """A source `raw`, and an ingest of it in this process; `lines` makes its access lines."""

    settings: Settings
    raw: Storage
    lines: Callable[..., bytes]
    run_tasks: RunTasks

    def put(self, key: str, count: int, *, first: int = 0) -> None:
        """Let `count` lines lie at `key`, numbered from `first` on."""
        self.raw.put(key, self.lines(count, first=first))

    def ingest(self, **options: Any) -> IngestSummary:
        """Ingest what is new."""
        return ingest(self.settings, self.run_tasks, **options)

    def replay(self, **choice: Any) -> IngestSummary:
        """Replay what the arguments of a Choice say."""
        return replay(self.settings, self.run_tasks, Choice(**choice))


def log_of(settings: Settings) -> tuple[BatchRecord, ...]:
    """Return all sealed batches."""
    return read_log(open_storage(settings.lake))


def live_batches(settings: Settings) -> list[BatchRecord]:
    """Return the sealed batches that count."""
    records = log_of(settings)
    return [*in_state(records, decide(records), LIVE)]


def paths_in(settings: Settings) -> Counter[tuple[str, str]]:
    """Return (source_file, url_path) of all live events; proves that each event is there once."""
    found: Counter[tuple[str, str]] = Counter()
    ids: Counter[str] = Counter()
    lake = open_storage(settings.lake)
    for record in live_batches(settings):
        for file in record.files["events"]:
            for row in open_parquet(lake, file.path).read().to_pylist():
                found[row["source_file"], row["url_path"]] += 1
                ids[row["event_id"]] += 1
    assert not [event_id for event_id, times in ids.items() if times > 1]
    return found


def pages(key: str, first: int, count: int) -> Counter[tuple[str, str]]:
    """Return what `paths_in` finds of the lines `access_lines(count, first=first)` at `key`."""
    return Counter((f"raw/{key}", f"/page/{index}") for index in range(first, first + count))


def meanwhile(run_tasks: RunTasks, *actions: Callable[[], object]) -> RunTasks:
    """Return `run_tasks` that does the next of `actions` before each plan is run."""
    waiting = list(actions)

    def run(tasks: Sequence[Task], label: str) -> Sequence[TaskFacts]:
        if waiting:
            waiting.pop(0)()
        return run_tasks(tasks, label)

    return run
