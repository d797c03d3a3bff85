"""Jobs on EMR in trouble: killed drivers and executors, two at once, lost answers, ended steps."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import site
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from fixtures.emr_server import (
    SECRETS,
    SparkCluster,
    copy_project,
    new_cluster,
    running_steps,
    steps_of,
)
from fixtures.s3_server import ACCESS
from support import faults as fault
from support.faults import Faults
from support.leaks import files_in, leaks, stored_in
from support.memory_lake import log_of, paths_in

from ingest import cli
from ingest.emr.package import MAIN, PROGRAM, upload_package
from ingest.emr.wait import wait_for_job
from ingest.job.plan import Task
from ingest.job.run import RunTasks, ingest
from ingest.job.task import TaskFacts
from ingest.settings import load_settings
from ingest.storage import Storage, open_storage

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("emr_environ", "project")]

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 120
# The packages of this machine instead of an archive of 60 MB for each step: `test_emr.py` has that.
(PACKAGES,) = site.getsitepackages()
# In lines of logs, and nowhere else in the world.
WORD = "zyzzogeton"
ROWS = ("lake/events/", "lake/rejects/")
# What a job was given, not what it wrote: packages of others show signed addresses as examples.
UNPACKED = frozenset({"deps", "deps.tar.gz"})
TOML = f"""
[ingest]
range_mib = 8
[emr]
arch = "{os.uname().machine}"
role_arn = "arn:aws:iam::123456789012:role/clickstream"
[emr.spark]
"spark.driver.memory" = "512m"
"spark.executor.cores" = "1"
"spark.executor.memory" = "512m"
"spark.cores.max" = "CORES"
"spark.executorEnv.PYTHONPATH" = "deps:{PACKAGES}"
"spark.eventLog.enabled" = "true"
"spark.eventLog.compress" = "false"
"spark.eventLog.dir" = "file:EVENTS"
"""
Command = Callable[..., tuple[int, Any]]


@pytest.fixture
def executors(request: pytest.FixtureRequest) -> int:
    """How many executors a job has, of one core each; with none its driver runs the tasks."""
    return int(getattr(request, "param", 1))


@pytest.fixture
def project(executors: int, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose logs, lake and package are in the bucket; Spark's events are in `events`."""
    root, events = tmp_path / "project", tmp_path / "events"
    root.mkdir()
    events.mkdir()
    (root / "clickstream.toml").write_text(
        TOML.replace("EVENTS", str(events)).replace("CORES", str(executors or 1))
    )
    copy_project(root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("AWS_DATA_BUCKET", f"{bucket}/raw")
    monkeypatch.setenv("AWS_TEMP_BUCKET", f"{bucket}/temp")
    monkeypatch.setenv("CLICKSTREAM_LAKE", f"s3://{bucket}/lake")
    monkeypatch.delenv("CLICKSTREAM_DATA", raising=False)
    monkeypatch.setenv("EMR_CLUSTER_ID", "j-NONE")
    package = upload_package(load_settings(), fetch=lambda *_: None)
    program = f"import sys\nsys.path.append({PACKAGES!r})\n{MAIN}"
    open_storage(package.uri).put(PROGRAM, program.encode())


@pytest.fixture
def spark_cluster(spark_cluster: SparkCluster, executors: int) -> SparkCluster:
    """The cluster without its client of S3: no ingest needs it, and each step waits for it."""
    conf = {name: value for name, value in spark_cluster.conf.items() if ".jars." not in name}
    if not executors:
        environ = {**spark_cluster.environ, "PYTHONPATH": PACKAGES}
        return replace(spark_cluster, conf=conf, master="local[1]", environ=environ)
    return replace(spark_cluster, conf=conf)


@pytest.fixture
def clickstream(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command with --json and return its exit code and the object that it printed."""
    assert wait_for_job.__kwdefaults__ is not None
    monkeypatch.setitem(wait_for_job.__kwdefaults__, "delay_seconds", 0.2)
    monkeypatch.setitem(wait_for_job.__kwdefaults__, "patience_seconds", 0.0)

    def run(*command: str) -> tuple[int, Any]:
        code = cli.run([*command, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def run_job(
    emr_cluster: str, clickstream: Command, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[int, str]]:
    """Submit an ingest, wait for it and return the exit code of that, and its state or error."""
    monkeypatch.setenv("EMR_CLUSTER_ID", emr_cluster)

    def run() -> tuple[int, str]:
        _, job = clickstream("emr", "submit")
        code, answer = clickstream("emr", "wait", job["job_id"])
        return code, answer.get("name") or answer["error"]

    return run


@pytest.fixture
def raw(bucket: str) -> Storage:
    """Where the raw logs lie."""
    return open_storage(f"s3://{bucket}/raw")


def pages() -> list[int]:
    """Return the numbers of the lines in the lake, in order."""
    found = paths_in(load_settings())
    assert max(found.values()) == 1
    return sorted(int(path.removeprefix("/page/")) for _, path in found)


def running(command: str) -> list[psutil.Process]:
    """Return the processes below this one whose command line names the class `command`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if any(part.endswith(command) for part in process.cmdline()):
                found.append(process)
    return found


def kill_driver() -> None:
    """Kill the driver of the only job, Java and Python."""
    (submit,) = running("deploy.SparkSubmit")
    for process in (*submit.children(), submit):
        process.kill()


def kill_executor() -> None:
    """Kill an executor; the Python that it has started goes on."""
    running("CoarseGrainedExecutorBackend")[-1].kill()


@pytest.mark.parametrize("executors", [0], indirect=True)
def test_a_driver_that_is_killed_before_and_after_the_seal_leaves_the_rest_to_the_next_step(
    bucket: str,
    raw: Storage,
    faults: Faults,
    run_job: Callable[[], tuple[int, str]],
    access_lines: Callable[..., bytes],
) -> None:
    seal = f"PUT /{bucket}/lake/batches/"
    raw.put("a.log", access_lines(10))
    faults.add(seal, fault.preceded(kill_driver, fault.broken))
    code, error = run_job()
    assert (code, "ended as FAILED: exit code" in error) == (1, True)
    assert log_of(load_settings()) == ()

    faults.clear()
    faults.add(seal, fault.followed(kill_driver))
    code, error = run_job()
    assert (code, "ended as FAILED: exit code" in error) == (1, True)
    assert pages() == [*range(10)]

    faults.clear()
    raw.put("b.log", access_lines(10, first=10))
    assert run_job() == (0, "COMPLETED")
    assert pages() == [*range(20)]
    assert [record.totals.events for record in log_of(load_settings())] == [10, 10]


@pytest.mark.parametrize("executors", [2], indirect=True)
def test_an_executor_that_is_killed_in_the_middle_of_its_task(
    bucket: str,
    raw: Storage,
    faults: Faults,
    run_job: Callable[[], tuple[int, str]],
    access_lines: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    """Both executors have parsed a range and begin to write when one of them dies."""
    raw.put("a.log", access_lines(3_000, pad=9_000))  # four ranges

    def kill_one() -> None:
        faults.clear()
        kill_executor()

    both_write = threading.Barrier(2, kill_one, timeout=DEADLINE_SECONDS)
    faults.add(f"PUT /{bucket}/lake/events/", fault.preceded(both_write.wait))

    assert run_job() == (0, "COMPLETED")
    assert pages() == [*range(3_000)]
    events = b"".join(content for _, content in files_in(tmp_path / "events"))
    assert b'"Reason":"ExecutorLostFailure"' in events


@pytest.mark.parametrize("executors", [0], indirect=True)
def test_two_jobs_at_once_on_the_same_objects(
    bucket: str,
    emr_environ: dict[str, str],
    spark_cluster: SparkCluster,
    raw: Storage,
    faults: Faults,
    clickstream: Command,
    access_lines: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second one has read an object more when both want to seal the first batch."""
    first_waits, both_seal = threading.Event(), threading.Barrier(2, timeout=DEADLINE_SECONDS)

    def wait() -> None:
        first_waits.set()
        both_seal.wait()

    first_seal = f"PUT /{bucket}/lake/batches/0*1.json"
    sealing = faults.add(first_seal, fault.in_turn(wait), times=None)
    jobs: list[tuple[str, str]] = []
    with ExitStack() as clusters:
        for key in ("a.log", "b.log"):
            raw.put(key, access_lines(10, first=10 * len(jobs)))
            cluster_id = new_cluster(bucket, emr_environ)
            clusters.enter_context(running_steps(cluster_id, spark_cluster))
            monkeypatch.setenv("EMR_CLUSTER_ID", cluster_id)
            jobs.append((cluster_id, clickstream("emr", "submit")[1]["job_id"]))
            assert first_waits.wait(DEADLINE_SECONDS)
        for cluster_id, job_id in jobs:
            monkeypatch.setenv("EMR_CLUSTER_ID", cluster_id)
            assert clickstream("emr", "wait", job_id)[1]["name"] == "COMPLETED"
    assert sealing.hits == 2
    assert pages() == [*range(20)]


def test_a_step_whose_answer_is_lost_is_one_job(
    bucket: str,
    emr_environ: dict[str, str],
    faults: Faults,
    clickstream: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster_id = new_cluster(bucket, emr_environ)
    monkeypatch.setenv("EMR_CLUSTER_ID", cluster_id)
    lost = faults.add("POST AddJobFlowSteps", fault.unanswered)
    answers = [clickstream("emr", "submit", "--token", "one") for _ in range(2)]
    (step,) = steps_of(cluster_id)
    assert lost.hits == 1
    assert [(code, job["job_id"]) for code, job in answers] == [(0, step.id)] * 2


def test_a_job_run_whose_answer_is_lost_is_sent_again_with_its_token(
    faults: Faults, clickstream: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto ignores tokens, so what it is sent is kept here as the service would."""
    client = boto3.client("emr-serverless")
    application = client.create_application(
        name="x", releaseLabel="emr-7.14.0", type="SPARK", clientToken="t"
    )["applicationId"]
    monkeypatch.delenv("EMR_CLUSTER_ID")
    monkeypatch.setenv("EMR_APPLICATION_ID", application)
    path = f"POST /applications/{application}/jobruns"
    service = fault.Remembering("clientToken")
    lost = faults.add(path, fault.through(service, fault.unanswered))
    faults.add(path, service, times=None)
    answers = [clickstream("emr", "submit", "--token", "one") for _ in range(2)]
    (job_run,) = client.list_job_runs(applicationId=application)["jobRuns"]
    assert (lost.hits, service.asked) == (1, 3)
    assert [(code, job["job_id"]) for code, job in answers] == [(0, job_run["id"])] * 2


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_step_that_does_not_succeed_is_an_error_with_its_reason_and_the_end_of_its_log(
    state: str,
    bucket: str,
    emr_environ: dict[str, str],
    clickstream: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster_id = new_cluster(bucket, emr_environ)
    monkeypatch.setenv("EMR_CLUSTER_ID", cluster_id)
    _, job = clickstream("emr", "submit")
    (step,) = steps_of(cluster_id)
    signed = "https://b.example/k?X-Amz-Signature=0f"
    step.state, step.last_state_change_reason = state, f"the machine is gone: {signed}"
    log = "".join(f"line {number}\n" for number in range(60))
    place = f"emr/{cluster_id}/steps/{step.id}/stdout.gz"
    open_storage(f"s3://{bucket}").put(place, gzip.compress(log.encode()))

    code, answer = clickstream("emr", "wait", job["job_id"])

    assert (code, answer["exit_code"]) == (1, 1)
    title, *rest = answer["error"].splitlines()
    said = "the machine is gone: https://b.example/k?..."
    assert title.endswith(f"of cluster {cluster_id} ended as {state}: {said}")
    assert rest[1:] == [f"  line {number}" for number in range(10, 60)]


def test_no_secret_and_no_line_of_a_log_is_told(
    bucket: str,
    emr_cluster: str,
    spark_cluster: SparkCluster,
    raw: Storage,
    clickstream: Command,
    run_job: Callable[[], tuple[int, str]],
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Everything that is written or sent is looked through, but for events and rejects."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for key, content in odd_objects(access_lines).items():
        raw.put(key, content)
    words = [WORD, *SECRETS.values(), ACCESS["AWS_SECRET_ACCESS_KEY"], ACCESS["AWS_SESSION_TOKEN"]]

    code, answer = run_job()
    travelled = ingested_here(run_tasks_here, tmp_path)
    monkeypatch.delenv("EMR_CLUSTER_ID")
    monkeypatch.setenv("EMR_APPLICATION_ID", "00fabc01")
    _, job_run = clickstream("emr", "submit", "--dry-run")

    told: list[tuple[str, bytes]] = [
        ("answer", repr((code, answer)).encode()),
        ("job run", json.dumps(job_run).encode()),
        ("messages", caplog.text.encode()),
        *((f"step {step.id}", repr(vars(step)).encode()) for step in steps_of(emr_cluster)),
        *((f"task {number}", packed) for number, packed in enumerate(travelled)),
        *stored_in(open_storage(f"s3://{bucket}"), leave_out=("raw/", *ROWS)),
        *files_in(spark_cluster.work, leave_out=UNPACKED),
        *files_in(tmp_path / "events"),
    ]
    assert leaks(told, words) == []
    rows = stored_in(open_storage(f"s3://{bucket}/lake"), leave_out=("batches/", "files/"))
    assert {place.partition("/")[0] for place in leaks(rows, [WORD])} == {"events", "rejects"}


def odd_objects(access_lines: Callable[..., bytes]) -> dict[str, bytes]:
    """Return objects with the word in good lines, bad lines, and wherever a reason may quote it."""
    good = access_lines(3).replace(b"Mozilla", WORD.encode())
    return {
        "good.log": good + b'203.0.113.1 - - [no time] "GET /%s" 200\n' % WORD.encode(),
        "other.csv": b"%s,b,c\n1,2,3\n" % WORD.encode(),
        "nothing.log": b"%s and nothing else\n" % WORD.encode() * 20,
        "cut.log.gz": gzip.compress(good * 50)[:-9],
        "no-gzip.log.gz": WORD.encode() * 9,
        "packed.log.gz": gzip.compress(good),
    }


def ingested_here(run_tasks_here: RunTasks, folder: Path) -> list[bytes]:
    """Ingest the same objects in this process and return tasks and facts as they travel."""
    travelled: list[bytes] = []

    def run_tasks(tasks: Sequence[Task], label: str) -> Sequence[TaskFacts]:
        facts = run_tasks_here(tasks, label)
        travelled.extend((pickle.dumps(tasks), pickle.dumps(facts)))
        return facts

    ingest(replace(load_settings(), lake=str(folder / "lake")), run_tasks)
    return travelled
