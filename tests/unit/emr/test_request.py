"""Requests, whole: what the two services are sent."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ingest.emr.package import Package
from ingest.emr.request import _problems, build_request, check_job
from ingest.errors import SettingsError
from ingest.settings import EmrSettings, SearchSettings, Settings, Source

PACKAGE = Package(sha="5a", uri="s3://code/clickstream/code/5a", arch="x86_64")
VARIABLES = {"CLICKSTREAM_LAKE": "s3://lake/one", "CLICKSTREAM_DATA": "d"}
ARGUMENTS = ["CLICKSTREAM_DATA=d", "CLICKSTREAM_LAKE=s3://lake/one", "ingest", "web"]
CONF = {
    "spark.driver.cores=4",
    "spark.driver.memory=4g",
    "spark.driver.memoryOverhead=8g",
    "spark.executor.cores=4",
    "spark.executor.memory=4g",
    "spark.executor.memoryOverhead=8g",
    "spark.executorEnv.PYTHONPATH=deps",
    "spark.log.level=ERROR",
    "spark.sql.session.timeZone=UTC",
    "spark.sql.warehouse.dir=s3://lake/marts",
}


def request(settings: Settings, *command: str) -> dict[str, Any]:
    command = command or ("ingest", "web")
    check_job(settings, command, VARIABLES)
    return build_request(settings, PACKAGE, command=command, variables=VARIABLES, token="t-1")


def on_cluster(settings: Settings) -> Settings:
    emr = replace(settings.emr, application_id=None, role_arn=None, cluster_id="j-2AXX")
    return replace(settings, emr=emr)


def test_a_job_run_of_emr_serverless(settings: Settings) -> None:
    found = request(settings)
    spark = found.pop("jobDriver")["sparkSubmit"]
    assert found == {
        "applicationId": "00fabc01",
        "clientToken": "t-1",
        "name": "clickstream-t-1",
        "executionRoleArn": "arn:aws:iam::123456789012:role/clickstream",
        "mode": "BATCH",
        "executionTimeoutMinutes": 720,
        "retryPolicy": {"maxAttempts": 1},
        "configurationOverrides": {
            "monitoringConfiguration": {
                "s3MonitoringConfiguration": {"logUri": "s3://code/clickstream/logs/"}
            }
        },
    }
    assert spark["entryPoint"] == "s3://code/clickstream/code/5a/main.py"
    assert spark["entryPointArguments"] == ARGUMENTS
    parts = shlex.split(spark["sparkSubmitParameters"])
    assert set(parts[::2]) == {"--conf"}
    assert set(parts[1::2]) == CONF | {
        "spark.archives=s3://code/clickstream/code/5a/deps.tar.gz#deps",
        "spark.emr-serverless.driverEnv.PYTHONPATH=deps",
        "spark.dynamicAllocation.initialExecutors=1",
        "spark.executor.instances=1",
    }


def test_a_step_of_a_cluster(settings: Settings) -> None:
    found = request(on_cluster(settings))
    (step,) = found["Steps"]
    assert found == {"JobFlowId": "j-2AXX", "Steps": [step]}
    assert (step["Name"], step["ActionOnFailure"]) == ("clickstream-t-1", "CONTINUE")
    assert step["HadoopJarStep"]["Jar"] == "command-runner.jar"
    arguments = step["HadoopJarStep"]["Args"]
    assert arguments[:5] == [
        "spark-submit",
        "--deploy-mode",
        "cluster",
        "--archives",
        "s3://code/clickstream/code/5a/deps.tar.gz#deps",
    ]
    assert arguments[-5:] == ["s3://code/clickstream/code/5a/main.py", *ARGUMENTS]
    options = arguments[5:-5]
    assert set(options[::2]) == {"--conf"}
    assert set(options[1::2]) == CONF | {
        "spark.yarn.appMasterEnv.PYTHONPATH=deps",
        "spark.yarn.maxAppAttempts=1",
    }


def test_boto3_accepts_both(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    serverless, cluster = boto3.client("emr-serverless"), boto3.client("emr")
    with Stubber(serverless) as stub:
        answer = {"applicationId": "00fabc01", "jobRunId": "1", "arn": "x" * 60}
        stub.add_response("start_job_run", answer, request(settings))
        serverless.start_job_run(**request(settings))
    with Stubber(cluster) as stub:
        stub.add_response("add_job_flow_steps", {"StepIds": ["s-1"]})
        cluster.add_job_flow_steps(**request(on_cluster(settings)))


def test_settings_of_spark_win_over_ours(settings: Settings) -> None:
    spark = (("spark.executor.cores", "2"), ("spark.x", "a b"))
    changed = replace(settings, emr=replace(settings.emr, spark=spark))
    parameters = request(changed)["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    parts = shlex.split(parameters)
    assert "spark.executor.cores=2" in parts
    assert "spark.executor.cores=4" not in parts
    assert "spark.x=a b" in parts


def test_all_that_a_job_cannot_work_with_is_one_error(settings: Settings) -> None:
    sources = (Source(name="web", uri="/var/log"), Source(name="ok", uri="s3://a"))
    wrong = replace(settings, lake="/data/lake", sources=sources, emr=EmrSettings())
    wrong = replace(wrong, search=SearchSettings())
    with pytest.raises(SettingsError) as caught:
        request(wrong, "run", "--on", "emr")
    title, *problems = str(caught.value).splitlines()
    assert title == "this job cannot run on EMR:"
    assert [problem[:24] for problem in problems] == [
        "- a job cannot take --on",
        "- a job cannot reach the",
        "- set EMR_APPLICATION_ID",
        "- set EMR_ROLE_ARN / emr",
        "- set EMR_STAGING / emr.",
        "- the lake /data/lake is",
        "- source 'web' is not in",
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status", "'status' cannot run on EMR: use ingest, replay, load, export, run, or dbt"),
        ("dbt docs", "dbt 'docs' cannot run on EMR: use dbt with build, run, test, seed"),
        ("dbt", "dbt '' cannot run on EMR"),
        ("run --on=emr", "a job cannot take --on: leave it out"),
        ("ingest --raw s3://other/logs", "a job cannot take --raw: leave it out"),
        ("dbt build --target local", "this job uses the target emr: name another with"),
        ("load --target", "this job uses the target emr: name another with --target before"),
    ],
)
def test_a_command_that_is_not_for_jobs_is_refused(
    settings: Settings, command: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        request(settings, *command.split())


@pytest.mark.parametrize(
    "command", ["replay --rejects", "load", "export", "run --target emr", "dbt build -s +fct_a"]
)
def test_a_command_that_is_for_jobs_is_sent_as_it_is(settings: Settings, command: str) -> None:
    spark = request(settings, *command.split())["jobDriver"]["sparkSubmit"]
    assert spark["entryPointArguments"][2:] == command.split()


@pytest.mark.parametrize(
    ("target", "variables", "words"),
    [
        ("prod", {}, ["a job cannot use the target prod: name one with --target emr or redshift"]),
        ("redshift", {"REDSHIFT_METHOD": "iam"}, ["set REDSHIFT_ENDPOINT to the Redshift that"]),
        (
            "redshift",
            {"REDSHIFT_ENDPOINT": "127.0.0.1:5439/db"},
            [
                "REDSHIFT_ENDPOINT=127.0.0.1:5439/db is a tunnel",
                "the password of Redshift is never",
            ],
        ),
        ("redshift", {"REDSHIFT_ENDPOINT": "host:5439", "REDSHIFT_METHOD": "iam_role"}, []),
        ("local_large", {}, []),
    ],
)
@pytest.mark.parametrize("command", ["load", "run", "dbt build", "ingest"])
def test_a_job_that_could_not_reach_its_tables_is_refused(
    settings: Settings, target: str, variables: dict[str, str], words: list[str], command: str
) -> None:
    there = replace(settings, target=target)
    found = list(_problems(there, command.split(), variables))
    assert len(found) == (0 if command == "ingest" else len(words))
    assert all(map(str.startswith, found, words))


def test_a_password_of_redshift_comes_from_emr(settings: Settings) -> None:
    given = {"REDSHIFT_ENDPOINT": "host", "REDSHIFT_USER": "loader"}
    there = replace(settings, target="redshift")
    spark = (("spark.emr-serverless.driverEnv.REDSHIFT_PASSWORD", "EMR.secret@a/b"),)
    fetched = replace(there, emr=replace(there.emr, spark=spark))
    assert list(_problems(there, ["load"], given))
    for kept in (fetched, on_cluster(there)):
        assert not list(_problems(kept, ["load"], given))


@pytest.mark.parametrize("command", ["load", "export", "dbt"])
def test_sources_matter_only_to_who_reads_them(settings: Settings, command: str) -> None:
    elsewhere = replace(settings, sources=(Source(name="web", uri="/var/log"),))
    assert request(elsewhere, command, "build")
