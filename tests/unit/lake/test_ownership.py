"""The ledger of logs: what records say of each, and checkpoints that save reading them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures.records import make_draft, raw_object, sealed

from ingest.errors import BooksError
from ingest.lake import checkpoint
from ingest.lake.ownership import check_whole, read_ownership, write_checkpoint
from ingest.lake.records import read_log, record_key
from ingest.storage import Storage


def test_all_but_failed_objects_are_owned(lake: Storage) -> None:
    statuses = ("ok", "failed", "rejected", "corrupt_gzip", "empty")
    sealed(lake, make_draft("a", *(raw_object(status, status=status) for status in statuses)))
    ownership = read_ownership(lake)
    assert {name: log.consumed for name, log in ownership.logs.items()} == {
        "ok": 64,
        "rejected": 0,
        "corrupt_gzip": 0,
        "empty": 0,
    }
    assert ownership.last == 1


def test_a_log_grows_and_moves(lake: Storage) -> None:
    sealed(lake, make_draft("b1", raw_object("a", end=30)))
    sealed(lake, make_draft("b2", raw_object("a", start=30, end=50)), after=1)
    moved = replace(raw_object("a", start=50, end=50, etag="9-9"), key="a.1", lines_read=0)
    sealed(lake, make_draft("b3", moved), after=2)
    (log,) = read_ownership(lake).logs.values()
    assert (log.name, log.key, log.etag, log.placed) == ("a", "a.1", "9-9", 3)
    assert (log.consumed, log.lines, log.tail) == (50, 50, "tail of a at 50")
    assert log.batches == ("b1", "b2")


def test_reading_again_changes_neither_end_nor_place_of_a_log(lake: Storage) -> None:
    sealed(lake, make_draft("b1", raw_object("a", end=30)))
    sealed(lake, make_draft("b2", raw_object("a", start=30, end=50)), after=1)
    before = read_ownership(lake).logs["a"]
    again = raw_object("a", end=30, etag="9-9")
    sealed(lake, make_draft("b3", again, replaces=("b1",)), after=2)
    assert read_ownership(lake).logs["a"] == replace(before, batches=("b1", "b2", "b3"))


def test_a_correction_forgets_what_it_takes_the_place_of(lake: Storage) -> None:
    sealed(lake, make_draft("b1", raw_object("a", end=30), raw_object("a@1", end=7)))
    corrected = replace(raw_object("a", end=4), corrects=("a", "a@1"))
    sealed(lake, make_draft("b2", corrected, replaces=("b1",)), after=1)
    logs = read_ownership(lake).logs
    assert {name: log.consumed for name, log in logs.items()} == {"a": 4}


def _checkpoints(lake: Storage) -> list[str]:
    return [found.key for found in lake.list("checkpoints/")]


def test_a_checkpoint_saves_reading_and_changes_nothing(lake: Storage) -> None:
    for number in range(103):
        sealed(lake, make_draft(f"b{number}"), after=number)
    first = read_ownership(lake)
    assert len(first.logs) == first.last == 103
    write_checkpoint(lake, first)
    assert _checkpoints(lake) == [f"checkpoints/{103:020}.parquet"]
    lake.delete(record_key(number) for number in range(1, 104))
    again = read_ownership(lake)
    assert (again.last, again.logs) == (first.last, first.logs)
    sealed(lake, make_draft("b103"), after=103)
    later = read_ownership(lake)
    assert (later.last, len(later.logs)) == (104, 104)


def test_a_checkpoint_is_written_when_it_is_due_and_by_no_reader(lake: Storage) -> None:
    due = []
    for number in range(102):
        sealed(lake, make_draft(f"b{number}"), after=number)
        ownership = read_ownership(lake)
        before = _checkpoints(lake)
        write_checkpoint(lake, ownership)
        if _checkpoints(lake) != before:
            due.append(number + 1)
    assert due == [50, 100]
    assert _checkpoints(lake) == [f"checkpoints/{number:020}.parquet" for number in due]


def test_a_broken_checkpoint_is_named_with_its_remedy(lake: Storage) -> None:
    for number in range(50):
        sealed(lake, make_draft(f"b{number}"), after=number)
    ownership = read_ownership(lake)
    write_checkpoint(lake, ownership)
    (key,) = _checkpoints(lake)
    whole = lake.read(key)
    for broken in (b"", b"PAR1", whole[:-10], whole[:50] + bytes(9) + whole[59:]):
        lake.put(key, broken)
        with pytest.raises(BooksError, match=r"50\.parquet: not a checkpoint .*remove it"):
            _ = read_ownership(lake).logs
    lake.delete([key])
    assert read_ownership(lake) == ownership


def test_a_log_that_ends_before_its_checkpoint_has_lost_records(lake: Storage) -> None:
    for number in range(103):
        sealed(lake, make_draft(f"b{number}"), after=number)
    records = read_log(lake)
    write_checkpoint(lake, read_ownership(lake))
    check_whole(lake, records)
    with pytest.raises(BooksError, match=r"0102\.json to .*0103\.json are missing.*restore them"):
        check_whole(lake, records[:101])


def test_a_checkpoint_of_several_groups_is_asked_by_column(
    lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_GROUP_ROWS", 4)
    for number in range(50):
        sealed(lake, make_draft(f"b{number:02}", raw_object(f"log-{number:02}")), after=number)
    whole = read_ownership(lake)
    write_checkpoint(lake, whole)
    grown = raw_object("log-07", start=64, end=90)
    sealed(lake, make_draft("b50", grown, raw_object("new")), after=50)
    later = read_ownership(lake)
    assert len(later.checkpoint.groups) == 13
    assert {name: log.consumed for name, log in later.logs.items()} == {
        **{f"log-{number:02}": 64 for number in range(50)},
        "log-07": 90,
        "new": 64,
    }
    assert set(later.newer) == {"log-07", "new"}
    assert [log.name for log in later.where("key", {"log-07", "log-31", "log-99"})] == [
        "log-31",
        "log-07",
    ]
    assert later.where("key", ()) == []
    assert list(later.checkpoint.groups_within("key", "log-08", "log-12")) == [2, 3]
    assert sum(table.num_rows for table in later.tables(["size"])) == 51
    assert later.without_sources({"other"}).logs == later.logs
    assert later.without_sources({"raw"}).logs == {}
