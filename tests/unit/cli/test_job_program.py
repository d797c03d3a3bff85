"""What the program of a job does with its arguments."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest import cli
from ingest.cli import hops, job
from ingest.warehouse.dbt import DbtSummary, Failure

BUILT = DbtSummary(passed=9, warned=0, failed=0, skipped=0, failures=(), seconds=0.0)


def test_variables_come_before_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], str]] = []
    monkeypatch.setattr(cli, "main", lambda: ran.append((sys.argv[1:], os.environ["A"])))
    monkeypatch.setenv("A", "before")
    monkeypatch.setenv("B", "before")
    monkeypatch.setattr(sys, "argv", ["main.py", "A=s3://x/a b=c", "B=", "replay", "--key", "a=b"])
    job.main()
    assert ran == [(["replay", "--key", "a=b"], "s3://x/a b=c")]
    assert os.environ["B"] == ""


@pytest.mark.parametrize(
    ("target", "command", "started"),
    [
        ("emr", "ingest web", True),
        ("emr", "export", True),
        ("emr", "load", False),  # with a metastore, which a session cannot get later
        ("emr", "dbt build", False),
        ("redshift", "load", True),
        ("redshift", "dbt build", True),
        ("redshift", "ingest", True),
    ],
)
@pytest.mark.parametrize("submitted", [True, False])
def test_spark_is_started_first_where_the_command_may_not(
    target: str, command: str, started: bool, submitted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(job, "is_submitted", lambda: submitted)
    monkeypatch.setattr("ingest.spark.session.given_session", lambda: order.append("spark"))
    monkeypatch.setattr(cli, "main", lambda: order.append("command"))
    monkeypatch.setenv("CLICKSTREAM_TARGET", "local")
    monkeypatch.setattr(sys, "argv", ["main.py", f"CLICKSTREAM_TARGET={target}", *command.split()])
    job.main()
    assert order == (["spark"] if started and submitted else []) + ["command"]


@pytest.mark.parametrize(
    ("done", "code", "words"),
    [
        (BUILT, 0, "9 models, seeds and tests passed"),
        (
            replace(BUILT, failed=1, failures=(Failure(name="t", message="no\x1b"),)),
            1,
            r"t: no\x1b",
        ),
    ],
)
def test_dbt_is_run_on_a_warehouse_that_was_repaired(
    done: DbtSummary,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    warehouse = MemoryWarehouse()
    asked: list[tuple[Any, ...]] = []

    @contextmanager
    def warehouse_for(_target: None) -> Iterator[tuple[str, MemoryWarehouse]]:
        yield "settings", warehouse

    def run_dbt(*given: str) -> DbtSummary:
        assert warehouse.repaired
        asked.append(given)
        return done

    monkeypatch.setattr(hops, "warehouse_for", warehouse_for)
    monkeypatch.setattr("ingest.warehouse.dbt.run_dbt", run_dbt)
    assert cli.run(["dbt", "build", "--select", "+a", "--full-refresh"]) == code
    assert asked == [("settings", "build", "--select", "+a", "--full-refresh")]
    assert words in "".join(capsys.readouterr())
