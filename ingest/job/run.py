"""Hops 1 to 3: discover what is new, parse it, seal it. Each line of each log enters once."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count

from ingest.errors import ClickstreamError, SettingsError, StorageError
from ingest.job.discover import (
    Duplicate,
    Failed,
    Listing,
    check_listed_once,
    check_places,
    list_source,
    open_source,
    sharing_a_place,
)
from ingest.job.look import content_of, earliest_time
from ingest.job.matching import Wishes, discover
from ingest.job.plan import Plan, Task, make_plan
from ingest.job.readings import Batch, batches
from ingest.job.replay import Choice, check_not_replaced, replays
from ingest.job.tally import Tally, add_up, write_record
from ingest.job.task import CHANGED, TaskFacts
from ingest.lake.accepted import find_batches
from ingest.lake.ownership import Ownership, read_ownership, write_checkpoint
from ingest.lake.records import BatchRecord, create_lake, open_lake, read_log
from ingest.lake.seal import seal
from ingest.parse.registry import check_settings
from ingest.settings import Settings, Source
from ingest.storage import Storage
from ingest.terminal.interrupts import check_interrupted
from ingest.terminal.text import printable

# How often a run plans again because another one was faster; then it leaves the work to that one.
MAX_GIVE_UPS = 3
# How often a source is listed again because logs were changed while they were read.
MAX_CHANGES = 3
_log = logging.getLogger(__name__)

# Runs the tasks of one plan somewhere and returns their facts; the text is the progress label.
RunTasks = Callable[[Sequence[Task], str], Sequence[TaskFacts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSummary:
    """What one ingest did.

    `sealed` are the records that this run wrote, `elsewhere` the ids of batches that another run
    with the same plan sealed first. `duplicates` and `failed` were not ingested. `waiting` maps
    keys to the bytes of a last line whose end has not come yet. `special` are the keys of pipes and
    devices, which were passed over.
    """

    sealed: tuple[BatchRecord, ...]
    elsewhere: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]
    failed: tuple[Failed, ...]
    waiting: Mapping[str, int]
    special: tuple[str, ...] = ()
    seconds: float

    @property
    def nothing_new(self) -> bool:
        """Whether sealed batches already owned everything that could be read."""
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
    wishes: Wishes | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> IngestSummary:
    """Ingest what is new in `sources` (names; none = all) and return what was done.

    `run_tasks` runs the tasks of each batch. Objects that cannot be read are in the summary. Raises
    SettingsError for an unknown or missing source or an unusable lake, BooksError when counts do
    not balance, StorageError when the lake cannot be written or other runs keep taking the same
    logs; what was sealed before that is in the error's `done`.
    """
    selected = check_sources(settings, sources)
    check_listed_once([list_source(source) for source in sharing_a_place(selected)])
    wishes = wishes or Wishes()
    for key in wishes.as_new:
        _sources_with(key, selected, option="--as-new")
    lake = create_lake(settings.lake)
    ownership = read_ownership(lake)
    write_checkpoint(lake, ownership)
    run = Run(settings, lake, ownership, run_tasks, now=now)
    with run.telling_what_was_done():
        for source in selected:
            run.ingest(source, wishes)
    return run.summary()


def replay(
    settings: Settings,
    run_tasks: RunTasks,
    choice: Choice,
    *,
    sources: Sequence[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> IngestSummary:
    """Read again what `choice` names, in `sources` (names; none = all).

    What is new is ingested first, so that the place of every log is known. Raises what `ingest`
    raises, SettingsError for an id that is of no batch, the beginning of several, or of a batch
    that was replaced, and for a key of no source or of several; ClickstreamError when there is
    nothing to read or a log that is to be read is gone.
    """
    choice, selected = complete_choice(choice, settings, sources)
    wishes = Wishes(settled_keys=frozenset(filter(None, [choice.key])))
    names = [source.name for source in selected]
    before = ingest(settings, run_tasks, sources=names, wishes=wishes, now=now)
    lake = create_lake(settings.lake)
    run = Run(settings, lake, read_ownership(lake), run_tasks, now=now)
    run.go_on_from(before)
    with run.telling_what_was_done():
        check_found(choice, sum(run.replay(source, choice) for source in selected))
    return run.summary()


def complete_choice(
    choice: Choice, settings: Settings, sources: Sequence[str]
) -> tuple[Choice, list[Source]]:
    """Return `choice` with whole ids, and those of `sources` in which it may be."""
    if choice.batch_ids:
        sealed = read_log(open_lake(settings.lake))
        choice = replace(choice, batch_ids=find_batches(sealed, choice.batch_ids, option="--batch"))
        check_not_replaced(choice, sealed)
    selected = check_sources(settings, sources)
    if choice.key is not None:
        selected = _sources_with(choice.key, selected, option="--key")
        if len(selected) > 1:
            both = " and ".join(source.name for source in selected)
            raise SettingsError(f"--key {choice.key}: the sources {both} have this key; name one")
    return choice, selected


def check_found(choice: Choice, found: int) -> None:
    """Raise SettingsError when one batch or key was asked for, and nothing of it was found."""
    if not found and (choice.key or choice.batch_ids):
        wanted = choice.key or ", ".join(choice.batch_ids)
        raise SettingsError(f"nothing to replay: no source has a live batch of {wanted}")


def _sources_with(key: str, sources: Sequence[Source], *, option: str) -> list[Source]:
    """Return those of `sources` that have `key`; raises SettingsError when none has it."""
    found = [source for source in sources if key in list_source(source).objects]
    if not found:
        names = ", ".join(source.name for source in sources)
        raise SettingsError(f"{option} {key}: no such file in source {names}")
    return found


def check_sources(settings: Settings, names: Sequence[str] = ()) -> list[Source]:
    """Return the sources `names` (none = all); raises SettingsError when one cannot be read.

    It takes milliseconds, so a command may ask before it starts Spark.
    """
    selected = [settings.source(name) for name in names] or list(settings.sources)
    problems = [problem for source in selected for problem in _problems_of(source)]
    if problems:
        raise SettingsError("\n".join(problems))
    for source in selected:
        open_source(source)
    check_places(settings.sources, settings.lake)
    return selected


def _problems_of(source: Source) -> list[str]:
    """Return what is wrong with how the lines of `source` are to be read."""
    try:
        check_settings(source.parse)
    except SettingsError as error:
        return [f"source {source.name!r}: {error}"]
    return []


@dataclass(slots=True)
class _Done:
    """What a run has done so far."""

    sealed: list[BatchRecord] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    duplicates: dict[str, Duplicate] = field(default_factory=dict)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)  # by source and key
    waiting: dict[str, int] = field(default_factory=dict)
    special: dict[str, None] = field(default_factory=dict)


class Run:
    """One run: what it has seen of the log of batches, and what it has done so far."""

    def __init__(
        self,
        settings: Settings,
        lake: Storage,
        ownership: Ownership,
        run_tasks: RunTasks,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`now` is the clock, in UTC."""
        self._settings = settings
        self._lake = lake
        self._ownership = ownership
        self._run_tasks = run_tasks
        self._now = now
        self._writer = uuid.uuid4().hex
        self._give_ups = 0
        self._was_changed = False
        self._done = _Done()
        self._started = time.monotonic()

    @contextmanager
    def telling_what_was_done(self) -> Iterator[None]:
        """Put the summary of what was sealed before an error into that error."""
        try:
            yield
        except ClickstreamError as error:
            done = self.summary()
            error.done = None if done.nothing_new else done
            raise

    def ingest(self, source: Source, wishes: Wishes) -> None:
        """Seal batch after batch until nothing new of `source` is left that can be read.

        When another run was faster with some of it, or a log was rotated between its listing and
        its reading, all is looked at again.
        """
        for attempt in count(1):
            self._was_changed = False
            listing, seen = list_source(source), self._ownership.last
            found = self._discover(listing, wishes)
            done = all(self.seal_one(one, listing, after=seen) for one in found)
            if done and not (self._was_changed and attempt < MAX_CHANGES):
                return

    def replay(self, source: Source, choice: Choice) -> int:
        """Seal a successor for each batch of `source` that `choice` names; return how many.

        Raises StorageError when another run replaced one of them meanwhile.
        """
        listing, seen = list_source(source), self._ownership.last
        records = read_log(self._lake)
        found = replays(choice, listing, self._ownership, records, now=self._now())
        for batch in found:
            if not self.seal_one(batch, listing, after=seen):
                raise StorageError(
                    f"another run replaced {', '.join(batch.replaces)} meanwhile; nothing is lost:"
                    " run it again when the other one is done"
                )
        return len(found)

    def go_on_from(self, before: IngestSummary) -> None:
        """Count what an ingest did just before as done by this run."""
        self._started -= before.seconds
        self._done.sealed += before.sealed
        self._done.elsewhere += before.elsewhere
        self._done.duplicates |= {copy.key: copy for copy in before.duplicates}
        self._done.failed |= {("", one.key): one.reason for one in before.failed}
        self._done.waiting |= before.waiting
        self._done.special |= dict.fromkeys(before.special)

    def seal_one(self, batch: Batch, listing: Listing, *, after: int) -> bool:
        """Plan, parse and seal `batch`; return False when another run sealed some of it first.

        `after` is the last record that was known when the batch was made of `listing`.
        """
        check_interrupted()
        plan = make_plan(
            batch,
            listing.root,
            lake=self._lake.uri,
            parse=listing.source.parse,
            range_bytes=self._settings.range_bytes,
            ingest_time=self._now(),
        )
        return self._seal(self._parse(plan, listing), source=listing.source, after=after)

    def summary(self) -> IngestSummary:
        """Return what was done."""
        done = self._done
        return IngestSummary(
            sealed=tuple(done.sealed),
            elsewhere=tuple(done.elsewhere),
            duplicates=tuple(done.duplicates.values()),
            failed=tuple(Failed(key=key, reason=why) for (_, key), why in done.failed.items()),
            waiting=done.waiting,
            special=tuple(done.special),
            seconds=time.monotonic() - self._started,
        )

    # --- hop 1: discover

    def _discover(self, listing: Listing, wishes: Wishes) -> Sequence[Batch]:
        """Return the batches of what is new in `listing`, and note what is only reported."""
        source = listing.source.name
        self._done.failed = {one: why for one, why in self._done.failed.items() if one[0] != source}
        found = discover(
            listing,
            self._ownership,
            configured={source.name for source in self._settings.sources},
            wishes=wishes,
            now=self._now(),
            look=partial(content_of, listing.root),
            earliest_time=partial(earliest_time, listing.root, listing.source.parse),
        )
        self._done.duplicates |= {copy.key: copy for copy in found.copies}
        self._done.waiting |= found.waiting
        self._done.special |= dict.fromkeys(listing.special)
        for failed in found.failed:
            self._fail(source, failed.key, failed.reason)
        return list(batches(found.readings, found.moves))

    # --- hop 2: parse

    def _parse(self, plan: Plan, listing: Listing) -> Tally:
        facts = self._run_tasks(plan.tasks, f"ingest {listing.source.name}") if plan.tasks else ()
        tally = add_up(plan, facts, root=listing.root)
        for key, reason in tally.failed.items():
            self._was_changed |= reason.startswith(CHANGED)
            self._fail(listing.source.name, key, reason)
        self._done.waiting |= tally.waiting
        return tally

    # --- hop 3: seal

    def _seal(self, tally: Tally, *, source: Source, after: int) -> bool:
        """Give the batch its number in the log; return False when another run was faster.

        Not sealed: a batch of which nothing could be read, or that brings no news; and one that
        replaces others but could not read all of them, or is refused where it corrects a log,
        because events would be lost.
        """
        for key, reason in tally.refused_corrections.items():
            self._fail(
                source.name, key, f"{reason}; it corrects nothing: what was read before stays"
            )
        is_lossy = tally.plan.batch.replaces and (tally.failed or tally.refused_corrections)
        if not tally.has_news or is_lossy:
            return True
        draft = write_record(tally, self._lake, source=source, writer=self._writer)
        record = seal(self._lake, draft, after=after)
        self._ownership = self._ownership.after(read_log(self._lake, after=self._ownership.last))
        if record is None:
            self._give_up()
            return False
        if record.writer == self._writer:
            _log.info("sealed batch %d (%s)", record.number, record.batch_id)
            self._done.sealed.append(record)
        else:
            self._done.elsewhere.append(record.batch_id)
        return True

    def _give_up(self) -> None:
        self._give_ups += 1
        _log.info("another run sealed some of the same logs first; planning the rest again")
        if self._give_ups >= MAX_GIVE_UPS:
            raise StorageError(
                f"another run took logs of this one {MAX_GIVE_UPS} times; nothing is lost:"
                " run it again when the other one is done"
            )

    def _fail(self, source: str, key: str, reason: str) -> None:
        _log.warning("%s: %s", printable(key), printable(reason))
        self._done.failed[source, key] = reason
