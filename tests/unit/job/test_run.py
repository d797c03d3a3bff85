"""Whole ingests without Spark: each raw object enters the log exactly once, whatever happens."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from ingest.errors import BooksError, ClickstreamError, SettingsError, StorageError
from ingest.job import readings
from ingest.job import run as job
from ingest.job.discover import Duplicate
from ingest.job.matching import Wishes
from ingest.job.plan import Task
from ingest.job.replay import Choice
from ingest.job.run import IngestSummary, RunTasks, ingest, replay
from ingest.job.task import TaskFacts
from ingest.lake import ownership
from ingest.lake.ownership import read_ownership
from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord, lake_id, read_log
from ingest.settings import ParseSettings, Settings, Source
from ingest.storage import Storage, open_storage

Lines = Callable[..., bytes]
Ingest = Callable[..., IngestSummary]


@pytest.fixture
def raw(in_memory: Callable[[str], Storage]) -> Storage:
    return in_memory("raw")


@pytest.fixture
def make_here(
    make_settings: Callable[..., Settings], in_memory: Callable[[str], Storage]
) -> Callable[..., Settings]:
    """Return settings of these sources with one lake in memory."""
    return partial(make_settings, lake=in_memory("lake").uri)


@pytest.fixture
def settings(make_here: Callable[..., Settings], raw: Storage) -> Settings:
    return make_here(Source(name="raw", uri=raw.uri))


@pytest.fixture
def ingest_here(settings: Settings, run_tasks_here: RunTasks) -> Ingest:
    """Run an ingest of `raw`, or of other settings, in this process."""

    def run(other: Settings | None = None, **options: object) -> IngestSummary:
        return ingest(other or settings, run_tasks_here, **options)  # type: ignore[arg-type]

    return run


def _log(settings: Settings) -> tuple[BatchRecord, ...]:
    return read_log(open_storage(settings.lake))


def _live(settings: Settings) -> list[BatchRecord]:
    records = _log(settings)
    replaced = {batch for record in records for batch in record.replaces}
    return [record for record in records if record.batch_id not in replaced]


def _paths(settings: Settings) -> Counter[tuple[str, str]]:
    """Return (source_file, url_path) of all live events; proves that each event is there once."""
    found: Counter[tuple[str, str]] = Counter()
    ids: Counter[str] = Counter()
    lake = open_storage(settings.lake)
    for record in _live(settings):
        for file in record.files["events"]:
            for row in open_parquet(lake, file.path).read().to_pylist():
                found[row["source_file"], row["url_path"]] += 1
                ids[row["event_id"]] += 1
    assert not [event_id for event_id, times in ids.items() if times > 1]
    return found


def _pages(key: str, first: int, count: int) -> Counter[tuple[str, str]]:
    return Counter((f"raw/{key}", f"/page/{index}") for index in range(first, first + count))


def test_a_run_seals_once_and_the_next_has_nothing_to_do(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("a.log", access_lines(3))
    first = ingest_here()
    assert [record.number for record in first.sealed] == [1]
    assert (first.nothing_new, first.exit_code) == (False, 0)
    assert first.sealed == _log(settings)
    second = ingest_here()
    assert (second.nothing_new, second.exit_code, second.sealed) == (True, 0, ())
    assert len(_log(settings)) == 1


def test_an_empty_source_has_nothing_new(settings: Settings, ingest_here: Ingest) -> None:
    assert ingest_here().nothing_new
    assert _log(settings) == ()


def test_growth_is_read_from_where_it_ended(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    for count in (3, 5, 400):
        raw.put("a.log", access_lines(count))
        (record,) = ingest_here().sealed
        assert record.replaces == ()
        assert _paths(settings) == _pages("a.log", 0, count)
    assert [(one.start, one.lines_read) for one in record.objects] == [(len(access_lines(5)), 395)]
    assert ingest_here().nothing_new


def test_a_rotated_log_loses_and_doubles_nothing(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    """The oldest file goes, and its events stay."""
    raw.put("access.log", access_lines(3))
    ingest_here()
    for day in range(1, 5):
        raw.delete(["access.log.2"])
        for age in range(min(day - 1, 1), -1, -1):
            old = f"access.log.{age}" if age else "access.log"
            raw.put(f"access.log.{age + 1}", raw.read(old))
        raw.put("access.log", access_lines(3 + day, first=10 * day))
        summary = ingest_here()
        assert (summary.duplicates, summary.exit_code) == ((), 0)
    assert Counter(path for _, path in _paths(settings).elements()) == Counter(
        f"/page/{10 * day + index}" for day in range(5) for index in range(3 + day)
    )


def test_a_log_that_was_moved_touched_or_compressed_brings_nothing(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    lines = access_lines(300)
    raw.put("a.log", lines)
    ingest_here()
    for name, data in (("b.log", lines), ("b.log", lines), ("b.log.gz", gzip.compress(lines))):
        for key in ("a.log", "b.log"):
            raw.delete([key])
        raw.put(name, data)
        summary = ingest_here()
        assert sum(record.totals.lines_read for record in summary.sealed) == 0
        assert summary.exit_code == 0
        assert ingest_here().nothing_new
    assert _paths(settings) == _pages("a.log", 0, 300)
    (log,) = read_ownership(open_storage(settings.lake)).logs.values()
    assert (log.name, log.key) == ("raw/a.log", "b.log.gz")


def test_a_log_that_goes_to_and_fro_is_a_batch_each_time(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    lines = access_lines(300)
    for name, old in (("a.log", "b.log"), ("b.log", "a.log")) * 3:
        raw.put(name, lines)
        raw.delete([old])
        assert len(ingest_here().sealed) == 1
    assert len({record.batch_id for record in _log(settings)}) == 6
    assert _paths(settings) == _pages("a.log", 0, 300)


def test_another_content_at_a_key_is_asked_about(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("a.log", access_lines(30))
    raw.put("b.log", access_lines(2, first=100))
    ingest_here()
    raw.put("a.log", access_lines(30, first=10))
    raw.put("c.log", access_lines(1, first=200))
    summary = ingest_here()
    assert [(failed.key, summary.exit_code) for failed in summary.failed] == [("a.log", 1)]
    assert "replay --key a.log" in summary.failed[0].reason
    assert "ingest --as-new a.log" in summary.failed[0].reason
    others = _pages("b.log", 100, 2) + _pages("c.log", 200, 1)
    assert _paths(settings) == _pages("a.log", 0, 30) + others
    assert ingest_here(wishes=Wishes(as_new=frozenset({"a.log"}))).exit_code == 0
    assert sum(_paths(settings).values()) == 63
    assert ingest_here().nothing_new


def test_a_correction_takes_the_place_of_what_was_read(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(30))
    raw.put("b.log", access_lines(2, first=100))
    ingest_here()
    raw.put("b.log", access_lines(5, first=100))
    ingest_here()
    raw.put("a.log", access_lines(30, first=10))
    summary = replay(settings, run_tasks_here, Choice(key="a.log"))
    assert (len(summary.sealed), summary.exit_code) == (1, 0)
    assert _paths(settings) == _pages("a.log", 10, 30) + _pages("b.log", 100, 5)
    assert ingest_here().nothing_new


@pytest.mark.parametrize("key", ["a.log", "a.log.1"])
def test_a_correction_replaces_only_the_log_that_lies_there(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
    key: str,
) -> None:
    """Two generations: one lies where the other was, which has moved on."""
    lines = {"a.log": 1000, "a.log.1": 0}
    raw.put("a.log", access_lines(30))
    ingest_here()
    for name, first in lines.items():
        raw.put(name, access_lines(30, first=first))
    ingest_here()
    lines[key] += 10
    raw.put(key, access_lines(30, first=lines[key]))
    assert ingest_here().exit_code == 1

    summary = replay(settings, run_tasks_here, Choice(key=key))

    assert (len(summary.sealed), summary.exit_code) == (1, 0)
    assert ingest_here().nothing_new
    assert Counter(page for _, page in _paths(settings).elements()) == Counter(
        f"/page/{first + index}" for first in lines.values() for index in range(30)
    )


def test_a_correction_that_looks_like_a_rotation_is_one_all_the_same(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    ingest_here()
    raw.put("a.log", access_lines(3, first=5000))
    summary = replay(settings, run_tasks_here, Choice(key="a.log"))
    assert len(summary.sealed) == 1
    assert _paths(settings) == _pages("a.log", 5000, 3)
    assert ingest_here().nothing_new


def test_a_correction_of_nothing_is_refused(
    settings: Settings, raw: Storage, access_lines: Lines, run_tasks_here: RunTasks
) -> None:
    raw.put("a.log", access_lines(3))
    with pytest.raises(SettingsError, match="nothing to replay"):
        replay(settings, run_tasks_here, Choice(key="b.log"))


def test_a_replay_reads_the_same_bytes_at_their_new_place(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(30))
    (first,) = ingest_here().sealed
    raw.put("a.log", access_lines(40))
    ingest_here()
    raw.put("a.log.gz", gzip.compress(access_lines(50)))
    raw.delete(["a.log"])
    summary = replay(settings, run_tasks_here, Choice(batch_ids=(first.batch_id,)))
    assert [record.replaces for record in summary.sealed] == [(), (first.batch_id,)]
    assert summary.sealed[1].totals.lines_read == 30
    assert _paths(settings) == _pages("a.log", 0, 50)


def test_a_replay_takes_the_first_digits_of_an_id(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    (first,) = ingest_here().sealed
    raw.put("b.log", access_lines(2, first=100))
    unknown = first.batch_id[:5]
    with pytest.raises(SettingsError, match=f"--batch {unknown}: the lake has no such batch; give"):
        replay(settings, run_tasks_here, Choice(batch_ids=(unknown,)))
    assert _log(settings) == (first,)  # refused before anything is ingested
    summary = replay(settings, run_tasks_here, Choice(batch_ids=(first.batch_id[:6],)))
    assert [record.replaces for record in summary.sealed] == [(), (first.batch_id,)]


def test_a_replay_stops_where_a_log_is_gone(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    raw.put("b.log", access_lines(2, first=100))
    (record,) = ingest_here().sealed
    raw.delete(["b.log"])
    with pytest.raises(ClickstreamError, match=r"gone from source raw: raw/b\.log"):
        replay(settings, run_tasks_here, Choice(batch_ids=(record.batch_id,)))
    assert sum(_paths(settings).values()) == 5
    choice = Choice(batch_ids=(record.batch_id,), accept_loss=True)
    assert len(replay(settings, run_tasks_here, choice).sealed) == 1
    assert _paths(settings) == _pages("a.log", 0, 3)


def test_copies_are_reported_each_time_and_ingested_on_request(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("a.log", access_lines(3))
    raw.put("a.log.gz", gzip.compress(access_lines(3)))
    raw.put("old.log", access_lines(2))
    copies = (
        Duplicate(key="a.log.gz", original="a.log"),
        Duplicate(key="old.log", original="a.log"),
    )
    assert ingest_here().duplicates == copies
    again = ingest_here()
    assert (again.duplicates, again.nothing_new) == (copies, True)
    assert _paths(settings) == _pages("a.log", 0, 3)
    assert len(ingest_here(wishes=Wishes(accept_duplicates=True)).sealed) == 1
    assert sum(_paths(settings).values()) == 8


def test_a_renamed_source_knows_its_logs_again(
    make_here: Callable[..., Settings], raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("a.log", access_lines(3))
    ingest_here(make_here(Source(name="web", uri=raw.uri)))
    raw.put("a.log", access_lines(4))
    settings = make_here(Source(name="shop", uri=raw.uri))
    ingest_here(settings)
    assert sum(_paths(settings).values()) == 4


def test_a_late_file_is_a_batch_of_its_own(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("b.log", access_lines(3))
    ingest_here()
    raw.put("a.log", access_lines(2, first=10))
    (record,) = ingest_here().sealed
    assert [one.key for one in record.objects] == ["a.log"]
    assert _paths(settings) == _pages("a.log", 10, 2) + _pages("b.log", 0, 3)


def _meanwhile(run_tasks: RunTasks, *actions: Callable[[], object]) -> RunTasks:
    """Return `run_tasks` that does the next of `actions` before each plan is run."""
    waiting = list(actions)

    def run(tasks: Sequence[Task], label: str) -> Sequence[TaskFacts]:
        if waiting:
            waiting.pop(0)()
        return run_tasks(tasks, label)

    return run


def test_a_failed_object_is_tried_again_by_the_next_run(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    for name in ("a.log", "b.log"):
        raw.put(name, access_lines(7, first=ord(name[0]) * 10))
    run = _meanwhile(run_tasks_here, partial(raw.delete, ["b.log"]))
    summary = ingest(settings, run)
    assert [failed.key for failed in summary.failed] == ["b.log"]
    assert summary.exit_code == 1
    (record,) = summary.sealed
    assert [one.file_status for one in record.objects] == ["ok", "failed"]
    raw.put("b.log", access_lines(4))
    assert ingest_here().exit_code == 0
    assert _paths(settings) == _pages("a.log", 970, 7) + _pages("b.log", 0, 4)


def test_nothing_is_sealed_when_every_object_failed(
    settings: Settings, raw: Storage, access_lines: Lines, run_tasks_here: RunTasks
) -> None:
    raw.put("a.log", access_lines(2))
    summary = ingest(settings, _meanwhile(run_tasks_here, partial(raw.delete, ["a.log"])))
    assert (summary.nothing_new, summary.exit_code) == (True, 1)
    assert _log(settings) == ()


def test_a_failure_tells_what_was_sealed_before_it(
    make_here: Callable[..., Settings],
    in_memory: Callable[[str], Storage],
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    first, second = in_memory("first"), in_memory("second")
    first.put("a.log", access_lines(3))
    second.put("b.log", access_lines(2, first=10))
    settings = make_here(Source(name="one", uri=first.uri), Source(name="two", uri=second.uri))

    def fail(tasks: Sequence[Task], label: str) -> Sequence[TaskFacts]:
        if label == "ingest two":
            raise BooksError("counts differ")
        return run_tasks_here(tasks, label)

    with pytest.raises(BooksError) as caught:
        ingest(settings, fail)
    assert isinstance(caught.value.done, IngestSummary)
    assert caught.value.done.sealed == _log(settings)
    with pytest.raises(BooksError) as caught:
        ingest(settings, fail)
    assert caught.value.done is None


def test_a_crash_leaves_orphans_and_the_same_plan(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    seen: list[str] = []

    def crash(tasks: Sequence[Task], label: str) -> Sequence[TaskFacts]:
        run_tasks_here(tasks, label)
        seen.append(tasks[0].batch_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(settings, crash)
    assert _log(settings) == ()
    (record,) = ingest_here().sealed
    assert [record.batch_id] == seen
    assert len(list(open_storage(settings.lake).list("events/"))) == 2
    assert _paths(settings) == _pages("a.log", 0, 3)


def test_what_exceeds_a_batch_goes_into_the_next(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job, "batches", partial(readings.batches, max_objects=2))
    for index in range(5):
        raw.put(f"{index}.log", access_lines(1 + index, first=10 * index))
    summary = ingest_here()
    keys = [[one.key for one in record.objects] for record in summary.sealed]
    assert keys == [["0.log", "1.log"], ["2.log", "3.log"], ["4.log"]]
    assert sum(_paths(settings).values()) == 15


@pytest.mark.parametrize("more", [0, 5], ids=["the same plan", "another plan"])
def test_a_second_batch_is_not_sealed_over_what_another_run_took_before_the_first(
    settings: Settings,
    raw: Storage,
    make_here: Callable[..., Settings],
    in_memory: Callable[[str], Storage],
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
    monkeypatch: pytest.MonkeyPatch,
    more: int,
) -> None:
    monkeypatch.setattr(job, "batches", partial(readings.batches, max_objects=1))
    raw.put("a.log", access_lines(3))
    raw.put("b.log", access_lines(4, first=10))
    in_memory("only b").put("b.log", access_lines(4 + more, first=10))
    only_b = make_here(Source(name="raw", uri=in_memory("only b").uri))

    def other() -> None:
        ingest_here(only_b)
        raw.put("b.log", access_lines(4 + more, first=10))

    ingest(settings, _meanwhile(run_tasks_here, other))
    assert _paths(settings) == _pages("a.log", 0, 3) + _pages("b.log", 10, 4 + more)
    assert len({record.batch_id for record in _log(settings)}) == len(_log(settings)) == 2


def test_a_replay_that_another_run_overtakes_says_so(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
    make_here: Callable[..., Settings],
) -> None:
    raw.put("a.log", access_lines(3))
    (record,) = ingest_here().sealed
    choice = Choice(batch_ids=(record.batch_id,))
    other = make_here(Source(name="raw", uri=raw.uri), range_bytes=1 << 20)
    overtaken = _meanwhile(run_tasks_here, lambda: replay(other, run_tasks_here, choice))
    with pytest.raises(StorageError, match=f"another run replaced {record.batch_id} meanwhile"):
        replay(settings, overtaken, choice)
    assert _paths(settings) == _pages("a.log", 0, 3)


def test_another_run_with_the_same_plan_is_welcome(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    summary = ingest(settings, _meanwhile(run_tasks_here, ingest_here))
    assert summary.elsewhere == (_log(settings)[0].batch_id,)
    assert (summary.sealed, summary.nothing_new, summary.exit_code) == ((), False, 0)
    assert _paths(settings) == _pages("a.log", 0, 3)


def test_the_rest_is_planned_again_after_another_run_took_some(
    settings: Settings,
    raw: Storage,
    make_here: Callable[..., Settings],
    in_memory: Callable[[str], Storage],
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    raw.put("b.log", access_lines(2, first=10))
    in_memory("only a").put("a.log", access_lines(3))
    only_a = make_here(Source(name="raw", uri=in_memory("only a").uri))
    summary = ingest(settings, _meanwhile(run_tasks_here, lambda: ingest_here(only_a)))
    (record,) = summary.sealed
    assert (record.number, [one.key for one in record.objects]) == (2, ["b.log"])
    assert _paths(settings) == _pages("a.log", 0, 3) + _pages("b.log", 10, 2)


def test_a_run_that_is_always_slower_gives_up(
    settings: Settings,
    raw: Storage,
    make_here: Callable[..., Settings],
    in_memory: Callable[[str], Storage],
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    takes = []
    for index in range(5):
        only = in_memory(f"only {index}")
        for storage in (raw, only):
            storage.put(f"{index}.log", access_lines(1 + index, first=10 * index))
        takes.append(partial(ingest_here, make_here(Source(name="raw", uri=only.uri))))
    with pytest.raises(StorageError, match="another run took logs of this one 3 times"):
        ingest(settings, _meanwhile(run_tasks_here, *takes))
    assert len(_log(settings)) == 3
    assert len(ingest_here().sealed) == 1
    assert sum(_paths(settings).values()) == 15


def test_four_runs_at_once(
    settings: Settings, raw: Storage, access_lines: Lines, run_tasks_here: RunTasks
) -> None:
    for index in range(8):
        raw.put(f"{index}.log", access_lines(1 + index, first=10 * index))
    start = threading.Barrier(4)
    summaries: list[IngestSummary] = []

    def run() -> None:
        start.wait()
        summaries.append(ingest(settings, run_tasks_here))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(summaries) == 4
    assert sum(len(summary.sealed) for summary in summaries) == len(_log(settings)) == 1
    assert sum(_paths(settings).values()) == 36


def test_sources_are_chosen_by_name(
    make_here: Callable[..., Settings],
    in_memory: Callable[[str], Storage],
    ingest_here: Ingest,
    access_lines: Lines,
) -> None:
    for name in ("web", "shop"):
        in_memory(name).put("access.log", access_lines(len(name), first=len(name)))
    settings = make_here(*(Source(name=name, uri=in_memory(name).uri) for name in ("web", "shop")))
    assert [record.source for record in ingest_here(settings, sources=["shop"]).sealed] == ["shop"]
    assert [record.source for record in ingest_here(settings).sealed] == ["web"]
    logs = read_ownership(open_storage(settings.lake)).logs
    assert set(logs) == {"web/access.log", "shop/access.log"}
    with pytest.raises(SettingsError, match=r"no source is named 'nope'; .* has: web, shop"):
        ingest_here(settings, sources=["nope"])


def test_nothing_is_made_when_a_source_is_missing(
    tmp_path: Path, make_here: Callable[..., Settings], ingest_here: Ingest
) -> None:
    settings = make_here(Source(name="web", uri=str(tmp_path / "none")))
    with pytest.raises(SettingsError, match="source web"):
        ingest_here(settings)
    assert list(open_storage(settings.lake).list()) == []


def test_a_format_that_is_unknown_stops_before_anything_is_made(
    raw: Storage, make_here: Callable[..., Settings], ingest_here: Ingest
) -> None:
    settings = make_here(Source(name="web", uri=raw.uri, parse=ParseSettings(format="nope")))
    with pytest.raises(SettingsError, match="source 'web': format 'nope' is unknown"):
        ingest_here(settings)
    assert list(open_storage(settings.lake).list()) == []


def test_an_ingest_makes_the_lake_and_its_checkpoints(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ownership, "CHECKPOINT_RECORDS", 2)
    lake = open_storage(settings.lake)
    for count in range(1, 4):
        raw.put(f"{count}.log", access_lines(count, first=10 * count))
        ingest_here()
        assert lake_id(lake)
        found = [one.key for one in lake.list("checkpoints/")]
        assert found == ([f"checkpoints/{2:020}.parquet"] if count == 3 else [])
    assert ingest_here().nothing_new
