"""Hops 1 to 3: discover what is new, parse it, seal it. Each raw object enters the log once."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial

from ingest.errors import ClickstreamError, ObjectUnreadable, SettingsError, StorageError
from ingest.job.discover import (
    Batch,
    Duplicate,
    Failed,
    Listing,
    capped,
    check_collisions,
    check_places,
    list_source,
    match,
    open_source,
    replacement,
    split_duplicates,
)
from ingest.job.plan import Plan, Task, make_plan
from ingest.job.tally import Tally, add_up, write_record
from ingest.job.task import TaskFacts
from ingest.lake.identity import read_content_hash
from ingest.lake.ownership import Ownership, read_ownership, write_checkpoint
from ingest.lake.records import BatchRecord, create_lake, read_log
from ingest.lake.seal import seal
from ingest.parse.registry import check_settings
from ingest.settings import Settings, Source
from ingest.storage import Storage, StoredObject
from ingest.terminal.text import printable

# How often a run plans again because another one was faster; then it leaves the work to that one.
MAX_GIVE_UPS = 3
_log = logging.getLogger(__name__)

# Runs the tasks of one plan somewhere and returns their facts; the text is the progress label.
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
    objects; what was sealed before that is in the error's `done`.
    """
    started = time.monotonic()
    listings = [list_source(source) for source in check_sources(settings, sources)]
    lake = create_lake(settings.lake)
    ownership = read_ownership(lake)
    write_checkpoint(lake, ownership)
    check_collisions(listings, ownership, configured={source.name for source in settings.sources})
    run = _Run(settings, lake, ownership, run_tasks, accept_duplicates=accept_duplicates)
    try:
        for listing in listings:
            run.ingest(listing)
    except ClickstreamError as error:
        done = run.summary(time.monotonic() - started)
        error.done = None if done.nothing_new else done
        raise
    return run.summary(time.monotonic() - started)


def check_sources(settings: Settings, names: Sequence[str] = ()) -> list[Source]:
    """Return the sources `names` (none = all); raises SettingsError when one cannot be read.

    It takes milliseconds, so a command may ask before it starts Spark.
    """
    selected = [settings.source(name) for name in names] or list(settings.sources)
    for source in selected:
        _check_parse(source)
        open_source(source)
    check_places(settings.sources, settings.lake)
    return selected


def _check_parse(source: Source) -> None:
    try:
        check_settings(source.parse)
    except SettingsError as error:
        raise SettingsError(f"source {source.name!r}: {error}") from error


class _Run:
    """One run: what it has seen of the log, and what it has done so far."""

    def __init__(
        self,
        settings: Settings,
        lake: Storage,
        ownership: Ownership,
        run_tasks: RunTasks,
        *,
        accept_duplicates: bool,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._ownership = ownership
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
        for batch in self._discover(listing):
            plan = self._plan(batch, listing)
            tally = self._parse(plan, label=f"ingest {listing.source.name}")
            self._seal(tally, source=listing.source)

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

    # --- hop 1: discover

    def _discover(self, listing: Listing) -> Iterator[Batch]:
        """Yield the batches of `listing`, each chosen when the one before it was sealed, or not.

        Changed objects come first: an object that took the old bytes under a new key (a rotated
        log) is new only after that.
        """
        yield from self._replacements(listing)
        yield from self._new_batches(listing)

    def _replacements(self, listing: Listing) -> Iterator[Batch]:
        """Yield a batch for each sealed one of which an object changed."""
        while changed := self._changed_batches(listing):
            batch_id, keys = next(iter(changed.items()))
            try:
                batch = replacement(batch_id, keys, listing, self._ownership)
            except ObjectUnreadable as error:
                self._keep(keys, str(error))
                continue
            _log.info("%s changed: batch %s is read again", printable(", ".join(keys)), batch_id)
            yield batch
            if any(stored.key in self._failed for stored in batch.objects):
                self._keep(keys, "an object of the same batch could not be read")

    def _changed_batches(self, listing: Listing) -> dict[str, Sequence[str]]:
        """Return the changed keys by batch, without the batches that this run failed to replace."""
        return {
            batch_id: keys
            for batch_id, keys in match(listing, self._ownership).changed.items()
            if not any(key in self._failed for key in keys)
        }

    def _new_batches(self, listing: Listing) -> Iterator[Batch]:
        """Yield the objects that nobody owns, as many at a time as fit into a batch."""
        # Each version of an object is read once a run.
        content_hash = cache(partial(read_content_hash, listing.root))
        while new := self._new_objects(listing, content_hash):
            chosen = capped(new)
            if len(chosen) < len(new):
                _log.info("%d of %d objects fit into this batch", len(chosen), len(new))
            yield Batch(objects=chosen)

    def _new_objects(
        self, listing: Listing, content_hash: Callable[[StoredObject], str]
    ) -> Sequence[StoredObject]:
        """Return the objects that nobody owns, but for those that failed and copies of others."""
        known = self._failed.keys() | {duplicate.source_file for duplicate in self._duplicates}
        new = [one for one in match(listing, self._ownership).new if one.key not in known]
        if self._accept_duplicates:
            return new
        fresh, duplicates = split_duplicates(new, self._ownership, content_hash)
        self._duplicates += duplicates
        return fresh

    def _plan(self, batch: Batch, listing: Listing) -> Plan:
        return make_plan(
            batch,
            listing.root,
            lake=self._lake.uri,
            parse=listing.source.parse,
            range_bytes=self._settings.range_bytes,
            ingest_time=datetime.now(UTC),
        )

    # --- hop 2: parse

    def _parse(self, plan: Plan, *, label: str) -> Tally:
        tally = add_up(plan, self._run_tasks(plan.tasks, label))
        for key, reason in tally.failed.items():
            self._fail(key, reason)
        return tally

    # --- hop 3: seal

    def _seal(self, tally: Tally, *, source: Source) -> None:
        """Give the batch its number in the log.

        Not sealed: a batch of which nothing could be read, a replacement that would lose events,
        and one of which another run sealed some objects first.
        """
        batch = tally.plan.batch
        if len(tally.failed) == len(batch.objects) or (tally.failed and batch.replaces):
            return
        draft = write_record(tally, self._lake, source=source, writer=self._writer)
        record = seal(self._lake, draft, after=self._ownership.last)
        self._ownership = self._ownership.after(read_log(self._lake, after=self._ownership.last))
        if record is None:
            self._give_up()
            return
        self._changed += batch.changed
        if record.writer == self._writer:
            _log.info("sealed batch %d (%s)", record.number, record.batch_id)
            self._sealed.append(record)
        else:
            self._elsewhere.append(record.batch_id)

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
