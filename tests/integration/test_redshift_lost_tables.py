"""Landing tables that somebody dropped or changed: verify sees it, the next load fills them."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest
from fixtures.load_suite import LIVE_EVENTS, Hop, Stale
from fixtures.redshift import Redshift

from ingest.books.verify import verify
from ingest.errors import ClickstreamError
from ingest.lake.checks import Check
from ingest.warehouse.redshift import landing
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement
from ingest.warehouse.redshift.warehouse import RedshiftWarehouse

pytestmark = pytest.mark.integration

run_statement = Session.run


@pytest.fixture
def hop(redshift_hop: Hop) -> Hop:
    return redshift_hop


def check_of(hop: Hop, table: str) -> Check:
    checks = verify(hop.settings, hop.warehouse).checks
    (found,) = (check for check in checks if check.name == f"landing {table} = lake")
    return found


def test_verify_sees_rows_of_another_batch(hop: Hop, redshift: Redshift) -> None:
    one, two = hop.add_log("one.log", 30), hop.add_log("two.log", 30)
    hop.load()
    assert check_of(hop, "files").ok
    redshift.change(
        f"delete from landing.files where batch_id = '{one.batch_id}'",  # noqa: S608
        "insert into landing.files select * from landing.files"  # noqa: S608
        f" where batch_id = '{two.batch_id}'",
    )
    assert not check_of(hop, "files").ok


def test_verify_of_a_table_that_was_dropped_names_the_remedy(hop: Hop, redshift: Redshift) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    redshift.change("drop table landing.events")
    found = check_of(hop, "events")
    assert (found.expected, found.found) == (30, 0)
    assert not verify(hop.settings, hop.warehouse).marts_differ

    for statement in ("drop schema landing cascade", "drop table landing.batches"):
        redshift.change(statement)
        hop.load()
        assert check_of(hop, "events").ok


@pytest.mark.parametrize("table", ["events", "rejects", "files"])
def test_a_table_that_was_dropped_is_filled_again(
    hop: Hop, redshift: Redshift, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    hop.add_log("one.log", 30)
    hop.correct_log("one.log", 20, broken=1)
    hop.add_log("bad.log", 1000, broken=50)
    before = contents(hop) if hop.load() else []
    redshift.change(f"drop table landing.{table}")

    steps = hop.describe()
    assert [
        step for step in steps if step.startswith(f"CREATE TABLE IF NOT EXISTS landing.{table}")
    ]
    assert "DELETE FROM landing.batches;" in steps
    hop.load()

    assert f"landing.{table} was dropped: landing.batches is emptied" in caplog.text
    assert contents(hop) == before
    assert hop.load().nothing_new
    assert hop.describe() == ()


def contents(hop: Hop) -> list[Any]:
    """Return how many rows each table has of each batch, and what the ledger says of it."""
    counts = "select batch_id, count(*) from landing.{} group by 1 order by 1"
    return [
        *(hop.rows(counts.format(table)) for table in ("events", "rejects", "files")),
        hop.rows("select batch_id, state, replaced_by from landing.batches order by 1"),
    ]


def test_a_load_that_was_killed_while_it_restored_a_table_did_nothing(
    hop: Hop, redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    redshift.change("drop table landing.events")

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        found = run_statement(self, statement)
        if statement.sql == "DELETE FROM landing.batches":
            self._connection._usock.shutdown(socket.SHUT_RDWR)
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", run)
        with pytest.raises(KeyboardInterrupt):
            hop.load()
    assert not hop.warehouse.exists("landing.events")
    assert len(hop.warehouse.ledger().batches) == 1
    assert hop.load().events == 30


def test_a_table_that_another_loader_has_just_filled_again_stays(
    hop: Hop, redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this loader saw of the ledger and of the tables is older."""
    hop.add_log("one.log", 30)
    hop.load()
    redshift.change("drop table landing.events")
    assert isinstance(hop.warehouse, RedshiftWarehouse)
    seen, looks = hop.warehouse.ledger(), [landing.landing_tables(hop.warehouse._session)]
    hop.load()
    look = landing.landing_tables
    monkeypatch.setattr(landing, "landing_tables", lambda one: looks.pop() if looks else look(one))

    assert replace(hop, warehouse=Stale(hop.warehouse, seen)).load().nothing_new
    assert not looks
    assert hop.rows(LIVE_EVENTS) == [(30,)]


def test_a_table_that_is_dropped_while_a_load_begins_is_an_error(
    hop: Hop, redshift: Redshift
) -> None:
    """That load would not fill it: it has looked at the ledger before."""
    record = hop.add_log("one.log", 30)
    hop.load()
    seen = hop.warehouse.ledger()
    redshift.change("drop table landing.events")
    with pytest.raises(ClickstreamError, match=r"^landing\.events was dropped meanwhile: run the"):
        replace(hop, warehouse=Stale(hop.warehouse, seen)).load()
    assert hop.load().loaded == (record.batch_id,)
