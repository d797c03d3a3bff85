"""The stand-in as a program, for people who want to try Redshift without an account."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redshift_connector
from support.copying import INT, Copying, array

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 120


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    """The program, started without anything of the caller's environment."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-m", "redshift", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_tells_where_it_is_and_leaves_nothing(
    program: subprocess.Popen[str], ending: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = read_exports(program)
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    connection = redshift_connector.connect(
        host=exported["REDSHIFT_HOST"],
        port=int(exported["REDSHIFT_PORT"]),
        user=exported["REDSHIFT_USER"],
        password=exported["REDSHIFT_PASSWORD"],
        database=exported["REDSHIFT_DATABASE"],
        ssl=exported["REDSHIFT_SSLMODE"] != "disable",
    )
    copying = Copying(connection, bucket=exported["CLICKSTREAM_LAKE"].split("/")[2])
    copying.cursor.execute("create table t (a int)")
    assert copying.load(copying.put_rows("a", {"a": array(1, type=INT)})) == [(1,)]
    ((folder, process),) = copying.ask("select current_setting('data_directory'), pg_backend_pid()")
    assert Path(folder).is_dir()
    program.send_signal(ending)
    assert program.wait(_SECONDS) == (-ending if ending == signal.SIGKILL else 0)
    end = time.monotonic() + _SECONDS
    while Path(folder).parent.exists() or psutil.pid_exists(process):
        # Only who was killed could not wait for the end of PostgreSQL.
        assert ending == signal.SIGKILL
        assert time.monotonic() < end
        time.sleep(0.1)


def read_exports(program: subprocess.Popen[str]) -> dict[str, str]:
    """Return the variables that the program wants to be exported."""
    assert program.stdout is not None
    exported = {}
    while (line := program.stdout.readline()).startswith("export "):
        name, _, value = line.removeprefix("export ").strip().partition("=")
        exported[name] = value
    assert line.startswith("# Ctrl-C ends it")
    return exported
