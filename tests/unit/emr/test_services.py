"""The two services behind one interface; botocore itself checks each request and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    UnauthorizedSSOTokenError,
)
from botocore.stub import Stubber

from ingest.emr.client import CLUSTER, answers, emr_client
from ingest.emr.cluster import ClusterService
from ingest.emr.serverless import ServerlessService
from ingest.emr.service import JobState, Usage
from ingest.errors import EmrError, EmrUnavailable, SettingsError

TIME = "2026-01-01T00:00:00Z"
JOB = {"applicationId": "00a", "jobRunId": "1"}
RUN = {
    **JOB,
    "arn": "arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00a/jobruns/1",
    "createdBy": "arn:aws:iam::123456789012:user/me",
    "createdAt": TIME,
    "updatedAt": TIME,
    "executionRole": "arn:aws:iam::123456789012:role/clickstream",
    "state": "RUNNING",
    "stateDetails": "-",
    "releaseLabel": "emr-spark-8.1.0",
    "jobDriver": {"sparkSubmit": {"entryPoint": "s3://code/main.py"}},
}
STEP = {"ClusterId": "j-A", "StepId": "s-1"}
REQUEST = {
    "JobFlowId": "j-A",
    "Steps": [{"Name": "clickstream-t", "HadoopJarStep": {"Jar": "command-runner.jar"}}],
}
Answer = Callable[..., None]


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def serverless() -> Iterator[tuple[ServerlessService, Stubber]]:
    """EMR Serverless, and what it answers."""
    client = boto3.client("emr-serverless")
    with Stubber(client) as stub:
        yield ServerlessService("00a", client, staging="s3://code/x"), stub
        stub.assert_no_pending_responses()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ClusterService, Stubber]]:
    """A cluster, and what it answers; nobody sleeps."""
    monkeypatch.setattr("ingest.emr.cluster._PAUSE_SECONDS", (0.0, 0.0))
    client = boto3.client("emr")
    with Stubber(client) as stub:
        yield ClusterService("j-A", client, once=client), stub
        stub.assert_no_pending_responses()


def test_a_job_run(serverless: tuple[ServerlessService, Stubber]) -> None:
    service, stub = serverless
    stub.add_response("get_job_run", {"jobRun": RUN}, JOB)
    stub.add_response(
        "get_job_run", {"jobRun": {**RUN, "state": "FAILED", "stateDetails": "no disk"}}, JOB
    )
    stub.add_response("cancel_job_run", JOB, JOB)
    assert service.state("1") == JobState(name="RUNNING", reason="-")
    assert service.state("1") == JobState(name="FAILED", reason="no disk")
    service.cancel("1")
    folder = "s3://code/x/logs/applications/00a/jobs/1/SPARK_DRIVER"
    assert service.log_folder("1") == folder


def test_the_usage_of_a_job_run(serverless: tuple[ServerlessService, Stubber]) -> None:
    service, stub = serverless
    stub.add_response("get_job_run", {"jobRun": RUN}, JOB)
    billed = {"vCPUHour": 0.1, "memoryGBHour": 1.234, "storageGBHour": 0.0}
    stub.add_response("get_job_run", {"jobRun": {**RUN, "billedResourceUtilization": billed}}, JOB)
    assert service.usage("1") is None
    assert service.usage("1") == Usage(
        vcpu_hours=Decimal("0.1"),
        memory_gb_hours=Decimal("1.234"),
        storage_gb_hours=Decimal("0.0"),
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"State": "PENDING"}, JobState(name="PENDING")),
        (
            {
                "State": "FAILED",
                "FailureDetails": {"Reason": "Unknown Error.", "Message": "exit code 3"},
            },
            JobState(name="FAILED", reason="Unknown Error.: exit code 3"),
        ),
        (
            {"State": "CANCELLED", "StateChangeReason": {"Message": "by user"}},
            JobState(name="CANCELLED", reason="by user"),
        ),
        (
            {
                "State": "INTERRUPTED",
                "FailureDetails": {"Reason": "ended"},
                "StateChangeReason": {"Message": "ended"},
            },
            JobState(name="INTERRUPTED", reason="ended"),
        ),
    ],
)
def test_the_state_of_a_step(
    cluster: tuple[ClusterService, Stubber], status: dict[str, Any], state: JobState
) -> None:
    service, stub = cluster
    stub.add_response("describe_step", {"Step": {"Status": status}}, STEP)
    assert service.state("s-1") == state


@pytest.mark.parametrize("uri", ["s3n://logs/emr/", "s3://logs/emr"])
def test_where_a_step_logs(cluster: tuple[ClusterService, Stubber], uri: str) -> None:
    service, stub = cluster
    stub.add_response("describe_cluster", {"Cluster": {"LogUri": uri}}, {"ClusterId": "j-A"})
    assert service.log_folder("s-1") == "s3://logs/emr/j-A/steps/s-1"


def test_a_cluster_without_logs_and_prices(cluster: tuple[ClusterService, Stubber]) -> None:
    service, stub = cluster
    stub.add_response("describe_cluster", {"Cluster": {}}, {"ClusterId": "j-A"})
    with pytest.raises(SettingsError, match="writes no logs to S3"):
        service.log_folder("s-1")
    with pytest.raises(SettingsError, match="AWS bills the machines of a cluster"):
        service.usage("s-1")


def test_a_step_is_interrupted(cluster: tuple[ClusterService, Stubber]) -> None:
    service, stub = cluster
    wanted = {"ClusterId": "j-A", "StepIds": ["s-1"], "StepCancellationOption": "SEND_INTERRUPT"}
    for status, reason in (("SUBMITTED", ""), ("FAILED", "it has ended")):
        info = {"StepId": "s-1", "Status": status, "Reason": reason}
        stub.add_response("cancel_steps", {"CancelStepsInfoList": [info]}, wanted)
    service.cancel("s-1")
    with pytest.raises(EmrError, match="was not cancelled: it has ended"):
        service.cancel("s-1")


def no_steps(stub: Stubber) -> None:
    stub.add_response("list_steps", {"Steps": [{"Id": "s-0", "Name": "clickstream-other"}]})


def found_step(stub: Stubber) -> None:
    stub.add_response("list_steps", {"Steps": [{"Id": "s-1", "Name": "clickstream-t"}]})


def test_a_step_is_added_once_per_name(cluster: tuple[ClusterService, Stubber]) -> None:
    service, stub = cluster
    no_steps(stub)
    stub.add_response("add_job_flow_steps", {"StepIds": ["s-1"]}, REQUEST)
    found_step(stub)
    assert service.submit(REQUEST) == "s-1"
    assert service.submit(REQUEST) == "s-1"


def test_a_step_whose_answer_was_lost_is_found(cluster: tuple[ClusterService, Stubber]) -> None:
    service, stub = cluster
    no_steps(stub)
    stub.add_client_error("add_job_flow_steps", "InternalServerError", http_status_code=500)
    found_step(stub)
    assert service.submit(REQUEST) == "s-1"


def test_a_step_that_was_not_heard_is_added_again(
    cluster: tuple[ClusterService, Stubber],
) -> None:
    service, stub = cluster
    for _ in range(2):
        no_steps(stub)
        stub.add_client_error("add_job_flow_steps", "ThrottlingException")
    no_steps(stub)
    stub.add_response("add_job_flow_steps", {"StepIds": ["s-1"]}, REQUEST)
    assert service.submit(REQUEST) == "s-1"


def test_attempts_come_to_an_end(cluster: tuple[ClusterService, Stubber]) -> None:
    service, stub = cluster
    for _ in range(5):
        no_steps(stub)
        stub.add_client_error("add_job_flow_steps", "ThrottlingException")
    with pytest.raises(EmrUnavailable, match="cluster j-A: AddJobFlowSteps did not succeed"):
        service.submit(REQUEST)


def test_a_refused_step_is_not_tried_again(cluster: tuple[ClusterService, Stubber]) -> None:
    service, stub = cluster
    no_steps(stub)
    stub.add_client_error("add_job_flow_steps", "InvalidRequestException", "it is terminated")
    with pytest.raises(EmrError, match=r"was refused \(InvalidRequestException: it is terminated"):
        service.submit(REQUEST)


def test_only_calls_that_may_be_repeated_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", "http://127.0.0.1:1")
    for repeats, attempts in ((True, 6), (False, 1)):
        retries = emr_client(CLUSTER, repeats=repeats).meta.config.retries
        assert retries["total_max_attempts"] == attempts


@pytest.mark.parametrize(
    ("code", "status", "kind", "text"),
    [
        ("AccessDeniedException", 400, SettingsError, "grant .* emr-serverless:CancelJobRun"),
        ("ExpiredTokenException", 400, SettingsError, "there are no valid AWS credentials"),
        ("TooManyRequestsException", 429, EmrUnavailable, "did not succeed"),
        ("InternalServerException", 500, EmrUnavailable, "did not succeed"),
        ("ResourceNotFoundException", 404, EmrError, "was refused"),
    ],
)
def test_what_an_error_means(
    serverless: tuple[ServerlessService, Stubber],
    code: str,
    status: int,
    kind: type[Exception],
    text: str,
) -> None:
    service, stub = serverless
    stub.add_client_error("cancel_job_run", code, http_status_code=status)
    with pytest.raises(kind, match=f"job 1 of application 00a: .*{text}") as caught:
        service.cancel("1")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NoCredentialsError(), SettingsError),
        (UnauthorizedSSOTokenError(), SettingsError),
        (EndpointConnectionError(endpoint_url="https://x"), EmrUnavailable),
    ],
)
def test_what_no_answer_means(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^here: "), answers(CLUSTER, "here"):
        raise error


def test_the_right_that_the_service_names_is_the_remedy(
    serverless: tuple[ServerlessService, Stubber],
) -> None:
    service, stub = serverless
    message = "User: x is not authorized to perform: iam:PassRole on resource: y"
    stub.add_client_error("cancel_job_run", "AccessDeniedException", message)
    with pytest.raises(SettingsError, match=r"grant your user or role iam:PassRole \("):
        service.cancel("1")


def test_the_region_is_the_one_that_all_tools_of_aws_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert emr_client(CLUSTER).meta.region_name == "eu-north-1"
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert emr_client(CLUSTER).meta.region_name == "eu-west-3"


def test_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    with pytest.raises(SettingsError, match="set AWS_REGION"):
        emr_client(CLUSTER)
