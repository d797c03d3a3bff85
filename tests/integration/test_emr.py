"""Jobs on EMR: packed, sent and run for real on two bare machines; calls as moto checks them."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from fixtures.emr_server import SparkCluster

from ingest import cli
from ingest.emr.package import ARCHIVE, PROGRAM, describe_package
from ingest.job.run import RunTasks, ingest
from ingest.lake.parquet import open_parquet
from ingest.lake.records import read_log
from ingest.settings import Settings, load_settings
from ingest.storage import open_storage

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("emr_environ", "project")]

ROOT = Path(__file__).resolve().parents[2]
TOML = """
[ingest]
range_mib = 8
[emr]
arch = "{arch}"
role_arn = "arn:aws:iam::123456789012:role/clickstream"
[emr.spark]
"spark.driver.memory" = "512m"
"spark.executor.cores" = "1"
"spark.executor.memory" = "512m"
[emr.prices]
currency = "USD"
vcpu_hour = 1
memory_gb_hour = 1
storage_gb_hour = 1
"""


@pytest.fixture
def project(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose logs, lake and staging are in the bucket, by the names that users know."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "dbt_project.yml").touch()
    (root / "clickstream.toml").write_text(TOML.format(arch=os.uname().machine))
    (root / "requirements.lock").write_text((ROOT / "requirements.lock").read_text())
    monkeypatch.chdir(root)
    monkeypatch.setenv("AWS_DATA_BUCKET", f"{bucket}/raw")
    monkeypatch.setenv("AWS_TEMP_BUCKET", f"{bucket}/temp")
    monkeypatch.setenv("CLICKSTREAM_LAKE", f"s3://{bucket}/lake")
    monkeypatch.delenv("CLICKSTREAM_DATA", raising=False)


@pytest.fixture
def clickstream(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a command with --json and return its exit code and the object that it printed."""

    def run(*command: str) -> tuple[int, Any]:
        code = cli.run([*command, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out)

    return run


def events_in(lake: str) -> pa.Table:
    """Return all events without what differs between two runs, in the order of their ids."""
    storage = open_storage(lake)
    tables = [
        open_parquet(storage, file.path).read()
        for record in read_log(storage)
        for file in record.files["events"]
    ]
    return pa.concat_tables(tables).drop_columns(["batch_id", "ingest_time"]).sort_by("event_id")


def test_a_job_on_two_bare_machines_reads_what_an_ingest_here_reads(
    emr_cluster: str,
    spark_cluster: SparkCluster,
    clickstream: Callable[..., tuple[int, Any]],
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("EMR_CLUSTER_ID", emr_cluster)
    settings = load_settings()
    raw = open_storage(settings.sources[0].uri)
    raw.put("plain.log", access_lines(50))
    raw.put("packed.log.gz", gzip.compress(access_lines(50, first=50)))
    raw.put("large.log", access_lines(1_000, first=100, pad=9_000))
    for number in range(100):
        raw.put(f"small/{number}.log", access_lines(1, first=2_000 + number))

    assert clickstream("emr", "package")[1]["uploaded"]
    assert not clickstream("emr", "package")[1]["uploaded"]
    code, job = clickstream("emr", "submit", "--token", "one")
    assert code == 0
    assert clickstream("emr", "submit", "--token", "one")[1]["job_id"] == job["job_id"]
    code, state = clickstream("emr", "wait", job["job_id"])
    assert (code, state.get("name")) == (0, "COMPLETED"), state

    _, log = clickstream("emr", "logs", job["job_id"])
    assert "1,200 lines" in "\n".join(log["lines"])
    (record,) = read_log(open_storage(settings.lake))
    assert (record.totals.lines_read, record.totals.events) == (1_200, 1_200)
    local = replace(settings, lake=str(tmp_path / "lake"))
    ingest(local, run_tasks_here)
    assert events_in(settings.lake).equals(events_in(local.lake))
    _assert_both_machines_worked(spark_cluster.work)


def _assert_both_machines_worked(work: Path) -> None:
    """Each executor unpacked the archive in its own folder, and had nothing else to import."""
    unpacked = list(work.glob("app-*/*/deps/ingest/job/task.py"))
    assert len(unpacked) == 2


def test_a_job_that_fails_tells_why(
    emr_cluster: str,
    clickstream: Callable[..., tuple[int, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMR_CLUSTER_ID", emr_cluster)
    _upload(load_settings(), program=b"raise SystemExit('the disk is gone')\n")

    _, job = clickstream("emr", "submit")
    code, answer = clickstream("emr", "wait", job["job_id"])

    assert (code, answer["exit_code"]) == (1, 1)
    assert f"of cluster {emr_cluster} ended as FAILED: exit code 1" in answer["error"]
    assert "the disk is gone" in answer["error"]


def _upload(settings: Settings, *, program: bytes) -> None:
    """Put `program` where the package of this project belongs, with an empty archive."""
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w:gz"):
        pass
    storage = open_storage(describe_package(settings).uri)
    storage.put(ARCHIVE, empty.getvalue())
    storage.put(PROGRAM, program)


def test_a_job_run_of_emr_serverless(
    bucket: str,
    clickstream: Callable[..., tuple[int, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = boto3.client("emr-serverless")
    application = client.create_application(
        name="x", releaseLabel="emr-7.14.0", type="SPARK", clientToken="t"
    )["applicationId"]
    monkeypatch.setenv("EMR_APPLICATION_ID", application)
    missing = clickstream("emr", "submit")
    assert missing[0] == 1
    assert "upload it with: clickstream emr package" in missing[1]["error"]
    _upload(load_settings(), program=b"")

    _, job = clickstream("emr", "submit", "--token", "one")
    job_id = job["job_id"]

    assert clickstream("emr", "wait", job_id)[1]["name"] == "SUCCESS"
    sent = client.get_job_run(applicationId=application, jobRunId=job_id)["jobRun"]
    assert sent["jobDriver"]["sparkSubmit"]["entryPointArguments"] == [
        f"AWS_DATA_BUCKET={bucket}/raw",
        "CLICKSTREAM_DATA=clickstream-data",
        f"CLICKSTREAM_LAKE=s3://{bucket}/lake",
        "ingest",
    ]
    _, cost = clickstream("emr", "cost", job_id)
    assert (cost["amount"], cost["currency"]) == (0, "USD")
    folder = f"temp/logs/applications/{application}/jobs/{job_id}/SPARK_DRIVER"
    open_storage(f"s3://{bucket}").put(f"{folder}/stderr.gz", gzip.compress(b"hello\n"))
    assert clickstream("emr", "logs", job_id, "--stream", "stderr")[1]["lines"] == ["hello"]
    assert clickstream("emr", "cancel", job_id) == (0, {"job_id": job_id})


def test_a_job_that_nobody_knows(
    clickstream: Callable[..., tuple[int, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMR_APPLICATION_ID", "00fabc01")
    code, answer = clickstream("emr", "wait", "00nothing")
    assert code == 1
    assert "job 00nothing of application 00fabc01: GetJobRun was refused" in answer["error"]
