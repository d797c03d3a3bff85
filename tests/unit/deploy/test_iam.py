"""The IAM documents: what the template says, valid, and no right that nobody needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator
from support.cloudformation import DEPLOY

NAMES = sorted(path.name for path in (DEPLOY / "iam").glob("*.json"))
LAKE = "arn:aws:s3:::lake-bucket/lake/"


def test_they_are_what_the_template_says() -> None:
    checked = _render(DEPLOY, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("change", ["edited", "deleted", "added"])
def test_a_difference_is_named_and_repaired(tmp_path: Path, change: str) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    iam = tmp_path / "deploy/iam"
    if change == "edited":
        path = iam / "job-role.json"
        path.write_text(path.read_text().replace("s3:GetObject", "s3:*"))
    elif change == "deleted":
        (iam / "job-role.json").unlink()
    else:
        (iam / "job-role.json").rename(iam / "other-role.json")
    checked = _render(tmp_path / "deploy", "--check")
    assert checked.returncode == 1
    assert "deploy/iam/job-role.json is not what deploy/clickstream.yaml says" in checked.stderr
    assert "python deploy/render_iam.py" in checked.stderr
    assert _render(tmp_path / "deploy").returncode == 0
    assert sorted(path.name for path in iam.iterdir()) == NAMES
    assert _render(tmp_path / "deploy", "--check").returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_valid(name: str) -> None:
    text = _filled_in(name)
    if name.endswith("-trust.json"):
        IAMTrustPolicyDocumentValidator(text).validate()
    else:
        IAMPolicyDocumentValidator(text).validate()


def test_no_right_is_unlimited() -> None:
    for name in NAMES:
        for statement in _statements(name):
            assert statement["Effect"] == "Allow", name
            assert not any("*" in action for action in _as_list(statement["Action"])), name
            if not name.endswith("-trust.json"):
                assert "*" not in _as_list(statement["Resource"]), name


@pytest.mark.parametrize("name", NAMES)
def test_a_document_has_room_to_grow(name: str) -> None:
    """IAM counts without white space: 6,144 characters for a policy, 2,048 for a trust policy."""
    size = len(re.sub(r"\s", "", _filled_in(name)))
    assert size < (2_048 if name.endswith("-trust.json") else 6_144) * 0.8


def test_only_the_cleaner_deletes_in_the_lake() -> None:
    deleting = {
        (name, resource)
        for name in NAMES
        for statement in _statements(name)
        if "s3:DeleteObject" in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    }
    assert deleting == {
        ("cleaner-policy.json", f"{LAKE}events/*"),
        ("cleaner-policy.json", f"{LAKE}rejects/*"),
        ("cleaner-policy.json", f"{LAKE}files/*"),
        ("job-role.json", "arn:aws:s3:::lake-bucket/marts/*"),
    }


@pytest.mark.parametrize("name", ["job-role.json", "runner-policy.json"])
def test_raw_logs_are_only_read_and_only_below_their_prefix(name: str) -> None:
    rights = _rights(name)
    assert rights["arn:aws:s3:::raw-bucket/access/*"] == {"s3:GetObject"}
    assert rights["arn:aws:s3:::raw-bucket"] == {"s3:ListBucket"}
    listed = [s for s in _statements(name) if s.get("Sid") == "ListRaw"]
    assert listed[0]["Condition"] == {"StringLike": {"s3:prefix": "access/*"}}


def test_the_job_only_reads_code() -> None:
    rights = _rights("job-role.json")
    assert rights["arn:aws:s3:::code-bucket/code/*"] == {"s3:GetObject"}
    assert rights["arn:aws:s3:::code-bucket/logs/*"] == {"s3:PutObject"}


def test_the_runner_adds_to_the_lake_and_reaches_nothing_else_but_raw_logs() -> None:
    rights = _rights("runner-policy.json")
    assert rights.keys() == {
        "arn:aws:s3:::raw-bucket",
        "arn:aws:s3:::raw-bucket/access/*",
        "arn:aws:s3:::lake-bucket",
        f"{LAKE}*",
        "arn:aws:x:eu-west-1:123456789012:y",
    }
    assert rights["arn:aws:s3:::lake-bucket"] == {"s3:ListBucket"}
    assert rights[f"{LAKE}*"] == {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}
    assert rights["arn:aws:x:eu-west-1:123456789012:y"] == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_copy_reads_the_lake_and_nothing_else() -> None:
    assert _rights("copy-role.json") == {
        "arn:aws:s3:::lake-bucket": {"s3:ListBucket"},
        f"{LAKE}*": {"s3:GetObject"},
        "arn:aws:x:eu-west-1:123456789012:y": {"kms:Decrypt"},
    }


@pytest.mark.parametrize("name", ["submitter-policy.json", "hops-role.json"])
def test_only_the_job_role_may_be_passed_and_to_emr_only(name: str) -> None:
    (passing,) = (s for s in _statements(name) if s["Action"] == "iam:PassRole")
    service = "emr-serverless.amazonaws.com"
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": service}}
    (written,) = (s for s in _written(name) if s["Action"] == "iam:PassRole")
    assert written["Resource"] == "${JOB_ROLE_ARN}"


def _render(deploy: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(deploy / "render_iam.py"), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _filled_in(name: str) -> str:
    """Return a document with values for its placeholders, as envsubst would put them in."""
    values = {"AWS_PARTITION": "aws", "AWS_REGION": "eu-west-1", "AWS_ACCOUNT_ID": "123456789012"}
    values |= {"RAW_PREFIX": "access/"}

    def value_of(found: re.Match[str]) -> str:
        placeholder = found[1]
        if placeholder.endswith(("_ARN", "_TOPIC", "_MACHINE")):
            return "arn:aws:x:eu-west-1:123456789012:y"
        return values.get(placeholder, placeholder.lower().replace("_", "-"))

    return re.sub(r"\$\{([A-Z_]+)\}", value_of, (DEPLOY / "iam" / name).read_text())


def _statements(name: str) -> Iterator[dict[str, Any]]:
    yield from json.loads(_filled_in(name))["Statement"]


def _written(name: str) -> Iterator[dict[str, Any]]:
    yield from json.loads((DEPLOY / "iam" / name).read_text())["Statement"]


def _rights(name: str) -> dict[str, set[str]]:
    """Return resource -> actions."""
    rights: dict[str, set[str]] = {}
    for statement in _statements(name):
        for resource in _as_list(statement["Resource"]):
            rights.setdefault(resource, set()).update(_as_list(statement["Action"]))
    return rights


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
