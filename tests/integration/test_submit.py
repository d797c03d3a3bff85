"""`clickstream ingest` where Spark is already running, and where the warehouse is in use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.emr_server import SECRETS
from support.leaks import files_in, leaks

from ingest.spark import lock
from ingest.spark.lock import hold_warehouse

pytestmark = pytest.mark.integration

# Generous: on a busy machine of 2 cores a JVM alone takes half a minute.
COMMAND_SECONDS = 300
OF_EACH_LINE = "Mozilla/5.0 (X11)"
MAIN = "from ingest.cli import main\nmain()\n"


@pytest.fixture
def data(tmp_path: Path, access_lines: Callable[..., bytes]) -> Path:
    """A data folder with one raw log of 30 lines."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "one.log").write_bytes(access_lines(30))
    return tmp_path / "data"


def sealed_events(data: Path, *command: str | Path, **environ: str) -> int:
    """Run an ingest as a process of its own and return the events that it sealed."""
    done = subprocess.run(
        [*command, "ingest", "--json"],
        env={
            **os.environ,
            "CLICKSTREAM_DATA": str(data),
            "PYSPARK_PYTHON": sys.executable,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # spark-submit mixes a program's stderr into its stdout; the object comes last.
    (batch,) = json.loads(done.stdout.splitlines()[-1])["sealed"]
    return int(batch["totals"]["events"])


def test_under_spark_submit_its_session_is_taken(data: Path, tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    main.write_text(MAIN)
    submit = Path(sys.executable).with_name("spark-submit")

    # There is no profile, so dbt would fail if it were used.
    events = sealed_events(
        data, submit, "--master", "local[2]", main, DBT_PROFILES_DIR=str(tmp_path)
    )

    assert events == 30
    assert {path.name for path in data.iterdir()} == {"raw", "lake"}


def test_an_ingest_of_its_own_does_not_wait_for_the_warehouse(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_locks", {})
    hold_warehouse(data)

    assert sealed_events(data, sys.executable, "-m", "ingest.cli", **SECRETS) == 30
    assert not (data / "metastore").exists()
    lock._locks.pop(data).close()
    logs = dict(files_in(data / "logs"))
    assert str(data / "logs" / "spark.log") in logs
    assert leaks(logs.items(), [OF_EACH_LINE, *SECRETS.values()]) == []
