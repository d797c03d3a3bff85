"""The ingest itself for the histories: tasks in this process, a lake in memory that can die."""

from __future__ import annotations

import base64
import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fixtures.storage import MemoryStorage
from support.ingest import Kill
from support.log_lines import log_line

from ingest.errors import ClickstreamError
from ingest.job.matching import Wishes
from ingest.job.plan import Task
from ingest.job.replay import Choice
from ingest.job.run import IngestSummary, RunTasks, ingest, replay
from ingest.job.task import TaskFacts
from ingest.lake.parquet import open_parquet
from ingest.lake.records import FOLDER, read_log
from ingest.lake.states import LIVE, decide, in_state
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import SCHEMES

_SOURCE = "web"
_PATH = re.compile(r"/([ne])(\d+)")
_QUESTION = re.compile(r"changed\b")


class Killed(BaseException):
    """The process died; nothing of ours may catch it."""


class MortalStorage(MemoryStorage):
    """Dies when a batch record is written, before that or after it, as `kill` says."""

    kill: Kill | None = None

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write `key` unless it exists; raises Killed when that is due."""
        is_seal = key.startswith(FOLDER)
        if is_seal and self.kill is Kill.BEFORE_SEAL:
            raise Killed
        created = super().put_if_absent(key, data)
        if is_seal and self.kill is Kill.AFTER_SEAL:
            raise Killed
        return created

    def clear(self) -> None:
        """Forget all objects: a process keeps every storage that it has opened."""
        self._objects.clear()


class RealIngest:
    """See `support.ingest.Ingest`."""

    def __init__(self, folder: Path, run_tasks: RunTasks) -> None:
        """Ingest `folder`, the tasks run by `run_tasks`, into a lake of its own."""
        self._spools = TemporaryDirectory(prefix="spools-")
        self._scheme = f"mortal{uuid.uuid4().hex}"
        lake = f"{self._scheme}://lake"
        self._lake = MortalStorage(lake, Path(self._spools.name))
        SCHEMES[self._scheme] = lambda _: self._lake
        self._run_tasks = run_tasks
        self._settings = Settings(
            root=folder,
            data=folder,
            lake=lake,
            target="local",
            sources=(Source(name=_SOURCE, uri=str(folder)),),
            search=SearchSettings(url="off"),
        )
        self._summary: IngestSummary | None = None
        # Sealed files never change: each is read once.
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def run(self, now: datetime, *, final: bool = False, kill: Kill | None = None) -> int | None:
        """Run once; the process dies at its first seal if it is to be killed."""
        self._lake.kill = kill
        try:
            self._summary = self._ingest(self._run_tasks, now, final=final)
        except Killed:
            return None
        finally:
            self._lake.kill = None
        return self._summary.exit_code

    def _ingest(self, run_tasks: RunTasks, now: datetime, *, final: bool = False) -> IngestSummary:
        return ingest(self._settings, run_tasks, wishes=Wishes(final=final), now=lambda: now)

    def run_twice(
        self, now: datetime, between: Callable[[], datetime], *, read_first: bool
    ) -> tuple[int, int]:
        """Run, and a second time while the first run has planned and not sealed its first batch.

        A first run without a batch is done before that.
        """
        codes: list[int | None] = []

        def overtake() -> None:
            codes.append(self.run(between()))

        def run_tasks(tasks: Sequence[Task], label: str) -> Sequence[TaskFacts]:
            if codes:
                return self._run_tasks(tasks, label)
            facts = self._run_tasks(tasks, label) if read_first else None
            overtake()
            return self._run_tasks(tasks, label) if facts is None else facts

        self._summary = self._ingest(run_tasks, now)
        first = self._summary.exit_code
        if not codes:
            overtake()
        (second,) = codes
        assert second is not None
        return first, second

    def declare_new(self, now: datetime, key: str) -> int:
        """Run with `--as-new`."""
        wishes = Wishes(as_new=frozenset([key]))
        self._summary = ingest(self._settings, self._run_tasks, wishes=wishes, now=lambda: now)
        return self._summary.exit_code

    def correct(self, now: datetime, key: str) -> bool:
        """Replay what lies at `key`; not done where logs of the same batches are gone."""
        return self._replay(now, Choice(key=key))

    def replay(self, now: datetime, pick: int) -> bool:
        """Replay a live batch."""
        self.run(now)
        records = read_log(self._lake)
        live = [*in_state(records, decide(records), LIVE)]
        return not live or self._replay(now, Choice(batch_ids=(live[pick % len(live)].batch_id,)))

    def _replay(self, now: datetime, choice: Choice) -> bool:
        try:
            self._summary = replay(self._settings, self._run_tasks, choice, now=lambda: now)
        except ClickstreamError as error:
            if "gone from source" not in str(error):
                raise
            return False
        return True

    def lines(self) -> Counter[str]:
        """Count the lines of live batches; raises AssertionError when two have the same id."""
        records = read_log(self._lake)
        live = in_state(records, decide(records), LIVE)
        events = [row for record in live for row in self._read(record.files["events"])]
        rejects = [row for record in live for row in self._read(record.files["rejects"])]
        ids = [row["event_id"] for row in events] + [row["reject_id"] for row in rejects]
        twice = [one for one, times in Counter(ids).items() if times > 1]
        assert not twice, f"{len(twice)} ids are there more than once"
        return Counter([*map(_event_line, events), *map(_reject_line, rejects)])

    def asked(self) -> frozenset[str]:
        """Return the keys that the last run asked about."""
        failed = self._summary.failed if self._summary else ()
        return frozenset(_key(one.key) for one in failed if _QUESTION.match(one.reason))

    def copies(self) -> frozenset[str]:
        """Return the keys that the last run reported as copies."""
        duplicates = self._summary.duplicates if self._summary else ()
        return frozenset(_key(one.key) for one in duplicates)

    def close(self) -> None:
        """Release the lake."""
        del SCHEMES[self._scheme]
        self._lake.clear()
        self._spools.cleanup()

    def _read(self, files: Sequence[Any]) -> list[dict[str, Any]]:
        for file in files:
            if file.path not in self._rows:
                self._rows[file.path] = open_parquet(self._lake, file.path).read().to_pylist()
        return [row for file in files for row in self._rows[file.path]]


def _key(source_file: str) -> str:
    return source_file.removeprefix(f"{_SOURCE}/")


def _event_line(row: dict[str, Any]) -> str:
    """Return the line that `row` was, or what is wrong with it."""
    path = _PATH.fullmatch(row["url_path"] or "")
    if path is None:
        return f"no line of the server: {row}"
    pad = len(row["url_query"].removeprefix("p="))
    at = row["event_time"].replace(tzinfo=UTC)
    return log_line(int(path[2]), at, pad=pad, edited=path[1] == "e")


def _reject_line(row: dict[str, Any]) -> str:
    return base64.b64decode(row["raw_base64"] or "").lstrip(b"\0").decode()
