"""boto3's clients for EMR, and what EMR's answers mean for whoever asked.

Endpoint, region, credentials and role come from boto3's own chain. No message holds a header or a
signed address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ParamValidationError

from ingest.errors import EmrError, EmrUnavailable, SettingsError
from ingest.storage.aws import CREDENTIAL_CODES, CREDENTIAL_ERRORS, NO_CREDENTIALS, aws_session

SERVERLESS, CLUSTER = "emr-serverless", "emr"
# How IAM calls the two.
_ACTIONS = {SERVERLESS: "emr-serverless", CLUSTER: "elasticmapreduce"}
_SETTINGS: dict[str, Any] = {"connect_timeout": 5, "read_timeout": 60}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
# It may be another right than that to the call itself, such as iam:PassRole.
_DENIED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_BUSY = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")


def emr_client(service: str, *, repeats: bool = True) -> Any:
    """Return a client of `service`, which is SERVERLESS or CLUSTER.

    `repeats` says whether it repeats a call without an answer, although the service may have
    received it. Raises SettingsError when boto3's settings are wrong.
    """
    retries = {"mode": "standard", "total_max_attempts": 6 if repeats else 1}
    try:
        return aws_session().client(service, config=Config(**_SETTINGS, retries=retries))
    except NoRegionError as error:
        raise SettingsError(
            "no AWS region is set: set AWS_REGION, or region in your AWS profile"
        ) from error
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
    except CREDENTIAL_ERRORS as error:
        raise SettingsError(f"{what}: {NO_CREDENTIALS} ({error})") from error
    except ParamValidationError as error:
        raise SettingsError(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise EmrUnavailable(f"{what}: EMR did not answer ({error})") from error


def _translated(service: str, what: str, error: ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _DENIED:
        named = _DENIED_ACTION.search(message)
        action = named[1] if named else f"{_ACTIONS[service]}:{error.operation_name}"
        return SettingsError(
            f"{what}: access is denied: grant your user or role {action} ({code}: {message})"
        )
    if code in CREDENTIAL_CODES:
        return SettingsError(f"{what}: {NO_CREDENTIALS} ({code})")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return EmrUnavailable(f"{what}: {error.operation_name} did not succeed ({code}: {message})")
    return EmrError(f"{what}: {error.operation_name} was refused ({code}: {message})")
