"""What the template promises about data, rights and cost. Its form is cfn-lint's concern."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.cloudformation import DEPLOY, filled_in, resources_of, template

BUCKETS = resources_of("AWS::S3::Bucket")


@pytest.fixture(params=BUCKETS)
def bucket(request: pytest.FixtureRequest) -> str:
    """The logical id of each bucket."""
    return str(request.param)


def test_a_bucket_is_closed_to_the_public(bucket: str) -> None:
    properties = BUCKETS[bucket]["Properties"]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }


def test_a_bucket_is_encrypted_with_the_key_or_else_by_s3(bucket: str) -> None:
    (rule,) = BUCKETS[bucket]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    wanted = rule["ServerSideEncryptionByDefault"]
    assert wanted["SSEAlgorithm"] == {"Fn::If": ["WithKey", "aws:kms", "AES256"]}
    assert wanted["KMSMasterKeyID"]["Fn::If"][:2] == ["WithKey", {"Ref": "KmsKeyArn"}]


def test_a_bucket_refuses_requests_without_tls(bucket: str) -> None:
    policies = resources_of("AWS::S3::BucketPolicy").values()
    (policy,) = (p for p in policies if p["Properties"]["Bucket"] == {"Ref": bucket})
    assert policy.get("Condition") == BUCKETS[bucket].get("Condition")
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert [resource["Fn::Sub"] for resource in statement["Resource"]] == [
        f"arn:${{AWS::Partition}}:s3:::${{{bucket}}}",
        f"arn:${{AWS::Partition}}:s3:::${{{bucket}}}/*",
    ]


def test_unfinished_uploads_are_removed_everywhere(bucket: str) -> None:
    (rule,) = (r for r in _rules(bucket) if "AbortIncompleteMultipartUpload" in r)
    assert rule["Status"] == "Enabled"
    assert "Prefix" not in rule


@pytest.mark.parametrize("name", ["RawBucket", "LakeBucket"])
def test_raw_logs_and_lake_outlive_the_stack(name: str) -> None:
    assert BUCKETS[name]["DeletionPolicy"] == BUCKETS[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("RawBucket", "access/2026/11/27/access.log.gz"),
        ("LakeBucket", "lake/batches/00000000000000000001.json"),
        ("LakeBucket", "lake/accepted/1ca3f864b281e56121a22f7f0377469e.json"),
        ("LakeBucket", "lake/lake.json"),
        ("CodeBucket", "code/1ca3f864/main.py"),
    ],
)
def test_no_rule_removes_what_counts(name: str, key: str) -> None:
    assert [rule["Id"] for rule in _removing(name) if key.startswith(rule.get("Prefix", ""))] == []


def test_rules_remove_old_logs_and_old_versions_only() -> None:
    assert {rule["Id"] for name in BUCKETS for rule in _removing(name)} == {
        "deleted-events",
        "deleted-files",
        "deleted-rejects",
        "old-logs",
        "old-marts",
    }
    assert all("ExpirationInDays" not in rule for rule in _rules("LakeBucket"))


def test_the_application_stops_when_idle_and_has_a_maximum() -> None:
    (application,) = resources_of("AWS::EMRServerless::Application").values()
    properties = application["Properties"]
    assert properties["Architecture"] == "ARM64"
    assert properties["AutoStopConfiguration"] == {"Enabled": True, "IdleTimeoutMinutes": 5}
    assert properties["MaximumCapacity"].keys() >= {"Cpu", "Memory"}
    assert "InitialCapacity" not in properties  # it would cost while nothing runs


def test_workers_have_a_size_that_emr_serverless_offers() -> None:
    spark = _spark_defaults()
    for who in ("driver", "executor"):
        gigabytes = [
            int(spark[f"spark.{who}.{key}"].removesuffix("g"))
            for key in ("memory", "memoryOverhead")
        ]
        assert spark[f"spark.{who}.cores"] == "4"
        assert 8 <= sum(gigabytes) <= 30  # AWS's range for 4 vCPU


def test_a_job_starts_with_one_executor() -> None:
    """Spark takes the larger of the two, and EMR Serverless sets both to 3."""
    spark = _spark_defaults()
    assert spark["spark.dynamicAllocation.initialExecutors"] == "1"
    assert spark["spark.executor.instances"] == "1"


def test_no_secret_is_written_down() -> None:
    """A key of Elasticsearch is a reference that EMR resolves; Redshift's is made by AWS."""
    secrets = {k: v for k, v in _spark_defaults().items() if k.endswith("ES_API_KEY")}
    assert len(secrets) == 2
    assert all(
        value["Fn::If"][1] == {"Fn::Sub": "EMR.secret@${ElasticsearchSecret}"}
        for value in secrets.values()
    )
    (namespace,) = resources_of("AWS::RedshiftServerless::Namespace").values()
    assert namespace["Properties"]["ManageAdminPassword"] is True
    assert "AdminUserPassword" not in namespace["Properties"]


def test_redshift_is_an_option_with_a_maximum() -> None:
    (workgroup,) = resources_of("AWS::RedshiftServerless::Workgroup").values()
    assert workgroup["Condition"] == "WithRedshift"
    assert workgroup["Properties"]["MaxCapacity"] == {"Ref": "RedshiftCapacity"}
    assert workgroup["Properties"]["PubliclyAccessible"] is False


def test_a_shell_reaches_redshift_as_the_jobs_do() -> None:
    jobs = {
        key.removeprefix("spark.emr-serverless.driverEnv."): value
        for key, value in filled_in(_spark_defaults()).items()
        if ".driverEnv.REDSHIFT_" in key
    }
    shell = {key: value for key, value in _environment().items() if key.startswith("REDSHIFT_")}
    assert len(jobs) == 5
    assert shell == jobs


def test_jobs_and_shell_use_redshift_where_the_stack_does() -> None:
    key = "spark.emr-serverless.driverEnv.CLICKSTREAM_TARGET"
    assert _spark_defaults()[key] == {"Ref": "Target"}
    assert _environment()["CLICKSTREAM_TARGET"] == "redshift"
    _, values = template()["Outputs"]["Environment"]["Value"]["Fn::Sub"]
    assert values["Target"]["Fn::If"] == ["ToRedshift", "CLICKSTREAM_TARGET=redshift", ""]
    assert template()["Conditions"]["ToRedshift"] == {"Fn::Equals": [{"Ref": "Target"}, "redshift"]}


def test_the_schedule_is_off_without_a_package() -> None:
    (schedule,) = resources_of("AWS::Scheduler::Schedule").values()
    assert schedule["Properties"]["State"] == {"Fn::If": ["WithPackage", "ENABLED", "DISABLED"]}


def test_the_template_can_be_deployed_without_a_bucket_for_it() -> None:
    assert (DEPLOY / "clickstream.yaml").stat().st_size <= 51_200  # CloudFormation's limit


def test_each_parameter_says_what_it_is_and_what_it_may_be() -> None:
    for name, parameter in template()["Parameters"].items():
        assert parameter["Description"], name
        assert parameter.keys() & {"AllowedPattern", "AllowedValues", "MinValue"}, name


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("RawPrefix", ["", "access/", "a/b=1/"], ["access", "/access/", "a//"]),
        ("PackageUri", ["", "s3://b/code/1f"], ["s3://b", "s3://b/code/", "code/1f"]),
        ("SubnetIds", ["", "subnet-0a,subnet-1b"], ["subnet-0a, subnet-1b", "sg-1"]),
        ("ElasticsearchUrl", ["off", "https://es:9200"], ["es:9200", "https://u:p@es"]),
        ("KmsKeyArn", ["", f"arn:aws:kms:eu-west-1:{'1' * 12}:key/a-1"], ["alias/a", "key"]),
    ],
)
def test_a_parameter_refuses_what_would_fail_later(
    name: str, good: list[str], bad: list[str]
) -> None:
    pattern = re.compile(template()["Parameters"][name]["AllowedPattern"])
    assert all(pattern.fullmatch(value) for value in good)
    assert not any(pattern.fullmatch(value) for value in bad)


def test_every_placeholder_of_the_state_machine_has_a_value() -> None:
    machine = template()["Resources"]["HopsMachine"]["Properties"]
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(machine["Definition"])))
    assert used == machine["DefinitionSubstitutions"].keys()


def test_every_job_is_waited_for_tried_again_and_told_of() -> None:
    states = template()["Resources"]["HopsMachine"]["Properties"]["Definition"]["States"]
    jobs = {k: s for k, s in states.items() if "emr-serverless" in s.get("Resource", "")}
    assert list(jobs) == ["Ingest", "Load", "Dbt", "Export"]
    for job in jobs.values():
        assert job["Resource"].endswith(":startJobRun.sync")
        assert job["Retry"][0]["MaxAttempts"] == 1
        assert job["Catch"][0]["Next"] == "Tell"


def _rules(bucket: str) -> list[dict[str, Any]]:
    return list(BUCKETS[bucket]["Properties"]["LifecycleConfiguration"]["Rules"])


def _removing(bucket: str) -> list[dict[str, Any]]:
    """Return the rules that remove objects or versions of them."""
    return [rule for rule in _rules(bucket) if "AbortIncompleteMultipartUpload" not in rule]


def _spark_defaults() -> dict[str, Any]:
    (application,) = resources_of("AWS::EMRServerless::Application").values()
    (defaults,) = application["Properties"]["RuntimeConfiguration"]
    return dict(defaults["Properties"])


def _environment() -> dict[str, str]:
    """Return the variables of the output `Environment`, with all options on."""
    text = filled_in(template()["Outputs"]["Environment"]["Value"])
    return dict(word.split("=", 1) for word in text.split()[1:])
