"""What people, networks and interruptions do to a session with Redshift (the stand-in)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from fixtures.load_suite import LIVE_EVENTS, Hop
from fixtures.redshift import Redshift
from redshift import session as server_session
from redshift.frames import DATA_ROW, Message
from redshift_connector.error import ProgrammingError

from ingest.errors import ClickstreamError, SettingsError
from ingest.poll import poll
from ingest.warehouse import open_warehouse
from ingest.warehouse.query import run_query
from ingest.warehouse.redshift import place, transaction
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement
from ingest.warehouse.redshift.warehouse import RedshiftWarehouse

pytestmark = pytest.mark.integration

SECONDS = 30
run_statement = Session.run


@pytest.fixture
def hop(redshift_hop: Hop) -> Hop:
    return redshift_hop


def end_session(hop: Hop, redshift: Redshift) -> None:
    """End the idle session of the warehouse, as an idle timeout does."""
    redshift.change(f"select pg_terminate_backend({session_of(hop).pid})")


def session_of(hop: Hop) -> Session:
    assert isinstance(hop.warehouse, RedshiftWarehouse)
    return hop.warehouse._session


@pytest.mark.parametrize("what", ["query", "ledger", "relations", "note"])
def test_a_session_that_was_ended_while_it_was_idle_is_opened_again(
    hop: Hop, redshift: Redshift, what: str
) -> None:
    hop.add_log("one.log", 3)
    hop.load()
    hop.warehouse.notes.put("built", b"x")
    ask: dict[str, Callable[[], Any]] = {
        "query": lambda: hop.rows(LIVE_EVENTS) == [(3,)],
        "ledger": lambda: hop.warehouse.ledger().batches,
        "relations": hop.warehouse.relations,
        "note": lambda: hop.warehouse.notes.read("built") == b"x",
    }
    end_session(hop, redshift)
    assert ask[what]()


def test_a_server_that_comes_back_is_waited_for(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    hop.add_log("one.log", 30)
    session = session_of(hop)
    place, refusals = session.place, [2]
    lost: list[Statement] = []

    def connect() -> Any:
        if lost and refusals[0]:
            refusals[0] -= 1
            raise ConnectionRefusedError(111, "connection refused")
        return place.connect()

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        if statement.sql.startswith("LOCK") and not lost:
            lost.append(statement)
            self._connection._usock.shutdown(socket.SHUT_RDWR)
        return run_statement(self, statement)

    session.place = replace(place, connect=connect)
    monkeypatch.setattr(Session, "run", run)
    hop.load()

    assert refusals == [0]
    assert hop.rows(LIVE_EVENTS) == [(30,)]


def test_a_server_that_says_nothing_is_given_up(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(place, "_CONNECT_SECONDS", 0.2)
        monkeypatch.setenv("REDSHIFT_ENDPOINT", f"127.0.0.1:{silent.getsockname()[1]}/dev")
        with pytest.raises(SettingsError, match=r"^cannot connect to .*: no answer within 0.2 s; "):
            open_warehouse(hop.settings).ledger()


def test_a_statement_may_take_longer_than_the_connection(hop: Hop) -> None:
    hop.warehouse.ledger()
    assert session_of(hop)._connection._usock.gettimeout() is None


def test_an_interrupted_statement_is_ended_and_answers_nothing_else(
    hop: Hop, redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver would take its answer for that to the next statement."""
    hop.load()

    def interrupted(self: Session, sql: str, **_: Any) -> Any:
        cursor = self._connection.cursor()

        def wait() -> None:
            with suppress(Exception):  # whatever an ended connection raises there
                cursor.execute(sql)

        Thread(target=wait, daemon=True).start()
        assert runs(redshift)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Session, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hop.rows("select pg_sleep(60)")
    assert session_of(hop)._connection is None
    assert poll(lambda: not runs(redshift, 0), bool, delay_seconds=0.1, deadline_seconds=SECONDS)
    assert hop.rows("select 1") == [(1,)]


def runs(redshift: Redshift, seconds: float = SECONDS) -> Any:
    """Return whether the database sleeps, within so many seconds."""
    asked = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and state = 'active' and query like 'select pg_sleep%'"
    )

    def count() -> int:
        with redshift.connect() as connection, connection.cursor() as cursor:
            return int(cursor.execute(asked).fetchone()[0])

    return poll(count, bool, delay_seconds=0.1, deadline_seconds=seconds)


@pytest.mark.parametrize(
    "sql",
    [
        "select set_config('datestyle', 'German', false)",
        "explain analyze select * into public.y from landing.batches",
    ],
)
def test_what_a_query_changes_is_taken_back(hop: Hop, sql: str) -> None:
    hop.load()
    hop.rows(sql)
    assert hop.rows("select cast(date '2024-10-11' as varchar)") == [("2024-10-11",)]
    assert not hop.warehouse.exists("public.y")


def test_no_more_rows_than_are_wanted_are_sent(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    tell = server_session.Session._tell

    def count(self: server_session.Session, message: Message) -> None:
        sent.extend([message.type] if message.type == DATA_ROW else [])
        tell(self, message)

    monkeypatch.setattr(server_session.Session, "_tell", count)
    with pytest.raises(ClickstreamError, match="more than 10,000 rows"):
        run_query(hop.warehouse, "select n from generate_series(1, 300000) as n order by n -- all")
    assert 10_000 < len(sent) < 10_100


def test_a_query_that_is_read_in_parts_is_whole(hop: Hop) -> None:
    for sql, columns, rows in (
        ("select n, n as n from generate_series(1, 2500) as n", 2, 2500),
        ("with a as (select 1 as b) select b from a where b > 1;", 1, 0),
        ("(/* both */ select 1 as a) union all (select 2) order by a desc", 1, 2),
        ("select '100%' as percent, 'it''s' as quote", 2, 1),
        ("select n from generate_series(1, 1000) as n", 1, 1000),
        ("explain select 1", 1, 1),
        ("show search_path", 1, 1),
    ):
        for _ in range(2):  # the second time the driver knows the statements
            found = run_query(hop.warehouse, sql)
            assert (len(found.columns), len(found.rows)) == (columns, rows)
            assert found.rows == hop.rows(sql)
            assert run_query(hop.warehouse, "select 'x' as y").columns == ("y",)


def test_a_copy_that_s3_refuses_blames_no_column_and_names_the_remedy(
    hop: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hop.add_log("one.log", 3)
    # S3 and IAM as Redshift repeats them; the stand-in has no roles and no regions.
    message = ""

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        if statement.sql.startswith("COPY"):
            raise ProgrammingError({"S": "ERROR", "C": "XX000", "M": message})
        return run_statement(self, statement)

    monkeypatch.setattr(Session, "run", run)
    for message, remedy in (
        ("Access Denied,Status 403,Error AccessDenied", "let the role of REDSHIFT_COPY_ROLE_ARN"),
        ("The provided token has expired.,Status 400,Error ExpiredToken", "the credentials of the"),
        ("The bucket is in a different region.,Status 301", "COPY reads Parquet in its own region"),
        ("Moved,Status 301,Error PermanentRedirect", "COPY reads Parquet in its own region"),
    ):
        with pytest.raises(ClickstreamError) as told:
            hop.load()
        assert f" was refused by COPY: {message}; {remedy}" in str(told.value)
        assert type(told.value) is ClickstreamError


def test_who_lacks_a_grant_is_told_which(hop: Hop, redshift: Redshift) -> None:
    session = session_of(hop)
    login, user = session.place, f"guest_{redshift.database}"

    def connect() -> Any:
        connection = login.connect()
        connection.cursor().execute(f"set session authorization {user}")
        connection.commit()
        return connection

    def denied(ask: Callable[[], Any], grant: str) -> None:
        session.place = replace(login, connect=connect)
        session.close()
        with pytest.raises(SettingsError, match=f"permission denied for .*: {grant}"):
            ask()
        session.place = login
        session.close()

    redshift.change(f"create role {user}")
    denied(hop.load, "grant the user create on the database$")
    hop.add_log("one.log", 3)
    hop.load()
    denied(hop.load, "grant the user usage and create on the schema")
    denied(lambda: hop.rows(LIVE_EVENTS), "grant the user usage on the schema, and select on")
    redshift.change(
        f"grant usage on schema landing to {user}",
        f"grant select on landing.batches to {user}",
    )
    hop.add_log("two.log", 3)
    denied(hop.load, "grant the user usage and create on the schema, and let it own the tables$")


def test_an_error_of_another_copy_is_no_reason(
    hop: Hop, redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = hop.add_log("two.log", 31)
    hop.load()
    redshift.change(
        "insert into pg_catalog.standin_load_error select nextval('standin_query'),"
        f" to_regclass('landing.events'), localtimestamp, {session_of(hop).pid}, 's3://b/{hop.key(two)}',"
        " 'http_method', 'varchar', '5', 1204, 'too long'",
    )
    hop.add_log("three.log", 32)
    monkeypatch.setattr(transaction, "write_manifest", lambda lake, *_: f"{lake.uri}/nowhere.json")
    with pytest.raises(ClickstreamError) as told:
        hop.load()
    assert "too long" not in str(told.value)


def test_the_servers_detail_is_in_no_error(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of a traceback shows what an error holds."""
    hop.load()
    detail = {"S": "ERROR", "C": "XX000", "M": "scan error", "D": "row (1, secret)"}

    class Cursor:
        def execute(self, *_: Any) -> None:
            raise ProgrammingError(detail)

    monkeypatch.setattr(type(session_of(hop)._connection), "cursor", lambda _self: Cursor())
    with pytest.raises(ClickstreamError) as told:
        hop.rows("select 1")
    assert told.value.__cause__ is not None
    assert told.value.__cause__.args == ({"S": "ERROR", "C": "XX000", "M": "scan error"},)


@pytest.mark.parametrize("schema", ["landing", "MyMarts", 'a"b', "pg_catalog", "", "x" * 120])
def test_a_schema_that_cannot_hold_marts_is_refused(
    hop: Hop, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSHIFT_SCHEMA", schema)
    with pytest.raises(SettingsError, match="REDSHIFT_SCHEMA"):
        open_warehouse(hop.settings)


def test_what_is_not_set_is_named(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDSHIFT_ENDPOINT", "REDSHIFT_PASSWORD"):
        monkeypatch.setenv(name, "")
    with pytest.raises(SettingsError, match="needs REDSHIFT_ENDPOINT and REDSHIFT_PASSWORD: docs"):
        open_warehouse(hop.settings)
    cluster = r"needs REDSHIFT_CLUSTER_ID \(for serverless REDSHIFT_WORKGROUP\): docs"
    for method in ("iam", "iam_role"):
        monkeypatch.setenv("REDSHIFT_METHOD", method)
        with pytest.raises(SettingsError, match=cluster):
            open_warehouse(hop.settings)
        with monkeypatch.context() as patch:
            patch.setenv("REDSHIFT_WORKGROUP", "shop")
            open_warehouse(hop.settings).close()
    monkeypatch.setenv("REDSHIFT_USER", "")
    monkeypatch.setenv("REDSHIFT_METHOD", "iam")
    with pytest.raises(SettingsError, match="needs REDSHIFT_USER and REDSHIFT_CLUSTER_ID"):
        open_warehouse(hop.settings)
