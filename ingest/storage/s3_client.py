"""One S3 client per process, and what S3's answers mean for whoever asked.

Endpoint, region, credentials and role come from boto3's own chain: the environment, profiles, roles
of machines. No message holds a header or a signed address.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from ingest.errors import (
    ObjectChanged,
    ObjectUnavailable,
    ObjectUnreadable,
    SettingsError,
    StorageError,
)
from ingest.storage.aws import CREDENTIAL_CODES, CREDENTIAL_ERRORS, NO_CREDENTIALS, aws_session

# Several threads share the client: ten of an upload, eight of a listing.
_CONNECTIONS = 20
_SETTINGS: dict[str, Any] = {
    "retries": {"mode": "standard", "max_attempts": 5},
    "max_pool_connections": _CONNECTIONS,
    "connect_timeout": 5,
    "read_timeout": 60,
}
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
CHANGED = "changed while it was read; the next run reads it again"
SHORTER = "shorter than when it was listed"
_DENIED = (
    "access is denied, or it is gone and the role lacks s3:ListBucket: grant the role s3:GetObject"
    " and s3:ListBucket"
)
# S3's error codes for one object, and what the user reads.
_UNREADABLE = {
    "NoSuchKey": "it is gone",
    "404": "it is gone",
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "InvalidObjectState": "it is archived: restore it (aws s3api restore-object) and run again",
}
# What S3 calls an operation that may be denied, and the right that it needs.
_RIGHTS = {
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
}
_NO_KEY = "it is encrypted with a key that the role may not use: grant it kms:Decrypt"
_NO_KEY_TO_WRITE = ": grant the role kms:GenerateDataKey and kms:Decrypt for the bucket's key"


def s3_client() -> Any:
    """Return this process's client. Raises SettingsError when boto3's settings are wrong."""
    return _client(os.getpid())


@cache
def _client(_process: int) -> Any:
    """Make the client. The process is part of the key: a forked worker must not share sockets."""
    try:
        session = aws_session()
        client = session.client("s3", config=Config(**_SETTINGS))
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if host.endswith(_AWS_HOSTS):
            return client
        # Another server seldom has a name for each bucket.
        return session.client("s3", config=Config(**_SETTINGS, s3={"addressing_style": "path"}))
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"boto3's settings for S3 are not valid: {error}") from error


@contextmanager
def translated_errors(place: str, *, reading: bool = False) -> Iterator[None]:
    """Translate S3's errors about the object or prefix `place` into ours.

    Reading: ObjectChanged, ObjectUnreadable, and ObjectUnavailable for any other refusal, such as
    SlowDown. SettingsError for missing credentials or buckets, and StorageError for the rest: S3
    did not answer, or refuses to write.
    """
    try:
        yield
    except ClientError as error:
        raise _translated(place, error, reading=reading) from error
    except CREDENTIAL_ERRORS as error:
        raise SettingsError(f"{place}: {NO_CREDENTIALS} ({error})") from error
    except S3UploadFailedError as error:
        if isinstance(cause := error.__context__, ClientError):
            raise _translated(place, cause, reading=reading) from cause
        raise StorageError(f"{place}: {error}") from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageError(f"{place}: S3 did not answer ({error})") from error


def _translated(place: str, error: ClientError, *, reading: bool) -> Exception:
    # The HTTP status, where an answer had no body.
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code == "NoSuchBucket":
        return SettingsError(f"{place}: there is no such bucket: check its name and region")
    if code in CREDENTIAL_CODES:
        return SettingsError(f"{place}: {NO_CREDENTIALS} ({code})")
    needs_key = "kms:" in message or code.startswith("KMS.")
    if not reading:
        denied = code == "AccessDenied" and error.operation_name in _RIGHTS
        remedy = f": grant the role {_RIGHTS[error.operation_name]}" if denied else ""
        remedy = _NO_KEY_TO_WRITE if needs_key else remedy
        return StorageError(
            f"{place}: {error.operation_name} was refused ({code}: {message}){remedy}"
        )
    if code in ("PreconditionFailed", "412"):
        return ObjectChanged(f"{place}: {CHANGED}")
    if code in ("InvalidRange", "416"):
        return ObjectChanged(f"{place}: {SHORTER}")
    if needs_key:
        return ObjectUnreadable(f"{place}: {_NO_KEY}")
    if code in _UNREADABLE:
        return ObjectUnreadable(f"{place}: {_UNREADABLE[code]}")
    return ObjectUnavailable(f"{place}: {error.operation_name} failed ({code}: {message})")
