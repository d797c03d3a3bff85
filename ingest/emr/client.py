"""boto3's clients for EMR, and what EMR's answers mean for whoever asked.

Endpoint, region, credentials and role come from boto3's own chain. No message holds a header or a
signed address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from ingest.errors import EmrError, EmrUnavailable, SettingsError

SERVERLESS, CLUSTER = "emr-serverless", "emr"
# How IAM calls the two.
_ACTIONS = {SERVERLESS: "emr-serverless", CLUSTER: "elasticmapreduce"}
_SETTINGS: dict[str, Any] = {"connect_timeout": 5, "read_timeout": 60}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_CREDENTIALS = ("ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException")
_BUSY = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
_LOGIN = "run `aws configure` or `aws sso login`, set AWS_PROFILE, or give the machine a role"


def emr_client(service: str, *, repeats: bool = True) -> Any:
    """Return a client of `service`, which is SERVERLESS or CLUSTER.

    `repeats` says whether it repeats a call without an answer, which may have been heard all the
    same. Raises SettingsError when boto3's settings are wrong.
    """
    retries = {"mode": "standard", "total_max_attempts": 6 if repeats else 1}
    try:
        return boto3.client(service, config=Config(**_SETTINGS, retries=retries))
    except NoRegionError as error:
        raise SettingsError("there is no AWS region: set AWS_REGION") from error
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"boto3's settings for EMR are not valid: {error}") from error


@contextmanager
def answers(service: str, what: str) -> Iterator[None]:
    """Turn what `service` says about `what`, a job or a place, into our errors.

    SettingsError for missing credentials or rights, EmrUnavailable for a call that may succeed
    later, EmrError for the rest.
    """
    try:
        yield
    except ClientError as error:
        raise _translated(service, what, error) from error
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise SettingsError(f"{what}: there are no AWS credentials: {_LOGIN} ({error})") from error
    except ParamValidationError as error:
        raise SettingsError(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise EmrUnavailable(f"{what}: EMR did not answer ({error})") from error


def _translated(service: str, what: str, error: ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _DENIED:
        action = f"{_ACTIONS[service]}:{error.operation_name}"
        return SettingsError(f"{what}: access is denied: grant your user or role {action}")
    if code in _CREDENTIALS:
        return SettingsError(f"{what}: the AWS credentials are not valid ({code}): {_LOGIN}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return EmrUnavailable(f"{what}: {error.operation_name} did not succeed ({code}: {message})")
    return EmrError(f"{what}: {error.operation_name} was refused ({code}: {message})")
