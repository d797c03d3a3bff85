"""What is read again, and what takes the place of what was read."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import replace as replace_in
from datetime import UTC, datetime, timedelta

import pytest
from support.memory_lake import Site, live_batches, log_of, meanwhile, pages, paths_in

from ingest.errors import ClickstreamError, SettingsError, StorageError
from ingest.job.replay import Choice
from ingest.job.run import IngestSummary, RunTasks, ingest, replay
from ingest.settings import Settings, Source
from ingest.storage import Storage


def test_a_correction_takes_the_place_of_what_was_read(site: Site) -> None:
    site.put("a.log", 30)
    site.put("b.log", 2, first=100)
    site.ingest()
    site.put("b.log", 5, first=100)
    site.ingest()
    site.put("a.log", 30, first=10)
    summary = site.replay(key="a.log")
    assert (len(summary.sealed), summary.exit_code) == (1, 0)
    assert paths_in(site.settings) == pages("a.log", 10, 30) + pages("b.log", 100, 5)
    assert site.ingest().nothing_new


@pytest.mark.parametrize("key", ["a.log", "a.log.1"])
def test_a_correction_replaces_only_the_log_that_lies_there(site: Site, key: str) -> None:
    """Two generations: one lies where the other was, which has moved on."""
    lines = {"a.log": 1000, "a.log.1": 0}
    site.put("a.log", 30)
    site.ingest()
    for name, first in lines.items():
        site.put(name, 30, first=first)
    site.ingest()
    lines[key] += 10
    site.put(key, 30, first=lines[key])
    assert site.ingest().exit_code == 1

    summary = site.replay(key=key)

    assert (len(summary.sealed), summary.exit_code) == (1, 0)
    assert site.ingest().nothing_new
    assert Counter(page for _, page in paths_in(site.settings).elements()) == Counter(
        f"/page/{first + index}" for first in lines.values() for index in range(30)
    )


def test_a_correction_that_looks_like_a_rotation_is_one_all_the_same(site: Site) -> None:
    site.put("a.log", 3)
    site.ingest()
    site.put("a.log", 3, first=5000)
    summary = site.replay(key="a.log")
    assert len(summary.sealed) == 1
    assert paths_in(site.settings) == pages("a.log", 5000, 3)
    assert site.ingest().nothing_new


def test_a_correction_of_nothing_is_refused(site: Site) -> None:
    site.put("a.log", 3)
    with pytest.raises(SettingsError, match=r"--key b\.log: no such file in source raw"):
        site.replay(key="b.log")


def test_a_correction_names_its_source_where_several_have_the_key(
    make_here: Callable[..., Settings],
    in_memory: Callable[[str], Storage],
    access_lines: Callable[..., bytes],
    run_tasks_here: RunTasks,
) -> None:
    names = ("one", "two")
    both = make_here(*(Source(name=name, uri=in_memory(name).uri) for name in names))
    for index, name in enumerate(names):
        in_memory(name).put("a.log", access_lines(30, first=100 * index))
    ingest(both, run_tasks_here)
    in_memory("two").put("a.log", access_lines(30, first=110))

    with pytest.raises(SettingsError, match="the sources one and two have this key; name one"):
        replay(both, run_tasks_here, Choice(key="a.log"))
    replay(both, run_tasks_here, Choice(key="a.log"), sources=["two"])

    assert sorted(name for name, _ in paths_in(both)) == ["one/a.log"] * 30 + ["two/a.log"] * 30
    assert ("two/a.log", "/page/139") in paths_in(both)


def test_a_batch_that_was_replaced_is_not_replayed(site: Site) -> None:
    site.put("a.log", 30)
    (first,) = site.ingest().sealed
    (second,) = site.replay(batch_ids=(first.batch_id,)).sealed
    with pytest.raises(SettingsError, match=rf"batch 2 \({second.batch_id}\) replaced it already"):
        site.replay(batch_ids=(second.batch_id, first.batch_id))
    assert len(log_of(site.settings)) == 2


def test_a_replay_reads_the_same_bytes_at_their_new_place(site: Site) -> None:
    site.put("a.log", 30)
    (first,) = site.ingest().sealed
    site.put("a.log", 40)
    site.ingest()
    site.raw.put("a.log.gz", gzip.compress(site.lines(50)))
    site.raw.delete(["a.log"])
    summary = site.replay(batch_ids=(first.batch_id,))
    assert [record.replaces for record in summary.sealed] == [(), (first.batch_id,)]
    assert summary.sealed[1].totals.lines_read == 30
    assert paths_in(site.settings) == pages("a.log", 0, 50)


def test_a_replay_takes_the_first_digits_of_an_id(site: Site) -> None:
    site.put("a.log", 3)
    (first,) = site.ingest().sealed
    site.put("b.log", 2, first=100)
    unknown = first.batch_id[:5]
    with pytest.raises(SettingsError, match=f"--batch {unknown}: the lake has no such batch; give"):
        site.replay(batch_ids=(unknown,))
    assert log_of(site.settings) == (first,)  # refused before anything is ingested
    summary = site.replay(batch_ids=(first.batch_id[:6],))
    assert [record.replaces for record in summary.sealed] == [(), (first.batch_id,)]


def test_a_replay_stops_where_a_log_is_gone(site: Site) -> None:
    site.put("a.log", 3)
    site.put("b.log", 2, first=100)
    (record,) = site.ingest().sealed
    site.raw.delete(["b.log"])
    site.put("c.log", 1, first=200)
    with pytest.raises(ClickstreamError, match=r"gone from source raw: raw/b\.log") as caught:
        site.replay(batch_ids=(record.batch_id,))
    assert isinstance(caught.value.done, IngestSummary)
    assert len(caught.value.done.sealed) == 1
    site.raw.delete(["c.log"])
    assert sum(paths_in(site.settings).values()) == 6
    assert len(site.replay(batch_ids=(record.batch_id,), accept_loss=True).sealed) == 1
    assert paths_in(site.settings) == pages("a.log", 0, 3) + pages("c.log", 200, 1)


def test_a_replay_misses_what_was_refused_too(site: Site) -> None:
    site.raw.put("a.log", b"no log\n")
    (record,) = site.ingest().sealed
    site.raw.delete(["a.log"])
    with pytest.raises(ClickstreamError, match=r"gone from source raw: raw/a\.log"):
        site.replay(batch_ids=(record.batch_id,))


def test_a_correction_reads_each_other_log_in_one_piece(site: Site) -> None:
    """Its beginning and its end are in batches of the corrected log, the middle is in another."""
    for lines in ({"a.log": 30, "b.log": 30}, {"b.log": 50}, {"a.log": 40, "b.log": 60}):
        for name, count in lines.items():
            site.put(name, count, first=1000 * (name == "b.log"))
        site.ingest()
    for first in (2000, 3000):
        site.put("a.log", 40, first=first)
        (record,) = site.replay(key="a.log").sealed
        assert [(one.source_file, one.lines_read) for one in record.objects] == [
            ("raw/a.log", 40), ("raw/b.log", 60),
        ]  # fmt: skip
        assert paths_in(site.settings) == pages("a.log", first, 40) + pages("b.log", 1000, 60)
    assert len(live_batches(site.settings)) == 1


@pytest.mark.parametrize("status", ["empty", "rejected"])
def test_what_was_nothing_is_read_where_no_batch_owns_it(site: Site, status: str) -> None:
    site.raw.put("a.log", b"" if status == "empty" else b"no log\n")
    (first,) = site.ingest().sealed
    assert first.objects[0].file_status == status
    site.put("a.log", 30)
    site.ingest()
    (again,) = site.replay(batch_ids=(first.batch_id,)).sealed
    assert again.totals.lines_read == 0
    assert paths_in(site.settings) == pages("a.log", 0, 30)
    assert site.ingest().nothing_new


def test_a_correction_that_is_refused_takes_nothing_away(site: Site) -> None:
    site.put("a.log", 30)
    site.ingest()
    site.raw.put("a.log", gzip.compress(site.lines(30, first=10))[:-9])
    summary = site.replay(key="a.log")
    assert (summary.sealed, summary.exit_code) == ((), 1)
    assert summary.failed[0].reason.startswith("corrupt_gzip: ")
    assert summary.failed[0].reason.endswith("it corrects nothing: what was read before stays")
    assert paths_in(site.settings) == pages("a.log", 0, 30)


@pytest.mark.parametrize("whole", [2, 0])
def test_the_last_line_of_a_correction_waits_for_its_end(folder_site: Site, whole: int) -> None:
    """Even where it is all that there is: then nothing of the log that was there counts."""
    site = folder_site
    site.put("a.log", 30)
    site.ingest()
    lines = site.lines(whole + 1, first=500)
    site.raw.put("a.log", lines[:-20])
    summary = site.replay(key="a.log")
    assert (len(summary.sealed), list(summary.waiting)) == (1, ["a.log"])
    assert paths_in(site.settings) == pages("a.log", 500, whole)
    site.raw.put("a.log", lines)
    site.ingest()
    assert paths_in(site.settings) == pages("a.log", 500, whole + 1)


@pytest.mark.parametrize("moves", [False, True])
def test_a_line_that_waits_outlasts_a_replay(folder_site: Site, moves: bool) -> None:
    """It has no end when the log is read again, and is taken as it is two hours later."""
    site = folder_site
    site.put("a.log", 30)
    (first,) = site.ingest().sealed
    site.raw.put("a.log.1" if moves else "a.log", site.lines(31)[:-1])
    if moves:
        site.raw.delete(["a.log"])
    site.replay(batch_ids=(first.batch_id,))
    assert paths_in(site.settings) == pages("a.log", 0, 30)
    site.ingest(now=lambda: datetime.now(UTC) + timedelta(hours=2))
    assert paths_in(site.settings) == pages("a.log", 0, 31)


def test_a_log_that_was_edited_is_not_read_again(folder_site: Site) -> None:
    site = folder_site
    site.put("a.log", 300)
    (first,) = site.ingest().sealed
    site.raw.put("a.log", site.lines(299) + site.lines(1, first=500))
    with pytest.raises(ClickstreamError, match=r"gone from source raw: raw/a\.log"):
        site.replay(batch_ids=(first.batch_id,))
    assert paths_in(site.settings) == pages("a.log", 0, 300)


def test_the_last_line_of_what_was_empty_waits_in_a_replay_too(folder_site: Site) -> None:
    site = folder_site
    site.raw.put("a.log", b"")
    (first,) = site.ingest().sealed
    site.raw.put("a.log", site.lines(1)[:-20])
    site.put("b.log", 2, first=100)
    site.ingest()
    site.replay(batch_ids=(first.batch_id,))
    assert paths_in(site.settings) == pages("b.log", 100, 2)
    site.put("a.log", 1)
    site.ingest()
    assert paths_in(site.settings) == pages("a.log", 0, 1) + pages("b.log", 100, 2)


def test_what_was_empty_is_not_sought_in_another_log_at_its_key(site: Site) -> None:
    site.raw.put("a.log", b"")
    (first,) = site.ingest().sealed
    site.put("b.log", 3)
    site.ingest()
    site.raw.delete(["a.log", "b.log"])
    site.put("a.log", 3)
    site.ingest()
    site.replay(batch_ids=(first.batch_id,))
    assert paths_in(site.settings) == pages("b.log", 0, 3)


def test_a_replay_that_another_run_overtakes_says_so(
    site: Site, make_here: Callable[..., Settings]
) -> None:
    site.put("a.log", 3)
    (record,) = site.ingest().sealed
    choice = Choice(batch_ids=(record.batch_id,))
    other = make_here(Source(name="raw", uri=site.raw.uri), range_bytes=1 << 20)
    overtaken = meanwhile(site.run_tasks, lambda: replay(other, site.run_tasks, choice))
    with pytest.raises(StorageError, match=f"another run replaced {record.batch_id} meanwhile"):
        replay(site.settings, overtaken, choice)
    assert paths_in(site.settings) == pages("a.log", 0, 3)


def test_what_other_settings_have_read_is_read_again(site: Site) -> None:
    """They may have given warnings only, or wrong values."""
    site.put("a.log", 3)
    site.ingest()
    assert site.replay(settings=True).nothing_new
    (source,) = site.settings.sources
    parse = replace_in(source.parse, timezone="+01:00")
    changed = replace_in(site.settings, sources=(replace_in(source, parse=parse),))
    site = replace_in(site, settings=changed)
    site.put("b.log", 3, first=100)
    site.ingest()

    (first, _) = log_of(changed)
    (sealed,) = site.replay(settings=True).sealed

    assert sealed.replaces == (first.batch_id,)
    assert site.replay(settings=True).nothing_new
