"""An API key that AWS Secrets Manager keeps: each process that connects reads it for itself."""

from __future__ import annotations

import re

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ingest.errors import ClickstreamError, SearchServerError, SettingsError
from ingest.storage.aws import CREDENTIAL_CODES, CREDENTIAL_ERRORS, NO_CREDENTIALS, aws_session

_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard"})
_KEY = re.compile(r"[\w+/=-]+")


def read_secret(name: str) -> str:
    """Return the API key in the secret `name`, which is a name or an ARN.

    Raises SettingsError when there is none or it may not be read, SearchServerError when AWS does
    not answer.
    """
    try:
        client = aws_session().client("secretsmanager", config=_CONFIG)
        answer = client.get_secret_value(SecretId=name)
    except ClientError as error:
        raise _translated(name, error) from None
    except CREDENTIAL_ERRORS as error:
        raise SettingsError(f"ES_API_KEY_SECRET: {NO_CREDENTIALS} ({error})") from None
    except (BotoCoreError, ValueError) as error:
        raise SearchServerError(
            f"ES_API_KEY_SECRET: the secret {name} cannot be read: {error}"
        ) from None
    key = str(answer.get("SecretString", "")).strip()
    if not _KEY.fullmatch(key):
        raise SettingsError(
            f"ES_API_KEY_SECRET: the secret {name} must hold nothing but the API key, as text"
        )
    return key


def _translated(name: str, error: ClientError) -> ClickstreamError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    what = f"ES_API_KEY_SECRET: the secret {name}"
    match code:
        case "ResourceNotFoundException":
            return SettingsError(f"{what} does not exist in this region: check it and AWS_REGION")
        case "AccessDenied" | "AccessDeniedException":
            return SettingsError(
                f"{what} may not be read: grant your user or role secretsmanager:GetSecretValue"
            )
        case "DecryptionFailure":
            return SettingsError(f"{what} cannot be decrypted: grant your user or role kms:Decrypt")
        case _ if code in CREDENTIAL_CODES:
            return SettingsError(f"ES_API_KEY_SECRET: {NO_CREDENTIALS} ({code})")
        case _:
            return SearchServerError(f"{what} cannot be read ({code}): wait, or set ES_API_KEY")
