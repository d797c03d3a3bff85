"""`clickstream emr`: options in, one call, text or JSON and an exit code out."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
from support.faulty_service import FaultyService

from ingest import cli
from ingest.cli.emr import emr
from ingest.emr.inputs import TARGETS
from ingest.emr.service import Usage
from ingest.pipeline import RunSummary

TOML = """
[emr]
application_id = "00fabc01"
role_arn = "arn:aws:iam::123456789012:role/clickstream"
staging = "s3://code/clickstream"
[emr.prices]
currency = "EUR"
vcpu_hour = 0.05
memory_gb_hour = 0.005
storage_gb_hour = 0.0001
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with settings for EMR Serverless, lake and logs in S3."""
    root = Path(__file__).resolve().parents[3]
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / "clickstream.toml").write_text(TOML)
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_text((root / name).read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLICKSTREAM_LAKE", "s3://lake")
    monkeypatch.setenv("CLICKSTREAM_RAW", "s3://logs")
    monkeypatch.delenv("CLICKSTREAM_TARGET", raising=False)
    for name in ("EMR_CLUSTER_ID", "EMR_STAGING", "AWS_DATA_BUCKET", "AWS_TEMP_BUCKET"):
        monkeypatch.delenv(name, raising=False)


def serve(monkeypatch: pytest.MonkeyPatch, service: FaultyService) -> None:
    monkeypatch.setattr("ingest.emr.submit.open_service", lambda _settings: service)


@pytest.fixture
def _no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service may be called, and no engine started."""

    def call(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is to be called")

    for name in ("boto3.client", "boto3.Session", "ingest.cli.hops.warehouse_for"):
        monkeypatch.setattr(name, call)


@pytest.mark.usefixtures("_no_service")
def test_a_dry_run_prints_the_request_and_calls_no_service(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["emr", "submit", "--dry-run", "--token", "t", "--", "ingest", "--final"]) == 0
    request = json.loads(capsys.readouterr().out)
    assert request["clientToken"] == "t"
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert arguments == [
        "CLICKSTREAM_DATA=clickstream-data",
        "CLICKSTREAM_LAKE=s3://lake",
        "CLICKSTREAM_RAW=s3://logs",
        "CLICKSTREAM_TARGET=emr",
        "ingest",
        "--final",
    ]


@pytest.mark.usefixtures("_no_service")
def test_a_dry_run_names_all_that_is_missing_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clickstream.toml").write_text("")
    assert cli.run(["emr", "submit", "--dry-run"]) == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in ("EMR_APPLICATION_ID", "EMR_ROLE_ARN", "EMR_STAGING"))


@pytest.mark.usefixtures("_no_service")
def test_a_dry_run_of_a_run_prints_the_request_of_its_ingest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["run", "--on", "emr", "--raw", "s3://logs/today", "--accept", "b1", "--dry-run"]
    assert cli.run([*command, "--json"]) == 0
    request = json.loads(capsys.readouterr().out)
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert "CLICKSTREAM_RAW=s3://logs/today" in arguments
    assert arguments[-1] == "ingest"


@pytest.mark.usefixtures("_no_service")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dry-run"], "--dry-run needs --on emr"),
        (["--on", "emr", "--raw", "-"], "a job reads no standard input"),
        (["--on", "emr", "--raw", "/var/log"], "source 'raw' is not in S3: /var/log"),
    ],
)
def test_a_run_on_emr_that_could_not_work_starts_nothing(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["run", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--on", "emr"]])
def test_a_run_ingests_where_it_is_told(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[Any, Any]] = []
    nothing = lambda *_, **__: nullcontext((None, None))  # noqa: E731
    for name in ("warehouse_for", "ingest_tasks_for", "export_tasks_for"):
        monkeypatch.setattr(f"ingest.cli.hops.{name}", nothing)
    monkeypatch.setattr("ingest.job.run.check_sources", lambda _settings: None)
    monkeypatch.setattr("ingest.job.run.ingest", lambda *given: ran.append(("here", given)))
    monkeypatch.setattr(
        "ingest.job.on_emr.ingest_on_emr", lambda *given, environ: ran.append((given[1], environ))
    )

    def run_pipeline(*_: Any, ingest: Callable[[], None], **__: Any) -> RunSummary:
        ingest()
        return RunSummary()

    monkeypatch.setattr("ingest.pipeline.run_pipeline", run_pipeline)
    service = FaultyService()
    serve(monkeypatch, service)
    assert cli.run(["run", "--raw", "s3://logs/today", *options, "--json"]) == 0
    ((place, given),) = ran
    if options:
        assert (place, given["CLICKSTREAM_RAW"]) == (service, "s3://logs/today")
    else:
        assert place == "here"


@pytest.mark.parametrize(
    ("environ", "options", "target"),
    [
        ("local_large", [], "emr"),
        ("redshift", [], "redshift"),
        ("redshift", ["--target", "emr"], "emr"),
        ("local", ["--target", "redshift"], "redshift"),
    ],
)
def test_a_job_gets_the_target_of_the_option_or_else_of_the_environment(
    environ: str,
    options: list[str],
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CLICKSTREAM_TARGET", environ)
    monkeypatch.setenv("REDSHIFT_ENDPOINT", "host")
    monkeypatch.setenv("REDSHIFT_METHOD", "iam_role")
    assert cli.run(["emr", "submit", "--dry-run", "--json", *options, "--", "load"]) == 0
    request = json.loads(capsys.readouterr().out)
    arguments = request["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert f"CLICKSTREAM_TARGET={target}" in arguments
    assert ("REDSHIFT_ENDPOINT=host" in arguments) == (target == "redshift")


def test_the_targets_are_those_of_jobs() -> None:
    (option,) = (one for one in emr.commands["submit"].params if one.name == "target")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == TARGETS
    assert cli.run(["emr", "submit", "--dry-run", "--target", "local"]) == 2


def test_each_submission_has_a_token_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert cli.run(["emr", "submit", "--dry-run", "--json"]) == 0
    one, two = map(json.loads, capsys.readouterr().out.splitlines())
    assert one["clientToken"] != two["clientToken"]


def test_a_token_that_emr_would_not_accept(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["emr", "submit", "--dry-run", "--token", "a b"]) == 2
    assert "--token a b: must be 1 to 64" in capsys.readouterr().err


def test_wait_tells_the_state(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, FaultyService(["SUCCESS"]))
    assert cli.run(["emr", "wait", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "job_id": "1",
        "name": "SUCCESS",
        "reason": None,
    }


def test_wait_fails_with_the_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.emr.wait.log_tail", lambda *_, **__: ["the end"])
    serve(monkeypatch, FaultyService(["FAILED"]))
    assert cli.run(["emr", "wait", "1"]) == 1
    assert capsys.readouterr().err.endswith("stdout.gz:\n  the end\n")


def test_ctrl_c_leaves_the_job_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    serve(monkeypatch, FaultyService([KeyboardInterrupt()]))
    assert cli.run(["emr", "wait", "1"]) == 130
    assert caplog.messages == [
        "job 1 keeps running; wait with: clickstream emr wait 1, cancel with: clickstream emr"
        " cancel 1"
    ]


def test_a_log_that_is_not_there_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, FaultyService(folder="/none"))
    assert cli.run(["emr", "logs", "1"]) == 1
    assert "there is no stdout.gz in /none yet" in capsys.readouterr().err


def test_the_cost_has_a_currency(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = Usage(
        vcpu_hours=Decimal("10.5"), memory_gb_hours=Decimal(30), storage_gb_hours=Decimal(0)
    )
    serve(monkeypatch, FaultyService(usage=usage))
    assert cli.run(["emr", "cost", "1"]) == 0
    assert capsys.readouterr().out == (
        "0.6750 EUR = 10.5 vCPU-hours, 30 GB-hours of memory, 0 GB-hours of storage\n"
    )


def test_without_a_place_for_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clickstream.toml").write_text("")
    assert cli.run(["emr", "wait", "1"]) == 2
    assert "nothing says where jobs run" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "package", "submit", "wait", "logs", "cost", "cancel"])
def test_help_fits_a_terminal(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["emr", *([command] if command else []), "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
