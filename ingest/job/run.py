"""Hops 1 to 3: discover what is new, parse it, seal it. Each raw object enters the log once."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ingest.errors import SettingsError, StorageError
from ingest.job.discover import (
    Batch,
    Duplicate,
    Failed,
    Listing,
    capped,
    check_collisions,
    check_places,
    find_changed,
    find_new,
    list_source,
    open_source,
    replacement,
    split_duplicates,
)
from ingest.job.plan import Task, make_plan
from ingest.job.tally import add_up, write_record
from ingest.job.task import TaskFacts
from ingest.lake.ownership import Ownership, read_ownership
from ingest.lake.records import BatchRecord, open_lake, read_content_hash, read_log
from ingest.lake.seal import seal
from ingest.parse.model import ParseSettings
from ingest.parse.registry import check_format
from ingest.settings import Settings, Source
from ingest.storage import Storage, StoredObject
from ingest.terminal.text import printable

# How often a run plans anew because another one was faster; then it leaves the work to that one.
MAX_GIVE_UPS = 3
_log = logging.getLogger(__name__)

# Runs the rows of one plan somewhere and returns their facts; the text is the progress label.
RunTasks = Callable[[Sequence[Task], str], Sequence[TaskFacts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSummary:
    """What one ingest did.

    `sealed` are the records that this run wrote, `elsewhere` the ids of batches that another run
    with the same plan sealed first. `changed` are keys that came again with other bytes, so that
    their batches were replaced. `duplicates` and `failed` were not ingested.
    """

    sealed: tuple[BatchRecord, ...]
    elsewhere: tuple[str, ...]
    changed: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]
    failed: tuple[Failed, ...]
    seconds: float

    @property
    def nothing_new(self) -> bool:
        """Whether the log already owned everything that could be read."""
        return not (self.sealed or self.elsewhere)

    @property
    def exit_code(self) -> int:
        """1 when an object could not be read: the next run tries it again."""
        return 1 if self.failed else 0


def ingest(
    settings: Settings,
    run_tasks: RunTasks,
    *,
    sources: Sequence[str] = (),
    accept_duplicates: bool = False,
) -> IngestSummary:
    """Ingest what is new in `sources` (names; none = all) and return what was done.

    `run_tasks` runs the tasks of each batch. Objects that cannot be read are in the summary. Raises
    SettingsError for an unknown or missing source or an unusable lake, BooksError when counts do
    not balance, StorageError when the lake cannot be written or other runs keep taking the same
    objects.
    """
    started = time.monotonic()
    selected = check_sources(settings, sources)
    listings = [list_source(source) for source in selected]
    lake = open_lake(settings.lake)
    run = _Run(settings, lake, run_tasks, accept_duplicates=accept_duplicates)
    configured = {source.name for source in settings.sources}
    check_collisions(listings, run.ownership, configured=configured)
    for listing in listings:
        run.ingest(listing)
    return run.summary(time.monotonic() - started)


def check_sources(settings: Settings, names: Sequence[str] = ()) -> list[Source]:
    """Return the sources `names` (none = all); raises SettingsError when one cannot be read.

    It takes milliseconds, so a command may ask before it starts Spark.
    """
    selected = _select(settings, names)
    for source in selected:
        check_format(source.format)
        open_source(source)
    check_places(settings.sources, settings.lake)
    return selected


def parse_settings(source: Source) -> ParseSettings:
    """Return how the lines of `source` are read."""
    return ParseSettings(format=source.format, timezone=source.timezone)


def _select(settings: Settings, names: Sequence[str]) -> list[Source]:
    known = {source.name: source for source in settings.sources}
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"no source is named {', '.join(unknown)}; clickstream.toml has"
            f" {', '.join(known) or 'none'}"
        )
    return [known[name] for name in names] if names else list(settings.sources)


class _Run:
    """One run: what it has seen of the log, and what it has done so far."""

    def __init__(
        self, settings: Settings, lake: Storage, run_tasks: RunTasks, *, accept_duplicates: bool
    ) -> None:
        self.ownership: Ownership = read_ownership(lake)
        self._settings = settings
        self._lake = lake
        self._run_tasks = run_tasks
        self._accept_duplicates = accept_duplicates
        self._writer = uuid.uuid4().hex
        self._give_ups = 0
        self._sealed: list[BatchRecord] = []
        self._elsewhere: list[str] = []
        self._changed: list[str] = []
        self._duplicates: list[Duplicate] = []
        self._failed: dict[str, str] = {}

    def ingest(self, listing: Listing) -> None:
        """Seal batch after batch until nothing of `listing` is left that can be read."""
        for failed in listing.failed:
            self._fail(failed.source_file, failed.reason)
        self._replace_changed(listing)
        content_hash = _remembering(partial(read_content_hash, listing.root))
        while batch := self._next_new(listing, content_hash):
            self._run_batch(batch, listing)

    def summary(self, seconds: float) -> IngestSummary:
        return IngestSummary(
            sealed=tuple(self._sealed),
            elsewhere=tuple(self._elsewhere),
            changed=tuple(self._changed),
            duplicates=tuple(self._duplicates),
            failed=tuple(
                Failed(source_file=key, reason=reason) for key, reason in self._failed.items()
            ),
            seconds=seconds,
        )

    def _replace_changed(self, listing: Listing) -> None:
        """Read again the batches of changed objects, first of all.

        An object that took the old bytes under a new key (a rotated log) is new only after that.
        """
        while changed := self._changed_batches(listing):
            batch_id, keys = next(iter(changed.items()))
            batch = replacement(batch_id, listing, self.ownership)
            if isinstance(batch, str):
                self._keep(keys, f"{batch}, of the same batch, is gone or unreadable: restore it")
                continue
            _log.info("%s changed: batch %s is read again", printable(", ".join(keys)), batch_id)
            if self._run_batch(batch, listing):
                self._changed += keys
            elif any(entry.key in self._failed for entry in batch.entries):
                self._keep(keys, "an object of the same batch could not be read")

    def _changed_batches(self, listing: Listing) -> dict[str, list[str]]:
        changed = find_changed(listing, self.ownership)
        return {
            batch_id: keys
            for batch_id, keys in changed.items()
            if not any(key in self._failed for key in keys)
        }

    def _next_new(
        self, listing: Listing, content_hash: Callable[[StoredObject], str]
    ) -> Batch | None:
        """Return the next batch of new objects; None when there are no more."""
        new = find_new(listing, self.ownership, leave=set(self._failed))
        if not self._accept_duplicates:
            known = {duplicate.source_file for duplicate in self._duplicates}
            new = [entry for entry in new if entry.key not in known]
            new, duplicates = split_duplicates(new, self.ownership, content_hash)
            self._duplicates += duplicates
        chosen = capped(new)
        if len(chosen) < len(new):
            _log.info("%d of %d objects fit into this batch", len(chosen), len(new))
        return Batch(entries=chosen) if chosen else None

    def _run_batch(self, batch: Batch, listing: Listing) -> bool:
        """Plan, run and seal `batch`; return whether it is in the log now.

        Not sealed: a batch of which nothing could be read, a replacement that would lose events,
        and one that another run was faster with.
        """
        plan = make_plan(
            batch,
            listing.root,
            lake=self._lake.uri,
            parse=parse_settings(listing.source),
            range_bytes=self._settings.range_bytes,
            ingest_time=datetime.now(UTC),
        )
        facts = self._run_tasks(plan.tasks, f"ingest {listing.source.name}")
        tally = add_up(plan, facts)
        for key, reason in tally.failed.items():
            self._fail(key, reason)
        if len(tally.failed) == len(batch.entries) or (tally.failed and batch.replaces):
            return False
        draft = write_record(tally, self._lake, source=listing.source.name, writer=self._writer)
        return self._seal(draft)

    def _seal(self, draft: BatchRecord) -> bool:
        record = seal(self._lake, draft, after=self.ownership.last)
        self.ownership = self.ownership.after(read_log(self._lake, after=self.ownership.last))
        if record is None:
            self._give_up()
            return False
        if record.writer == self._writer:
            _log.info("sealed batch %d (%s)", record.number, record.batch_id)
            self._sealed.append(record)
        else:
            self._elsewhere.append(record.batch_id)
        return True

    def _give_up(self) -> None:
        self._give_ups += 1
        _log.info("another run sealed some of the same objects first; planning the rest again")
        if self._give_ups >= MAX_GIVE_UPS:
            raise StorageError(
                f"another run took objects of this one {MAX_GIVE_UPS} times; nothing is lost:"
                " run it again when the other one is done"
            )

    def _fail(self, key: str, reason: str) -> None:
        _log.warning("%s: %s", printable(key), printable(reason))
        self._failed[key] = reason

    def _keep(self, keys: Sequence[str], reason: str) -> None:
        """Leave changed objects as they were sealed: a partial replacement would lose events."""
        for key in keys:
            if key not in self._failed:
                self._fail(key, f"changed, but its batch cannot be replaced: {reason}")


def _remembering(content_hash: Callable[[StoredObject], str]) -> Callable[[StoredObject], str]:
    """Return `content_hash` so that each version of an object is read once a run."""
    known: dict[tuple[str, str], str] = {}

    def remembered(entry: StoredObject) -> str:
        version = entry.key, entry.etag
        if version not in known:
            known[version] = content_hash(entry)
        return known[version]

    return remembered
