"""The API key that AWS Secrets Manager keeps, from a real API of it (moto's)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pytest
from fixtures.answering_server import AnsweringServer
from support.faults import App, Environ, Faults

from ingest.errors import SettingsError
from ingest.search.client import connect
from ingest.search.secret import read_secret
from ingest.settings import ELASTICSEARCH

pytestmark = pytest.mark.integration

KEY = "a-planted_key=="


@pytest.fixture
def secret(s3_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a secret with the key, in the environment of a driver or task."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", s3_environ["AWS_ENDPOINT_URL_S3"])
    name = "clickstream/search"
    manager = boto3.client("secretsmanager")
    manager.create_secret(Name=name, SecretString=f"{KEY}\n")
    for variable in ("ES_API_KEY", "ES_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ES_API_KEY_SECRET", name)
    yield name
    manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def denied(_app: App, _environ: Environ, start_response: Any) -> Iterable[bytes]:
    """Refuse as IAM does in the name of this API."""
    start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps({"__type": "AccessDeniedException", "message": "on purpose"}).encode()]


@pytest.mark.usefixtures("secret")
def test_whoever_connects_reads_the_key(answering_server: AnsweringServer) -> None:
    answering_server.answers = {"/": (200, {"version": {"number": "8.19.0"}})}
    with connect(answering_server.url, product=ELASTICSEARCH) as client:
        client.info()
    assert answering_server.headers_received("authorization") == {f"ApiKey {KEY}"}


def test_a_secret_that_cannot_be_used(secret: str, faults: Faults) -> None:
    with pytest.raises(SettingsError, match="the secret none does not exist in this region"):
        read_secret("none")
    faults.add("POST GetSecretValue", denied)
    with pytest.raises(SettingsError, match=r"grant your user or role secretsmanager:GetSecretVal"):
        read_secret(secret)
    boto3.client("secretsmanager").put_secret_value(
        SecretId=secret, SecretString='{"key": "planted"}'
    )
    with pytest.raises(SettingsError, match="must hold nothing but the API key") as raised:
        read_secret(secret)
    assert "planted" not in str(raised.value)
