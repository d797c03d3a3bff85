"""What is checked before the JVM starts: the Spark, the lock of the warehouse."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import ClassVar

import pytest

from ingest.errors import SettingsError, WarehouseBusy
from ingest.spark import lock, session
from ingest.spark.lock import hold_warehouse
from ingest.spark.session import check_spark_home, start_session

# Takes the lock file given as first argument as another process would, says so, waits for stdin.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path, kind: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.communicate()


def test_another_spark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "spark-core_2.12-3.5.1.jar").touch()

    with pytest.raises(SettingsError, match="unset it"):
        check_spark_home({"SPARK_HOME": str(tmp_path)})


def test_the_same_spark_and_none_are_accepted(tmp_path: Path) -> None:
    import pyspark

    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / f"spark-core_2.13-{pyspark.__version__}.jar").touch()
    check_spark_home({"SPARK_HOME": str(tmp_path)})
    check_spark_home({"SPARK_HOME": ""})
    check_spark_home({})


def test_parameters_of_a_cluster_start_no_session_here(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="send them with `clickstream emr submit`"):
        start_session({"spark.sql.session.timeZone": "UTC"}, tmp_path)


class Submitted:
    """What spark-submit was given, in place of a SparkConf."""

    given: ClassVar[dict[str, str]] = {}

    def get(self, name: str, default: str) -> str:
        return self.given.get(name, default)

    def contains(self, name: str) -> bool:
        return name in self.given


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What spark-submit was given, to be changed."""
    monkeypatch.setattr(session, "SparkConf", Submitted)
    monkeypatch.setattr("pyspark.SparkContext._ensure_initialized", lambda: None)
    monkeypatch.setattr(Submitted, "given", {"spark.master": "yarn", "spark.a": "theirs"})
    return Submitted.given


def test_what_spark_submit_was_given_wins(submitted: dict[str, str]) -> None:
    assert session._undecided({"spark.a": "ours", "spark.b": "ours"}) == {"spark.b": "ours"}
    submitted.clear()
    assert session._undecided({"spark.a": "ours"}) == {"spark.a": "ours"}


def test_a_cluster_does_not_work_with_tables_of_one_machine(submitted: dict[str, str]) -> None:
    local = {"spark.master": "local[*,4]"}
    with pytest.raises(SettingsError, match=r"runs on yarn, .*: use --target emr"):
        session._undecided(local)
    submitted["spark.master"] = "local[2]"
    assert session._undecided(local) == {}


def test_the_lock_says_who_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_locks", {})
    monkeypatch.setattr(sys, "argv", ["/venv/bin/clickstream", "run", "--target", "local"])
    hold_warehouse(tmp_path)
    hold_warehouse(tmp_path)  # the same process may ask again

    assert json.loads((tmp_path / ".lock").read_text()) == {
        "pid": os.getpid(),
        "command": "clickstream run",
    }
    release(tmp_path)


def test_a_warehouse_held_by_a_command_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_locks", {})
    (tmp_path / ".lock").write_text('{"pid": 123, "command": "clickstream run"}')

    with (
        held_elsewhere(tmp_path / ".lock", "flock"),
        pytest.raises(WarehouseBusy, match=r"another process \(pid 123, clickstream run\): wait"),
    ):
        hold_warehouse(tmp_path)


def test_a_warehouse_held_by_dbt_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_locks", {})
    monkeypatch.setattr(lock, "_JVM_END_SECONDS", 0.2)
    derby = tmp_path / "metastore" / "dbex.lck"
    derby.parent.mkdir()
    derby.write_bytes(b"x")

    with (
        held_elsewhere(derby, "lockf"),
        pytest.raises(WarehouseBusy, match=r"\(probably dbt\)"),
    ):
        hold_warehouse(tmp_path)
    assert not lock._locks


def test_the_jvm_of_the_command_before_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_locks", {})
    derby = tmp_path / "metastore" / "dbex.lck"
    derby.parent.mkdir()
    derby.write_bytes(b"x")

    with ExitStack() as jvm:
        jvm.enter_context(held_elsewhere(derby, "lockf"))
        end = Timer(0.3, jvm.close)
        end.start()
        hold_warehouse(tmp_path)
        end.join()
    release(tmp_path)


def test_locks_left_by_a_killed_process_do_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_locks", {})
    (tmp_path / ".lock").write_text('{"pid": 123, "command": "clickstream run"}')
    (tmp_path / "metastore").mkdir()
    for name in ("dbex.lck", "db.lck"):
        (tmp_path / "metastore" / name).write_bytes(b"x")

    hold_warehouse(tmp_path)

    assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    release(tmp_path)


def release(data: Path) -> None:
    file = lock._locks.pop(data)
    fcntl.flock(file, fcntl.LOCK_UN)
    file.close()
