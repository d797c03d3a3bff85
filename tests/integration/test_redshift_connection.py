"""redshift_connector and psql, as they are, talk to the stand-in."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fixtures.redshift import Redshift
from redshift.postgres import programs
from redshift_connector.error import InterfaceError, ProgrammingError

from ingest.poll import poll

pytestmark = pytest.mark.integration

_SECONDS = 60
_NO_ENCRYPTION = (80877103, 80877104)
_CANCEL = 80877102


def test_the_driver_connects(redshift: Redshift) -> None:
    with redshift.connect() as connection, connection.cursor() as cursor:
        assert str(connection._server_version) == "8.0.2"
        # It sends parameters that PostgreSQL would refuse; this one PostgreSQL gets.
        cursor.execute("select current_setting('application_name'), current_database()")
        assert cursor.fetchone() == [__name__, redshift.database]
        cursor.execute("select current_setting('TimeZone'), 'B' < 'a', lower('É')")
        assert cursor.fetchone() == ["UTC", True, "é"]


def test_a_wrong_login_is_refused(redshift: Redshift) -> None:
    for wrong in (replace(redshift, user="me"), replace(redshift, password="wrong")):
        with pytest.raises(InterfaceError) as refused:
            wrong.connect()
        said = f'password authentication failed for user "{wrong.user}"'
        assert refused.value.args[0] == {"S": "FATAL", "C": "28000", "M": said}


def test_an_unknown_database_is_refused(redshift: Redshift) -> None:
    with pytest.raises(ProgrammingError, match='database "x" does not exist'):
        replace(redshift, database="x").connect()


@pytest.mark.parametrize("request_code", _NO_ENCRYPTION)
def test_encryption_is_declined(redshift: Redshift, request_code: int) -> None:
    with socket.create_connection((redshift.host, redshift.port), timeout=_SECONDS) as client:
        for _ in range(2):
            client.sendall(struct.pack("!ii", 8, request_code))
            assert client.recv(1) == b"N"


def test_psql_asks_for_encryption_first_and_sends_simple_queries(redshift: Redshift) -> None:
    script = (
        "create table t (a varchar(max) encode zstd) diststyle even; insert into t values ('b');"
        "select a || dateadd(day, 1, '2024-02-28') from t; select nothing from t;"
    )
    done = subprocess.run(
        [programs() / "psql", "--no-psqlrc", "--tuples-only", "--no-align"],
        input=script,
        env={
            "PGHOST": redshift.host,
            "PGPORT": str(redshift.port),
            "PGUSER": redshift.user,
            "PGPASSWORD": redshift.password,
            "PGDATABASE": redshift.database,
            "PGSSLMODE": "prefer",
        },
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.stdout == "CREATE TABLE\nINSERT 0 1\nb2024-02-29 00:00:00\n"
    assert 'column "nothing" does not exist' in done.stderr


def test_a_transaction_is_committed_or_rolled_back(redshift: Redshift) -> None:
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create table t (a int)")
        connection.commit()
        cursor.execute("insert into t values (1)")
        connection.rollback()
        cursor.execute("insert into t values (%s)", (2,))
        connection.commit()
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select a from t")
        assert list(cursor.fetchall()) == [[2]]


def test_an_error_aborts_the_transaction(redshift_cursor: Any) -> None:
    with pytest.raises(ProgrammingError, match="nowhere"):
        redshift_cursor.execute("select a from nowhere")
    with pytest.raises(ProgrammingError, match="current transaction is aborted"):
        redshift_cursor.execute("select 1")


def test_a_statement_is_prepared_once_and_executed_often(redshift_cursor: Any) -> None:
    found = []
    for number in (1, 2, 70_000, None):
        redshift_cursor.execute("select dateadd(day, %s, '2024-01-01')", (number,))
        found += redshift_cursor.fetchone()
    assert [str(day)[:10] for day in found] == ["2024-01-02", "2024-01-03", "2215-08-28", "None"]


def test_a_running_statement_is_cancelled(redshift: Redshift) -> None:
    with redshift.connect() as connection, connection.cursor() as cursor:
        raised: list[Exception] = []
        sleeper = threading.Thread(target=_sleep, args=(cursor, raised))
        sleeper.start()
        _wait_for(redshift, lambda asked: _count(asked, "query like '%pg_sleep(50)%'") == 1)
        with socket.create_connection((redshift.host, redshift.port)) as client:
            client.sendall(struct.pack("!ii", 16, _CANCEL) + connection._backend_key_data)
        sleeper.join(_SECONDS)
        assert "canceling statement due to user request" in str(raised)


def _sleep(cursor: Any, raised: list[Exception]) -> None:
    try:
        cursor.execute("select pg_sleep(50)")
    except ProgrammingError as error:
        raised.append(error)


def test_a_client_that_goes_away_leaves_nothing(redshift: Redshift) -> None:
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create table t (a int)")
        connection.commit()
    connection = redshift.connect()
    connection.cursor().execute("lock table t")
    _wait_for(redshift, lambda asked: _count(asked, "state = 'idle in transaction'") == 1)
    connection._usock.shutdown(socket.SHUT_RDWR)
    _wait_for(redshift, lambda asked: _count(asked, "state = 'idle in transaction'") == 0)


def _count(cursor: Any, condition: str) -> int:
    """Return the number of other connections to the database that fulfil `condition`."""
    here = "datname = current_database() and pid <> pg_backend_pid()"
    cursor.execute(f"select count(*) from pg_stat_activity where {here} and {condition}")  # noqa: S608
    return int(cursor.fetchone()[0])


def _wait_for(redshift: Redshift, is_so: Callable[[Any], bool]) -> None:
    with redshift.connect() as connection, connection.cursor() as cursor:
        connection.autocommit = True  # within a transaction the answer stays the same
        assert poll(lambda: is_so(cursor), bool, delay_seconds=0.05, deadline_seconds=_SECONDS)
