"""Jobs on EMR: packed, sent and run for real on two bare machines; calls as moto checks them."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from fixtures.emr_server import SparkCluster, copy_project
from fixtures.product import Index
from fixtures.s3_server import put_all

from ingest import cli
from ingest.emr.package import ARCHIVE, PROGRAM, describe_package
from ingest.emr.wait import wait_for_job
from ingest.job.run import RunTasks, ingest
from ingest.lake.parquet import open_parquet
from ingest.lake.records import read_log
from ingest.settings import Settings, Source, load_settings
from ingest.storage import open_storage

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("emr_environ", "project")]

ROOT = Path(__file__).resolve().parents[2]
OF_THE_PLACE = ["event_id", "batch_id", "ingest_time", "source_file"]
STATUSES = (200, 404, 500)
TOML = """
[ingest]
range_mib = 8
[emr]
arch = "{arch}"
role_arn = "arn:aws:iam::123456789012:role/clickstream"
[emr.spark]
"spark.driver.memory" = "1g"
"spark.executor.cores" = "1"
"spark.executor.memory" = "512m"
"spark.sql.adaptive.enabled" = "false"
"spark.sql.codegen.factoryMode" = "NO_CODEGEN"
"spark.sql.codegen.wholeStage" = "false"
"spark.sql.shuffle.partitions" = "1"
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
    (root / "clickstream.toml").write_text(TOML.format(arch=os.uname().machine))
    copy_project(root)
    monkeypatch.chdir(root)
    # Each of its listings goes through all keys of a bucket: moto has no index.
    raw = f"{bucket}-raw"
    boto3.client("s3").create_bucket(
        Bucket=raw,
        CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]},
    )
    monkeypatch.setenv("AWS_DATA_BUCKET", f"{raw}/logs")
    monkeypatch.setenv("AWS_TEMP_BUCKET", f"{bucket}/temp")
    monkeypatch.setenv("CLICKSTREAM_LAKE", f"s3://{bucket}/lake")
    monkeypatch.delenv("CLICKSTREAM_DATA", raising=False)
    assert wait_for_job.__kwdefaults__
    monkeypatch.setitem(wait_for_job.__kwdefaults__, "delay_seconds", 1.0)


@pytest.fixture
def clickstream(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a command with --json and return its exit code and the object that it printed."""

    def run(*command: str) -> tuple[int, Any]:
        code = cli.run([*command[:2], "--json", *command[2:]])
        out = capsys.readouterr().out
        return code, json.loads(out)

    return run


def raw_line(number: int, *, pad: int = 0) -> bytes:
    """Return a combined line; every number has a path of its own."""
    action = "&action=purchase&itemId=EST-6&productId=BS-AG-G09" if number % 5 == 0 else ""
    return (
        f"203.0.113.{number % 250} - - [10/Oct/2024:13:{number // 60 % 60:02}:{number % 60:02} "
        f'+0000] "GET /page/{number}?q={"x" * pad}{action} HTTP/1.1" {STATUSES[number % 3]} 7 "-" '
        '"Mozilla/5.0 (X11; Linux x86_64) Firefox/124.0"\n'
    ).encode()


def raw_lines(numbers: range, *, pad: int = 0) -> bytes:
    return b"".join(raw_line(number, pad=pad) for number in numbers)


LINES = 3_100
# Plain, gzip, one that is larger than a range, and 2,000 small ones.
RAW = {
    "plain.log": raw_lines(range(50)),
    "packed.log.gz": gzip.compress(raw_lines(range(50, 100))),
    "large.log": raw_lines(range(100, 1_100), pad=9_000),
    **{f"small/{number}.log": raw_line(number) for number in range(1_100, LINES)},
}


def events_in(lake: str) -> pa.Table:
    """Return all events without what tells when and where they were read, in order."""
    storage = open_storage(lake)
    tables = [
        open_parquet(storage, file.path).read()
        for record in read_log(storage)
        for file in record.files["events"]
    ]
    return pa.concat_tables(tables).drop_columns(OF_THE_PLACE).sort_by("url_path")


def mart(uri: str, name: str, key: str, *columns: str) -> dict[Any, tuple[Any, ...]]:
    """Return key -> values of `columns` of a mart, read without Spark."""
    storage = open_storage(f"{uri}/clickstream.db/{name}")
    keys = [found.key for found in storage.list() if found.key.endswith(".parquet")]
    rows = [row for one in keys for row in open_parquet(storage, one).read().to_pylist()]
    return {row[key]: tuple(row[column] for column in columns) for row in rows}


def test_all_hops_on_two_bare_machines_count_what_is_in_the_raw_lines(
    bucket: str,
    emr_cluster: str,
    spark_cluster: SparkCluster,
    search_url: str,
    clickstream: Callable[..., tuple[int, Any]],
    run_tasks_here: RunTasks,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in {
        "EMR_CLUSTER_ID": emr_cluster,
        "ES_URL": search_url,
        "ES_INDEX": bucket,
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    put_all(f"{bucket}-raw", "logs", RAW)
    folder = open_storage(str(tmp_path / "raw"))
    for key, content in RAW.items():
        folder.put(key, content)

    assert clickstream("emr", "package")[1]["uploaded"]
    assert not clickstream("emr", "package")[1]["uploaded"]
    sent = ("emr", "submit", "--token", "one", "--", "run", "--target", "emr")
    code, job = clickstream(*sent)
    assert code == 0
    assert clickstream(*sent)[1]["job_id"] == job["job_id"]
    code, state = clickstream("emr", "wait", job["job_id"])
    assert (code, state.get("name")) == (0, "COMPLETED"), state

    _, log = clickstream("emr", "logs", job["job_id"], "--lines", "200")
    said = "\n".join(log["lines"])
    assert "3,100 lines = 2,100 ok + 1,000 warn" in said
    assert "verify   the books balance" in said
    local = replace(
        settings,
        lake=str(tmp_path / "lake"),
        sources=(Source(name="raw", uri=str(tmp_path / "raw"), rotation=False),),
    )
    ingest(local, run_tasks_here)
    assert events_in(settings.lake).equals(events_in(local.lake))
    _assert_marts_hold(f"s3://{bucket}/marts")
    index = Index(url=search_url, name=bucket)
    assert index.count() == LINES
    assert index.terms("http.response.status_code") == {
        str(status): count for status, count in _counted(lambda n: STATUSES[n % 3]).items()
    }
    _assert_both_machines_worked(spark_cluster.work)


def _counted(key: Callable[[int], Any]) -> Counter[Any]:
    return Counter(map(key, range(LINES)))


def _assert_marts_hold(marts: str) -> None:
    """The numbers are counted from the raw lines' own numbers."""
    assert mart(marts, "number_of_events_per_http_response", "status_code", "total_events") == {
        status: (count,) for status, count in _counted(lambda n: STATUSES[n % 3]).items()
    }
    assert mart(marts, "number_of_sessions_per_ip", "clientip", "total_events") == {
        client: (count,) for client, count in _counted(lambda n: f"203.0.113.{n % 250}").items()
    }
    bought = sum(number % 5 == 0 for number in range(LINES))
    assert mart(marts, "number_of_events_per_brand", "brand", "total_events", "purchases") == {
        "Philips": (bought, bought)
    }


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
    assert "not uploaded yet: run clickstream emr package" in missing[1]["error"]
    _upload(load_settings(), program=b"")

    _, job = clickstream("emr", "submit", "--token", "one")
    job_id = job["job_id"]

    assert clickstream("emr", "wait", job_id)[1]["name"] == "SUCCESS"
    sent = client.get_job_run(applicationId=application, jobRunId=job_id)["jobRun"]
    assert sent["jobDriver"]["sparkSubmit"]["entryPointArguments"] == [
        f"AWS_DATA_BUCKET={bucket}-raw/logs",
        "CLICKSTREAM_DATA=clickstream-data",
        f"CLICKSTREAM_LAKE=s3://{bucket}/lake",
        "CLICKSTREAM_TARGET=emr",
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
