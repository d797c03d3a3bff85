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

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from ingest.errors import ObjectChanged, ObjectUnreadable, SettingsError, StorageError

# Clients answer from several threads: no more connections than S3 likes per client.
_CONNECTIONS = 16
_SETTINGS: dict[str, Any] = {
    "retries": {"mode": "standard", "max_attempts": 5},
    "max_pool_connections": _CONNECTIONS,
    "connect_timeout": 5,
    "read_timeout": 60,
}
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_CHANGED = "changed while it was read; the next run reads it again"
_NO_CREDENTIALS = (
    "there are no AWS credentials: run `aws configure`, set AWS_PROFILE, or give the machine a role"
)
# What S3 calls the trouble with one object, and what to say of it.
_UNREADABLE = {
    "NoSuchKey": "it is gone",
    "404": "it is gone, or the role may not list its bucket",
    "NotFound": "it is gone, or the role may not list its bucket",
    "AccessDenied": "access is denied: grant the role s3:GetObject on it",
    "403": "access is denied: grant the role s3:GetObject on it",
    "Forbidden": "access is denied: grant the role s3:GetObject on it",
    "InvalidObjectState": "it is archived: restore it (aws s3api restore-object) and run again",
}
_NO_KEY = "it is encrypted with a key that the role may not use: grant it kms:Decrypt"


def s3_client() -> Any:
    """Return this process's client. Raises SettingsError when boto3's settings are wrong."""
    return _client(os.getpid())


@cache
def _client(_process: int) -> Any:
    """Make the client. The process is part of the key: a forked worker must not share sockets."""
    try:
        session = boto3.Session()
        client = session.client("s3", config=Config(**_SETTINGS))
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if host.endswith(_AWS_HOSTS):
            return client
        # Another server seldom has a name for each bucket.
        return session.client("s3", config=Config(**_SETTINGS, s3={"addressing_style": "path"}))
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(f"boto3's settings for S3 are not valid: {error}") from error


@contextmanager
def answers(place: str, *, reading: bool = False) -> Iterator[None]:
    """Turn what S3 says about the object or prefix `place` into our errors.

    Reading: ObjectChanged, ObjectUnreadable. SettingsError for missing credentials or buckets, and
    StorageError for the rest: S3 did not answer, or refuses to write.
    """
    try:
        yield
    except ClientError as error:
        raise _translated(place, error, reading=reading) from error
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise SettingsError(f"{place}: {_NO_CREDENTIALS} ({error})") from error
    except BotoCoreError as error:
        raise StorageError(f"{place}: S3 did not answer ({error})") from error


def code_of(error: ClientError) -> str:
    """Return S3's name for the error, or the HTTP status where an answer had no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _translated(place: str, error: ClientError, *, reading: bool) -> Exception:
    code = code_of(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code == "NoSuchBucket":
        return SettingsError(f"{place}: there is no such bucket: check its name and region")
    if not reading:
        return StorageError(f"{place}: {error.operation_name} was refused ({code}: {message})")
    if code in ("PreconditionFailed", "412"):
        return ObjectChanged(f"{place}: {_CHANGED}")
    if code in ("InvalidRange", "416"):
        return ObjectChanged(f"{place}: shorter than when it was listed")
    if "kms:" in message or code.startswith("KMS."):
        return ObjectUnreadable(f"{place}: {_NO_KEY}")
    if code in _UNREADABLE:
        return ObjectUnreadable(f"{place}: {_UNREADABLE[code]}")
    return StorageError(f"{place}: {error.operation_name} failed ({code}: {message})")
