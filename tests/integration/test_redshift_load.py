"""Hop 4 on Redshift (the stand-in): each batch whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.load_suite import LIVE_EVENTS, ROWS_BY_STATE, Hop, LoadSuite, Stale
from fixtures.redshift import Redshift
from redshift_connector.core import Connection

from ingest.errors import ClickstreamError, ObjectUnreadable, SettingsError
from ingest.warehouse import Warehouse, open_warehouse
from ingest.warehouse.load import LoadSummary, load
from ingest.warehouse.redshift import landing
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement

pytestmark = pytest.mark.integration

# `make soak-redshift` takes a million.
MANY = int(os.environ.get("REDSHIFT_ROWS", "3000"))


@pytest.fixture
def hop(redshift_hop: Hop) -> Hop:
    return redshift_hop


class TestOnRedshift(LoadSuite):
    """The stand-in shows what readers of every engine see."""


class Killed(BaseException):
    """The process is gone: nothing more is said to the database."""


class Killer:
    """Ends the connection before or after the statement with the number `at`, from 0."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def run(self, session: Session, statement: Statement) -> list[tuple[Any, ...]]:
        """Run the statement, or be killed."""
        at, self.count = self.count, self.count + 1
        if at == self.at and not self.after:
            self.kill(session)
        found = run_statement(session, statement)
        if at == self.at:
            self.kill(session)
        return found

    def kill(self, session: Session) -> None:
        """Close the socket as the kernel does after a process."""
        session._connection._usock.shutdown(socket.SHUT_RDWR)
        session._connection = None
        raise Killed


run_statement = Session.run


def load_killed(hop: Hop, killer: Killer, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Load with `killer` in the way; return whether it struck."""
    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", lambda self, statement: killer.run(self, statement))
        try:
            hop.load()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_statement_a_batch_is_whole_or_not_there(
    hop: Hop, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    """A batch that replaces another one: readers see the old one or the new one."""
    hop.add_log("one.log", 30, broken=1)
    hop.load()
    before = ([("live", 1, 30)], [(30,)])
    seen = [before]
    new = hop.correct_log("one.log", 20, broken=1)
    while seen[-1] == before:
        assert load_killed(hop, Killer(len(seen) - 1, after=after), monkeypatch)
        seen.append((hop.rows(ROWS_BY_STATE), hop.rows(LIVE_EVENTS)))

    # Killed behind the COMMIT, when the load looks once more at what readers see.
    assert seen[-1] == ([("live", 1, 20), ("replaced", 1, 30)], [(20,)])
    assert len(seen) > 10
    assert hop.rows("select distinct batch_id from landing.rejects") == [(new.batch_id,)]


def test_a_commit_whose_answer_was_lost_is_found_in_the_ledger(
    hop: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hop.add_log("one.log", 30)
    sent: list[str] = []
    lost: list[str] = []

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        sent.append(statement.sql)
        return run_statement(self, statement)

    def commit(self: Any) -> None:
        real(self)
        if sent[-1].startswith("INSERT") and not lost:
            lost.append(sent[-1])
            raise OSError("connection reset by peer")

    real = Connection.commit
    monkeypatch.setattr(Session, "run", run)
    monkeypatch.setattr(Connection, "commit", commit)
    summary = hop.load()

    assert lost
    assert (len(summary.loaded), summary.events) == (1, 30)
    assert len([sql for sql in sent if sql.startswith("COPY landing.events")]) == 1
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 30)]
    assert hop.rows(LIVE_EVENTS) == [(30,)]


def load_at_once(hop: Hop) -> list[LoadSummary]:
    """Let three loaders begin at the same time; return what each of them tells."""

    def load_all(warehouse: Warehouse) -> LoadSummary:
        with closing(warehouse):
            return load(hop.settings, warehouse)

    # Opened one by one: dbt, which reads the credentials, changes the environment of the process.
    warehouses = [open_warehouse(hop.settings) for _ in range(3)]
    with ThreadPoolExecutor(3) as loaders:
        return list(loaders.map(load_all, warehouses))


def test_loaders_at_once_load_each_batch_once(hop: Hop, redshift: Redshift) -> None:
    """In new tables, and again where one of these was dropped."""
    for number in range(3):
        hop.add_log(f"{number}.log", 50)
    for _ in range(2):
        done = load_at_once(hop)
        assert [summary.live for summary in done] == [3, 3, 3]
        # Each tells what it did, not what it had planned.
        assert sum(len(summary.loaded) for summary in done) == 3
        assert sum(summary.events for summary in done) == 150
        assert hop.rows(ROWS_BY_STATE) == [("live", 3, 150)]
        assert hop.rows(LIVE_EVENTS) == [(150,)]
        redshift.change("drop table landing.events")


def test_a_late_loader_takes_no_step_back(hop: Hop) -> None:
    """What it saw is older than what another one wrote meanwhile."""
    hop.add_log("one.log", 30)
    stale = hop.warehouse.ledger()
    hop.load()
    hop.correct_log("one.log", 20)
    hop.load()
    late = replace(hop, warehouse=Stale(hop.warehouse, stale))

    summary = late.load()

    assert (summary.nothing_new, summary.events, summary.live) == (True, 0, 1)
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 20), ("replaced", 1, 30)]
    assert hop.rows(LIVE_EVENTS) == [(20,)]


def test_one_copy_for_each_table_and_a_constant_number_of_statements(
    hop: Hop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hop.load()
    counts = []
    for lines in (10, MANY):
        sent: list[str] = []

        def run(
            self: Session, statement: Statement, sent: list[str] = sent
        ) -> list[tuple[Any, ...]]:
            sent.append(statement.sql)
            return run_statement(self, statement)

        hop.add_log(f"{lines}.log", lines, broken=1)
        with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
            patch.setattr(Session, "run", run)
            hop.load()
        counts.append(len([sql for sql in sent if "landing" in sql and "CREATE" not in sql]))
        assert len([sql for sql in sent if sql.startswith("COPY ")]) == 3

    assert counts[0] == counts[1]
    assert f"landing.events: {MANY:,} rows of batch 2 copied in" in caplog.text


def test_a_lake_in_a_folder_is_refused(hop: Hop, tmp_path: Path) -> None:
    local = replace(hop, settings=replace(hop.settings, lake=str(tmp_path / "lake")))
    local.add_log("one.log", 3)

    with pytest.raises(SettingsError, match="set CLICKSTREAM_LAKE"):
        local.load()


def test_a_new_column_is_added_and_an_unknown_one_refused(hop: Hop, redshift: Redshift) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("alter table landing.events drop column campaign_name")
        cursor.execute("alter table landing.files drop column counts")
        cursor.execute("alter table landing.files add column counts varchar(10)")
        connection.commit()
    hop.add_log("two.log", 20)
    hop.load()

    assert hop.rows("select count(*), count(campaign_name) from landing.events") == [(50, 0)]
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("alter table landing.events add column mine int")
        connection.commit()
    with pytest.raises(SettingsError, match="does not know: mine"):
        hop.load()


def test_a_column_that_another_loader_has_just_added_is_no_error(
    hop: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this loader saw of the tables is older."""
    hop.load()
    looks: list[None] = []

    def look(session: Session) -> dict[str, dict[str, str]]:
        found = tables(session)
        if len(looks) == 1:  # the first and the last look are those at the ledger
            del found["events"]["extra"]
        looks.append(None)
        return found

    tables = landing._tables
    monkeypatch.setattr(landing, "_tables", look)
    hop.add_log("one.log", 30)
    hop.load()

    assert len(looks) == 4
    assert hop.rows(LIVE_EVENTS) == [(30,)]


def test_a_server_that_is_not_there(
    hop: Hop, redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSHIFT_ENDPOINT", "127.0.0.1:1/dev")
    with pytest.raises(SettingsError, match=r"cannot connect to 127\.0\.0\.1:1/dev as") as told:
        open_warehouse(hop.settings).ledger()
    assert redshift.password not in str(told.value)


@pytest.mark.parametrize("sql", ["select 1; drop table landing.batches", "select into x from y"])
def test_nothing_is_changed_by_a_query(hop: Hop, sql: str) -> None:
    hop.load()
    with pytest.raises(ClickstreamError):
        hop.rows(sql)
    assert hop.warehouse.exists("landing.batches")


def test_a_note_is_kept_as_long_as_the_tables(hop: Hop, redshift: Redshift) -> None:
    notes = hop.warehouse.notes
    with pytest.raises(ObjectUnreadable):
        notes.read("built")
    for content in (b'{"it": "isn\'t 100%"}', rb'{"a": "\u00e9 \" \\"}', b""):
        notes.put("built", content)
        assert notes.read("built") == content
    with redshift.connect() as connection:
        connection.cursor().execute("drop schema clickstream_intermediate cascade")
        connection.commit()
    with pytest.raises(ObjectUnreadable):
        notes.read("built")


def test_a_function_that_writes_is_refused_in_a_query(hop: Hop, redshift: Redshift) -> None:
    hop.load()
    with redshift.connect() as connection:
        connection.cursor().execute(
            "create function zap() returns bigint language sql as"
            " 'delete from landing.batches; select 1::bigint'"
        )
        connection.commit()
    with pytest.raises(SettingsError, match="only reads"):
        hop.rows("select public.zap()")
    hop.load()  # the next transaction may write
