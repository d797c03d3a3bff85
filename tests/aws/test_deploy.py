"""The template deployed to moto, and its state machine run there.

moto's CloudFormation makes the buckets with their encryption, the roles and policies (whose
grammar it checks), the topic and the state machine, and resolves parameters, conditions and
outputs. What it cannot do: bucket policies, lifecycle, versioning and public access of buckets, EMR
Serverless, Redshift Serverless, the schedule and the alarm (so `for_moto` leaves these out, and
tests/unit/deploy reads them in the template), the rules between parameters, and whether the rights
of a role suffice.

moto interprets the state machine's own definition, but a job has succeeded as soon as it is sent:
waiting for one (`.sync`), and a job that fails after its start, were never tried.
"""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from fixtures.s3_server import ACCESS
from support.cloudformation import definition, for_moto

from ingest.poll import poll
from ingest.settings import load_settings

pytestmark = pytest.mark.integration

REGION = "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/1ca3f864"
JOBS = {
    "ingest": ["CLICKSTREAM_RAW=s3://raw-bucket/access/", "ingest", "--json"],
    "load": ["load", "--json"],
    "dbt": ["dbt", "build"],
    "export": ["export", "--json"],
}


@dataclass(frozen=True, slots=True)
class Aws:
    """The services of the server, and an EMR Serverless application there."""

    url: str
    application: Mapping[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url)

    def deploy(self, name: str, **parameters: str) -> dict[str, str]:
        """Deploy the template; return its outputs."""
        given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        client = self.client("cloudformation")
        client.create_stack(
            StackName=name,
            TemplateBody=for_moto(self.application),
            Parameters=given,
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.fixture
def aws(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The server, with an application."""
    for name, value in {**ACCESS, "MOTO_PORT": str(urlsplit(s3_url).port)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # moto does not know emr-spark-8.1.0.
    made = boto3.client("emr-serverless", endpoint_url=s3_url).create_application(
        name="clickstream", releaseLabel="emr-7.14.0", type="SPARK"
    )
    return Aws(s3_url, {"id": made["applicationId"], "arn": made["arn"]})


@pytest.fixture
def running_machines(aws: Aws) -> Iterator[None]:
    """Let moto run state machines, which it only pretends to otherwise."""
    _configure(aws.url, execute=True)
    yield
    _configure(aws.url, execute=False)


def test_the_buckets_are_made_and_encrypted_by_s3(aws: Aws) -> None:
    outputs = aws.deploy("plain")
    buckets = _buckets(aws, "plain")
    assert {name.rsplit("-", 1)[0] for name in buckets} == {
        "plain-rawbucket",
        "plain-lakebucket",
        "plain-codebucket",
    }
    assert {rule["SSEAlgorithm"] for rule in buckets.values()} == {"AES256"}
    places = {outputs[name].split("/")[2] for name in ("RawUri", "LakeUri", "CodeUri", "LogUri")}
    assert places == buckets.keys()


def test_a_key_encrypts_all_buckets(aws: Aws) -> None:
    aws.deploy("keyed", KmsKeyArn=KEY)
    assert (
        list(_buckets(aws, "keyed").values())
        == [{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}] * 3
    )


def test_an_existing_raw_bucket_is_used_and_none_is_made(aws: Aws) -> None:
    outputs = aws.deploy("existing", ExistingRawBucket="our-logs", RawPrefix="access/")
    assert len(_buckets(aws, "existing")) == 2
    assert outputs["RawUri"] == "s3://our-logs/access/"
    iam = aws.client("iam")
    role = outputs["JobRoleArn"].rsplit("/", 1)[1]
    of_jobs = iam.get_role_policy(RoleName=role, PolicyName="job")["PolicyDocument"]
    of_the_runner = iam.get_policy_version(PolicyArn=outputs["RunnerPolicyArn"], VersionId="v1")[
        "PolicyVersion"
    ]["Document"]
    for policy in (of_jobs, of_the_runner):
        found = re.findall(r"arn:aws:s3:::our-logs[^']*", str(policy))
        assert found == ["arn:aws:s3:::our-logs", "arn:aws:s3:::our-logs/access/*"]


def test_the_environment_is_what_our_settings_read(aws: Aws, tmp_path: Path) -> None:
    outputs = aws.deploy("environment", RawPrefix="access/")
    assert outputs["Environment"].startswith("export ")
    words = shlex.split(outputs["Environment"])[1:]
    environ = dict(word.split("=", 1) for word in words)
    settings = load_settings(environ, root=tmp_path)
    assert settings.lake == outputs["LakeUri"]
    assert [source.uri for source in settings.sources] == [outputs["RawUri"]]
    assert environ["EMR_APPLICATION_ID"] == outputs["ApplicationId"] == aws.application["id"]
    assert environ["EMR_ROLE_ARN"] == outputs["JobRoleArn"]
    assert outputs["CodeUri"].startswith(environ["EMR_STAGING"])
    # Spark's client of S3 reads the first, boto3 only the second.
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == REGION


@pytest.mark.usefixtures("running_machines")
@pytest.mark.parametrize(
    ("hops", "search", "wanted"),
    [
        ("all", "https://es:9200", ["ingest", "load", "dbt", "export"]),
        ("all", "off", ["ingest", "load", "dbt"]),
        ("ingest", "https://es:9200", ["ingest"]),
    ],
)
def test_the_hops_run_in_order(aws: Aws, hops: str, search: str, wanted: list[str]) -> None:
    run = _run(aws, definition(_values(aws, hops=hops, search=search)))
    assert run.status == "SUCCEEDED"
    assert [job["name"] for job in run.jobs] == wanted
    for job in run.jobs:
        assert job["jobDriver"]["sparkSubmit"] == {
            "entryPoint": "s3://code-bucket/code/1f/main.py",
            "entryPointArguments": JOBS[job["name"]],
            "sparkSubmitParameters": "--conf spark.archives=s3://code-bucket/code/1f/deps.tar.gz#deps",
        }
        assert job["executionRoleArn"] == "arn:aws:iam::123456789012:role/job"
    assert run.messages == []


@pytest.mark.usefixtures("running_machines")
@pytest.mark.parametrize(
    ("broken", "before"),
    [("Ingest", []), ("Dbt", ["ingest", "load"]), ("Export", ["ingest", "load", "dbt"])],
)
def test_a_failed_hop_ends_the_run_and_is_told(aws: Aws, broken: str, before: list[str]) -> None:
    run = _run(aws, definition(_values(aws), broken=broken))
    assert run.status == "FAILED"
    tried = [job["name"] for job in run.jobs]
    assert tried == [*before, broken.lower(), broken.lower()]
    (message,) = run.messages
    assert run.execution in message
    assert "Application missing does not exist" in message


@pytest.mark.usefixtures("running_machines")
def test_a_run_leaves_the_work_to_another_one(aws: Aws) -> None:
    run = _run(aws, definition(_values(aws), at_work=True))
    assert (run.status, run.jobs, run.messages) == ("SUCCEEDED", [], [])


@dataclass(frozen=True, slots=True)
class Run:
    """An execution that ended: the parameters of the jobs it sent, and what it published."""

    execution: str
    status: str
    jobs: list[dict[str, Any]]
    messages: list[str]


def _run(aws: Aws, text: str) -> Run:
    client = aws.client("stepfunctions")
    role = "arn:aws:iam::123456789012:role/hops"
    name = f"hops-{time.monotonic_ns()}"
    machine = client.create_state_machine(name=name, definition=text, roleArn=role)
    started = client.start_execution(
        stateMachineArn=machine["stateMachineArn"], name="run", input="{}"
    )
    arn = started["executionArn"]
    status = poll(
        lambda: client.describe_execution(executionArn=arn)["status"],
        lambda seen: seen != "RUNNING",
        delay_seconds=0.1,
        deadline_seconds=60,
    )
    assert status != "RUNNING"
    events = client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    sent = [e["taskScheduledEventDetails"] for e in events if e["type"] == "TaskScheduled"]
    parameters = [(task["resourceType"], json.loads(task["parameters"])) for task in sent]
    return Run(
        arn,
        status,
        [job for kind, job in parameters if kind == "emr-serverless"],
        [message["Message"] for kind, message in parameters if kind == "sns"],
    )


def _values(aws: Aws, *, hops: str = "all", search: str = "https://es:9200") -> dict[str, str]:
    """Return a value for each placeholder of the definition."""
    topic = aws.client("sns").create_topic(Name="failures")["TopicArn"]
    return {
        "Application": aws.application["id"],
        "JobRole": "arn:aws:iam::123456789012:role/job",
        "Package": "s3://code-bucket/code/1f",
        "RawUri": "s3://raw-bucket/access/",
        "HopsOnCluster": hops,
        "ElasticsearchUrl": search,
        "Topic": topic,
    }


def _buckets(aws: Aws, stack: str) -> dict[str, dict[str, str]]:
    """Return bucket -> how it encrypts by default, for the buckets of a stack."""
    s3 = aws.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    found = {}
    for name in names:
        if name.startswith(f"{stack}-"):
            answer = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
            found[name] = answer["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    return found


def _configure(url: str, *, execute: bool) -> None:
    body = json.dumps({"stepfunctions": {"execute_state_machine": execute}}).encode()
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{url}/moto-api/config", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
