"""The oracle knows what each run has to do, and what a following ingest does is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.following import FollowingIngest
from support.oracle import Oracle
from support.rotation import START, Compression, Server

LOG = "access.log"
Run = Callable[..., int]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def oracle(server: Server) -> Oracle:
    return Oracle(server)


@pytest.fixture
def run(server: Server, oracle: Oracle) -> Run:
    """Run an ingest that follows logs, see that it does what the oracle says, count the lines."""
    ingest = FollowingIngest(server.files.path)

    def run_and_count(*, final: bool = False) -> int:
        expected = oracle.expect(final=final)
        code = ingest.run(server.now, final=final)
        oracle.complete(expected)
        assert ingest.lines() == oracle.lines
        assert set(oracle.lines.values()) <= {1}
        assert expected.must_ask <= ingest.asked() <= expected.must_ask | expected.may_ask
        assert code == bool(ingest.asked())
        return oracle.lines.total()

    return run_and_count


def test_what_is_deleted_stays(server: Server, run: Run) -> None:
    """The field's numbered rotation: 12 events, then 14."""
    for count in (5, 3, 4):
        server.append(LOG, count)
        if count != 4:
            server.rotate(LOG, compression=Compression.DELAYED)
    assert run() == 12
    server.rotate(LOG, compression=Compression.DELAYED)
    server.delete(f"{LOG}.3.gz")
    server.append(LOG, 2)
    assert run() == 14
    counts = {key: server.files[key].content.count(b"\n") for key in server.files}
    assert counts == {LOG: 2, f"{LOG}.1": 4, f"{LOG}.2.gz": 3}


def test_dated_names_and_retention(server: Server, run: Run) -> None:
    """The field's `dateext` with `maxage`: 9 events, 11, 14."""
    server.append(LOG, 5)
    server.rotate(LOG, dated=True)
    server.append(LOG, 4)
    assert run() == 9
    server.delete(f"{LOG}-20240501")
    server.append(LOG, 2)
    assert run() == 11
    server.append(LOG)
    server.wait(24 * 60)
    server.rotate(LOG, dated=True)
    server.append(LOG, 2)
    assert run() == 14


def test_a_log_that_grows_before_it_is_renamed(server: Server, run: Run) -> None:
    """The field's rotation that works: 7 events, then 11."""
    server.append(LOG, 3)
    server.rotate(LOG)
    server.append(LOG, 4)
    assert run() == 7
    server.append(LOG, 2)
    server.rotate(LOG)
    server.append(LOG, 2)
    assert run() == 11


def test_a_line_counts_when_it_is_whole(server: Server, run: Run) -> None:
    server.append(LOG, 2)
    server.append_half(LOG)
    assert run() == 2
    server.finish_half(LOG)
    assert run() == 3


@pytest.mark.parametrize("how", ["wait", "final", "compress"])
def test_a_line_that_gets_no_end_counts_at_last(server: Server, run: Run, how: str) -> None:
    server.append(LOG, 2)
    server.append_half(LOG)
    server.rotate(LOG, reopen=False)
    assert run() == 2
    if how == "compress":
        server.compress(f"{LOG}.1")
        assert not server.has_half(LOG)
    if how == "wait":
        server.wait(59)
        assert run() == 2
        server.wait(1)
    assert run(final=how == "final") == 3


def test_a_line_whose_end_comes_too_late_is_two(server: Server, run: Run) -> None:
    server.append(LOG, 2)
    server.append_half(LOG, cut=5)
    assert run(final=True) == 3
    server.finish_half(LOG)
    assert run() == 4


def test_an_edited_log_is_asked_about(server: Server, oracle: Oracle, run: Run) -> None:
    server.append(LOG, 3)
    run()
    server.edit(LOG, 0)
    server.append(LOG)
    assert oracle.expect().must_ask == {LOG}
    assert run() == 3
    server.restore(LOG)
    assert not oracle.expect().must_ask
    assert run() == 4


@pytest.mark.parametrize(("first_second", "asks"), [(1, True), (3, True), (4, False)])
def test_what_overlaps_a_lost_log_is_asked_about(
    server: Server, oracle: Oracle, run: Run, first_second: int, asks: bool
) -> None:
    """The log lasts from second 1 to 7: from second 4 on, another one begins after it."""
    server.append(LOG, 7)
    run()
    server.replace(LOG, 1, first_at=START + timedelta(seconds=first_second))
    assert oracle.expect().must_ask == ({LOG} if asks else set())
    assert run() == (7 if asks else 8)


def test_what_takes_the_place_of_a_log_that_moved_is_another_one(
    server: Server, oracle: Oracle, run: Run
) -> None:
    server.append(LOG, 7)
    run()
    server.copy(LOG)
    server.replace(LOG, 1, first_at=START)
    assert not oracle.expect().must_ask
    assert run() == 8


def test_of_each_log_all_files_but_one_are_copies(server: Server, oracle: Oracle, run: Run) -> None:
    server.append(LOG, 2)
    server.copy(LOG)
    server.append(LOG)
    server.copy(LOG, compressed=True)
    assert oracle.expect().copies == (frozenset((LOG, f"BACKUP/{LOG}", f"{LOG}.gz")),)
    assert run() == 3


def test_of_a_killed_run_all_lines_of_a_log_are_there_or_none(
    server: Server, oracle: Oracle
) -> None:
    server.append(LOG, 2)
    expected = oracle.expect()
    (lines,) = expected.lines.values()
    oracle.complete_what_is_in(Counter(lines[:1]), expected)
    assert not oracle.lines
    oracle.complete_what_is_in(Counter(lines), expected)
    assert oracle.lines == Counter(lines)
    assert not oracle.expect().lines
