"""Sealing against other writers: every branch of the state machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.records import make_draft, no_pause, raw_object, sealed
from fixtures.storage import MemoryStorage

from ingest.errors import StorageError
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.seal import RETRY_SECONDS, seal
from ingest.storage import Storage


def test_sealing_takes_the_next_number(lake: Storage) -> None:
    assert sealed(lake, make_draft("a")).number == 1
    assert sealed(lake, make_draft("b"), after=1).number == 2


def test_an_answer_that_was_lost_is_found_again(lake: Storage) -> None:
    first = sealed(lake, make_draft("a"))
    assert sealed(lake, make_draft("a")) == first
    assert len(read_log(lake)) == 1


def test_the_same_batch_sealed_by_another_run_counts(lake: Storage) -> None:
    other = sealed(lake, make_draft("a", writer="other"))
    assert sealed(lake, make_draft("a")) == other
    assert len(read_log(lake)) == 1


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (
            make_draft("m", raw_object("x")),
            make_draft("t", raw_object("x"), raw_object("y"), writer="other"),
        ),
        (
            make_draft("m", raw_object("x", etag="2-2")),
            make_draft("t", raw_object("x"), writer="other"),
        ),
        (
            make_draft("m", replaces=("old", "b")),
            make_draft("t", writer="other", replaces=("old",)),
        ),
        (
            make_draft("m", raw_object("x")),
            make_draft("t", replace(raw_object("x", end=900), source_file="y"), writer="other"),
        ),
        (
            make_draft("m", raw_object("x", end=63)),
            make_draft("t", raw_object("y", end=900), writer="other"),
        ),
    ],
    ids=[
        "same object",
        "another version of it",
        "same replaced batch",
        "same beginning under another name",
        "too short to be told apart",
    ],
)
def test_a_batch_that_shares_is_given_up(
    lake: Storage, mine: BatchRecord, theirs: BatchRecord
) -> None:
    sealed(lake, theirs)
    assert seal(lake, mine, after=0, pause=no_pause) is None
    assert len(read_log(lake)) == 1


def test_others_that_share_nothing_are_stepped_over(lake: Storage) -> None:
    failed = raw_object("x", status="failed")
    sealed(lake, make_draft("t1", writer="other"))
    sealed(lake, make_draft("t2", failed, raw_object("y"), writer="other"), after=1)
    there = replace(make_draft("t3", raw_object("x"), writer="other"), source="another")
    sealed(lake, replace(there, objects=(replace(raw_object("x"), source_file="z"),)), after=2)
    grown = replace(raw_object("x", start=64, end=90), source_file="w")
    sealed(lake, make_draft("t4", grown, writer="other"), after=3)
    moved = raw_object("x", start=64, end=64)
    sealed(
        lake, make_draft("t5", moved, raw_object("v", start=64, end=90), writer="other"), after=4
    )
    mine = make_draft("m", raw_object("x"), raw_object("v", start=64, end=64))
    assert sealed(lake, mine).number == 6


def test_records_of_the_same_run_are_stepped_over(lake: Storage) -> None:
    short, other = raw_object("x", end=9), raw_object("y", end=9)
    sealed(lake, make_draft("m1", short, writer="me"))
    assert sealed(lake, make_draft("m2", other, writer="me")).number == 2
    assert seal(lake, make_draft("m3", other, writer="other"), after=0, pause=no_pause) is None


class _Flaky(MemoryStorage):
    """Fails `failures` times; if `late`, after it wrote."""

    def __init__(self, *, failures: int, late: bool = False) -> None:
        super().__init__("memory://flaky", Path("not used"))
        self.failures = failures
        self.late = late

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.late:
            super().put_if_absent(key, data)
        if self.failures:
            self.failures -= 1
            raise StorageError("503 Slow Down")
        return super().put_if_absent(key, data)


@pytest.mark.parametrize("late", [False, True])
def test_a_busy_store_is_asked_again(late: bool) -> None:
    pauses: list[float] = []
    flaky = _Flaky(failures=3, late=late)
    record = seal(flaky, make_draft("a"), after=0, pause=pauses.append)
    assert pauses == [0.2, 0.4, 0.8]
    assert read_log(flaky) == (record,)


def test_a_store_that_stays_away_ends_the_run() -> None:
    pauses: list[float] = []
    flaky = _Flaky(failures=99)
    with pytest.raises(StorageError, match="Slow Down"):
        seal(flaky, make_draft("a"), after=0, pause=pauses.append)
    assert len(pauses) == len(RETRY_SECONDS) == 10
    assert flaky.failures == 99 - 11
