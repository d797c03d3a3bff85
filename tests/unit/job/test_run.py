"""Whole ingests without Spark: each raw object enters the log exactly once, whatever happens."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from support.memory_lake import log_of, meanwhile, pages, paths_in

from ingest.errors import BooksError, SettingsError, StorageError
from ingest.job import readings
from ingest.job import run as job
from ingest.job.discover import Duplicate
from ingest.job.matching import Wishes
from ingest.job.plan import Task
from ingest.job.run import IngestSummary, RunTasks, ingest
from ingest.job.task import TaskFacts
from ingest.lake import ownership
from ingest.lake.ownership import read_ownership
from ingest.lake.records import lake_id
from ingest.settings import ParseSettings, Settings, Source
from ingest.storage import Storage, open_storage

Lines = Callable[..., bytes]
Ingest = Callable[..., IngestSummary]


def test_a_run_seals_once_and_the_next_has_nothing_to_do(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("a.log", access_lines(3))
    first = ingest_here()
    assert [record.number for record in first.sealed] == [1]
    assert (first.nothing_new, first.exit_code) == (False, 0)
    assert first.sealed == log_of(settings)
    second = ingest_here()
    assert (second.nothing_new, second.exit_code, second.sealed) == (True, 0, ())
    assert len(log_of(settings)) == 1


def test_an_empty_source_has_nothing_new(settings: Settings, ingest_here: Ingest) -> None:
    assert ingest_here().nothing_new
    assert log_of(settings) == ()


def test_growth_is_read_from_where_it_ended(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    for count in (3, 5, 400):
        raw.put("a.log", access_lines(count))
        (record,) = ingest_here().sealed
        assert record.replaces == ()
        assert paths_in(settings) == pages("a.log", 0, count)
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
    assert Counter(path for _, path in paths_in(settings).elements()) == Counter(
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
    assert paths_in(settings) == pages("a.log", 0, 300)
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
    assert len({record.batch_id for record in log_of(settings)}) == 6
    assert paths_in(settings) == pages("a.log", 0, 300)


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
    assert "replay raw --key a.log" in summary.failed[0].reason
    assert "ingest raw --as-new a.log" in summary.failed[0].reason
    others = pages("b.log", 100, 2) + pages("c.log", 200, 1)
    assert paths_in(settings) == pages("a.log", 0, 30) + others
    with pytest.raises(SettingsError, match=r"--as-new A\.log: no such file in source raw"):
        ingest_here(wishes=Wishes(as_new=frozenset({"A.log"})))
    assert ingest_here(wishes=Wishes(as_new=frozenset({"a.log"}))).exit_code == 0
    assert sum(paths_in(settings).values()) == 63
    assert ingest_here().nothing_new


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
    assert paths_in(settings) == pages("a.log", 0, 3)
    assert len(ingest_here(wishes=Wishes(accept_duplicates=True)).sealed) == 1
    assert sum(paths_in(settings).values()) == 8


def test_a_renamed_source_knows_its_logs_again(
    make_here: Callable[..., Settings], raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("a.log", access_lines(3))
    ingest_here(make_here(Source(name="web", uri=raw.uri)))
    raw.put("a.log", access_lines(4))
    settings = make_here(Source(name="shop", uri=raw.uri))
    ingest_here(settings)
    assert sum(paths_in(settings).values()) == 4


def test_a_late_file_is_a_batch_of_its_own(
    settings: Settings, raw: Storage, ingest_here: Ingest, access_lines: Lines
) -> None:
    raw.put("b.log", access_lines(3))
    ingest_here()
    raw.put("a.log", access_lines(2, first=10))
    (record,) = ingest_here().sealed
    assert [one.key for one in record.objects] == ["a.log"]
    assert paths_in(settings) == pages("a.log", 10, 2) + pages("b.log", 0, 3)


def test_a_failed_object_is_tried_again_by_the_next_run(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    for name in ("a.log", "b.log"):
        raw.put(name, access_lines(7, first=ord(name[0]) * 10))
    run = meanwhile(run_tasks_here, partial(raw.delete, ["b.log"]))
    summary = ingest(settings, run)
    assert [failed.key for failed in summary.failed] == ["b.log"]
    assert summary.exit_code == 1
    (record,) = summary.sealed
    assert [one.file_status for one in record.objects] == ["ok", "failed"]
    raw.put("b.log", access_lines(4))
    assert ingest_here().exit_code == 0
    assert paths_in(settings) == pages("a.log", 970, 7) + pages("b.log", 0, 4)


def test_nothing_is_sealed_when_every_object_failed(
    settings: Settings, raw: Storage, access_lines: Lines, run_tasks_here: RunTasks
) -> None:
    raw.put("a.log", access_lines(2))
    summary = ingest(settings, meanwhile(run_tasks_here, partial(raw.delete, ["a.log"])))
    assert (summary.nothing_new, summary.exit_code) == (True, 1)
    assert log_of(settings) == ()


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
    assert caught.value.done.sealed == log_of(settings)
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
    assert log_of(settings) == ()
    (record,) = ingest_here().sealed
    assert [record.batch_id] == seen
    assert len(list(open_storage(settings.lake).list("events/"))) == 2
    assert paths_in(settings) == pages("a.log", 0, 3)


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
    assert sum(paths_in(settings).values()) == 15


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

    ingest(settings, meanwhile(run_tasks_here, other))
    assert paths_in(settings) == pages("a.log", 0, 3) + pages("b.log", 10, 4 + more)
    assert len({record.batch_id for record in log_of(settings)}) == len(log_of(settings)) == 2


def test_another_run_with_the_same_plan_is_welcome(
    settings: Settings,
    raw: Storage,
    ingest_here: Ingest,
    access_lines: Lines,
    run_tasks_here: RunTasks,
) -> None:
    raw.put("a.log", access_lines(3))
    summary = ingest(settings, meanwhile(run_tasks_here, ingest_here))
    assert summary.elsewhere == (log_of(settings)[0].batch_id,)
    assert (summary.sealed, summary.nothing_new, summary.exit_code) == ((), False, 0)
    assert paths_in(settings) == pages("a.log", 0, 3)


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
    summary = ingest(settings, meanwhile(run_tasks_here, lambda: ingest_here(only_a)))
    (record,) = summary.sealed
    assert (record.number, [one.key for one in record.objects]) == (2, ["b.log"])
    assert paths_in(settings) == pages("a.log", 0, 3) + pages("b.log", 10, 2)


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
        ingest(settings, meanwhile(run_tasks_here, *takes))
    assert len(log_of(settings)) == 3
    assert len(ingest_here().sealed) == 1
    assert sum(paths_in(settings).values()) == 15


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
    assert sum(len(summary.sealed) for summary in summaries) == len(log_of(settings)) == 1
    assert sum(paths_in(settings).values()) == 36


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


def test_all_sources_that_are_wrong_are_named_at_once(
    raw: Storage, make_here: Callable[..., Settings], ingest_here: Ingest
) -> None:
    wrong = ParseSettings(log_format="%h %Y"), ParseSettings(format="cloudfront_rt")
    sources = (Source(name=f"s{i}", uri=f"{raw.uri}/{i}", parse=one) for i, one in enumerate(wrong))
    with pytest.raises(SettingsError) as caught:
        ingest_here(make_here(*sources))
    assert "source 's0': log_format: unknown directive `%Y`" in str(caught.value)
    assert "source 's1': cloudfront_rt needs `fields`" in str(caught.value)


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
