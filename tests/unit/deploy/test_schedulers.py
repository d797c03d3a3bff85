"""The Airflow DAG with the script that it starts, and the cron lines."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from support.cloudformation import DEPLOY

from ingest.cli import cli

DAG_FILE = DEPLOY / "airflow/clickstream_dag.py"
CRON = (DEPLOY / "cron/clickstream.cron").read_text()


class Dag:
    """What the file uses of airflow.DAG."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Task:
    """What the file uses of BashOperator; it remembers what was made and what follows what."""

    made: ClassVar[list[Task]] = []

    def __init__(self, *, task_id: str, bash_command: str) -> None:
        self.task_id, self.bash_command = task_id, bash_command
        self.following: list[Task] = []
        self.made.append(self)

    def __rshift__(self, other: Task) -> Task:
        self.following.append(other)
        return other


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules named as those of Airflow, with the two classes that the file imports."""
    bash = ModuleType("airflow.providers.standard.operators.bash")
    bash.BashOperator = Task  # type: ignore[attr-defined]
    top = ModuleType("airflow")
    top.DAG = Dag  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow", top)
    for name in ("providers", "providers.standard", "providers.standard.operators"):
        monkeypatch.setitem(sys.modules, f"airflow.{name}", ModuleType(f"airflow.{name}"))
    monkeypatch.setitem(sys.modules, bash.__name__, bash)
    Task.made.clear()
    yield
    Task.made.clear()


def test_the_dag_compiles() -> None:
    compile(DAG_FILE.read_text(), str(DAG_FILE), "exec")


@pytest.mark.usefixtures("airflow")
def test_the_tasks_of_the_dag_follow_each_other() -> None:
    dag = runpy.run_path(str(DAG_FILE))["dag"]
    tasks = {task.task_id: [after.task_id for after in task.following] for task in Task.made}
    assert tasks == {
        "ingest": ["load"],
        "load": ["dbt"],
        "dbt": ["report"],
        "report": ["export"],
        "export": ["quarantine"],
        "quarantine": [],
    }
    assert dag.options["max_active_runs"] == 1
    assert dag.options["catchup"] is False


@pytest.mark.usefixtures("airflow")
def test_the_commands_of_the_dag_are_ours() -> None:
    runpy.run_path(str(DAG_FILE))
    commands = {task.task_id: task.bash_command.rsplit(" && ", 1)[1] for task in Task.made}
    assert commands.pop("ingest").startswith("deploy/ingest-on-emr ")
    assert commands.pop("dbt") == "dbt build"
    assert all(_is_ours(command.split(" || ")[0]) for command in commands.values())


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize("exit_code", [0, 1, 2, 3, 4])
def test_only_the_load_passes_over_a_quarantined_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int
) -> None:
    program = tmp_path / ".venv/bin/clickstream"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("CLICKSTREAM_HOME", str(tmp_path))
    runpy.run_path(str(DAG_FILE))
    ended = {
        task.task_id: subprocess.run(["bash", "-c", task.bash_command], timeout=30).returncode == 0
        for task in Task.made
        if task.task_id in ("load", "report", "export", "quarantine")
    }
    passed = exit_code == 0
    assert ended == {
        "load": exit_code in (0, 3),
        "report": passed,
        "export": passed,
        "quarantine": passed,
    }


def test_the_commands_of_cron_are_ours() -> None:
    commands = re.findall(r"clickstream [a-z][a-z -]*(?= >>)", CRON)
    assert commands == ["clickstream run --on emr --json", "clickstream clean"]
    assert all(map(_is_ours, commands))


def test_the_lines_of_cron_are_well_formed() -> None:
    lines = [x for x in CRON.splitlines() if x and not re.match(r"#|[A-Z_]+=", x)]
    assert len(lines) == 2
    for line in lines:
        *times, command = line.split(maxsplit=5)
        assert all(re.fullmatch(r"\*|\d+", field) for field in times)
        assert not re.search(r"(?<!\\)%", command)  # cron would end the line there
        script = command.replace("\\%", "%")
        subprocess.run(["sh", "-n", "-c", script], check=True, timeout=30)


def test_the_script_sends_a_job_and_waits_for_that_one(tmp_path: Path) -> None:
    done = _ingest_on_emr(tmp_path, "token-1")
    assert done.returncode == 0
    assert (tmp_path / "calls").read_text().splitlines() == [
        "emr package",
        "emr submit --token token-1 --json",
        "emr wait 00f1",
    ]


@pytest.mark.parametrize("failing", ["package", "submit", "wait"])
def test_the_script_fails_where_a_command_does(tmp_path: Path, failing: str) -> None:
    done = _ingest_on_emr(tmp_path, "token-1", failing=failing)
    assert (done.returncode, done.stderr) == (2, "error: refused\n")
    assert (tmp_path / "calls").read_text().splitlines()[-1].startswith(f"emr {failing}")


def test_the_script_asks_for_its_token(tmp_path: Path) -> None:
    done = _ingest_on_emr(tmp_path)
    assert done.returncode != 0
    assert "ingest-on-emr TOKEN" in done.stderr
    assert not (tmp_path / "calls").exists()


def _ingest_on_emr(
    folder: Path, *args: str, failing: str = "none"
) -> subprocess.CompletedProcess[str]:
    """Run the script with a `clickstream` that writes down its arguments."""
    fake = folder / "clickstream"
    fake.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> {folder}/calls\n'
        f'if [ "$2" = {failing} ]; then\n'
        "  echo 'error: refused' >&2\n"
        '  echo \'{"error": "refused", "exit_code": 2}\'\n'
        "  exit 2\n"
        "fi\n"
        '[ "$2" != submit ] || echo \'{"job_id": "00f1", "place": "application"}\'\n'
    )
    fake.chmod(0o755)
    return subprocess.run(
        [str(DEPLOY / "ingest-on-emr"), *args],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _is_ours(command: str) -> bool:
    program, name, *options = command.split()
    cli.commands[name].make_context(name, options, resilient_parsing=True)  # knows the options
    return program == "clickstream"
