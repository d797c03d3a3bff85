"""The stand-in as a program, for people who want to try Redshift without an account."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redshift_connector
from redshift.trial import Servers, commands, how_to_go_on, start, stop
from redshift_connector.error import Error
from support.copying import INT, Copying, array

from ingest.cli import cli
from ingest.poll import poll

pytestmark = pytest.mark.integration

_SECONDS = 120


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """The servers as `make redshift-try` starts them."""
    started = start(tmp_path)
    yield started
    stop(tmp_path)
    started.process.wait(_SECONDS)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_they_say_how_to_reach_them_and_leave_nothing(
    servers: Servers, ending: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = servers.environ
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    place, _, database = exported["REDSHIFT_ENDPOINT"].partition("/")
    connection = redshift_connector.connect(
        host=place.partition(":")[0],
        port=int(place.partition(":")[2]),
        user=exported["REDSHIFT_USER"],
        password=exported["REDSHIFT_PASSWORD"],
        database=database,
        ssl=exported["REDSHIFT_SSLMODE"] != "disable",
    )
    copying = Copying(connection, bucket=exported["CLICKSTREAM_LAKE"].split("/")[2])
    copying.cursor.execute("create table t (a int)")
    assert copying.load(copying.put_rows("a", {"a": array(1, type=INT)})) == [(1,)]
    ((folder, backend),) = copying.ask("select current_setting('data_directory'), pg_backend_pid()")
    assert Path(folder).is_dir()
    assert f"kill {servers.process.pid}" in how_to_go_on(servers)
    opened = psutil.Process(servers.process.pid).net_connections()
    assert {one.laddr.ip for one in opened if one.status == "LISTEN"} == {"127.0.0.1"}

    servers.process.send_signal(ending)
    servers.process.wait(_SECONDS)
    with suppress(Error, OSError):
        connection.close()
    # Only who was killed could not wait for the end of PostgreSQL.
    gone = lambda: not (Path(folder).parent.exists() or psutil.pid_exists(backend))  # noqa: E731
    patience = _SECONDS if ending == signal.SIGKILL else 0
    assert poll(gone, bool, delay_seconds=0.1, deadline_seconds=patience)


def test_what_is_typed_is_a_command_of_the_product(tmp_path: Path) -> None:
    (tmp_path / "truth.json").touch()
    for command in commands(tmp_path, 500):
        assert command[0] == "clickstream"
        assert cli.commands[command[1]].make_context("clickstream", command[2:])
