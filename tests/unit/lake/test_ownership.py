"""Who owns which object: the log of batches, and checkpoints that save reading it."""

from __future__ import annotations

import pytest
from fixtures.records import make_draft, raw_object, sealed

from ingest.errors import BooksError
from ingest.lake.ownership import read_ownership, write_checkpoint
from ingest.lake.records import record_key
from ingest.storage import Storage


def test_all_but_failed_objects_are_owned(lake: Storage) -> None:
    statuses = ("ok", "failed", "rejected", "corrupt_gzip", "empty")
    sealed(lake, make_draft("a", *(raw_object(status, status=status) for status in statuses)))
    ownership = read_ownership(lake)
    assert set(ownership.live) == set(statuses) - {"failed"}
    assert ownership.last == 1


def test_a_replaced_batch_owns_nothing_any_more(lake: Storage) -> None:
    sealed(lake, make_draft("old", raw_object("a"), raw_object("b")))
    sealed(lake, make_draft("new", raw_object("a", etag="9-9"), replaces=("old",)), after=1)
    ownership = read_ownership(lake)
    assert {key: owned.etag for key, owned in ownership.live.items()} == {"a": "9-9"}
    assert [owned.replaced_by for owned in ownership.ledger] == ["new", "new", None]


def _checkpoints(lake: Storage) -> list[str]:
    return [found.key for found in lake.list("checkpoints/")]


def test_a_checkpoint_saves_reading_and_changes_nothing(lake: Storage) -> None:
    for number in range(103):
        replaces = (f"b{number - 60}",) if number >= 60 else ()
        sealed(lake, make_draft(f"b{number}", replaces=replaces), after=number)
    first = read_ownership(lake)
    assert len(first.live) == 103 - 43
    assert first.last == 103
    write_checkpoint(lake, first)
    assert _checkpoints(lake) == [f"checkpoints/{103:020}.parquet"]
    lake.delete(record_key(number) for number in range(1, 104))
    assert read_ownership(lake) == first
    sealed(lake, make_draft("b103", replaces=("b102",)), after=103)
    later = read_ownership(lake)
    assert (later.last, len(later.live)) == (104, len(first.live))


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
    expected = read_ownership(lake)
    write_checkpoint(lake, expected)
    (key,) = _checkpoints(lake)
    whole = lake.read(key)
    for broken in (b"", b"PAR1", whole[:-10], whole[:50] + bytes(9) + whole[59:]):
        lake.put(key, broken)
        with pytest.raises(BooksError, match=r"50\.parquet: not a checkpoint .*remove it"):
            read_ownership(lake)
    lake.delete([key])
    assert read_ownership(lake) == expected
