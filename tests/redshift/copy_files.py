"""The files of a COPY: named by a manifest or found by prefix, and fetched from S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from redshift.copy_command import CopyCommand, S3Url, read_url
from redshift.refusal import CopyRefused


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a COPY: where it came from, and its copy here."""

    url: S3Url
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    url: S3Url
    size: int | None = None
    mandatory: bool = True


def fetch(command: CopyCommand, s3: Any, *, folder: Path) -> list[DataFile]:
    """Fetch the files of `command` into `folder` and return them in their order.

    Raises CopyRefused when the manifest is not one, when S3 refuses, when a mandatory file is not
    there or has another size than the manifest says, and when none is left.
    """
    wanted = _listed(command.source, s3) if command.manifest else _found(command.source, s3)
    files = []
    for number, one in enumerate(wanted):
        path = folder / f"{number}.parquet"
        if _fetched(one, s3, path):
            files.append(DataFile(one.url, path))
    if not files:
        raise CopyRefused(f"no file of {command.source} was found")
    return files


def _found(prefix: S3Url, s3: Any) -> list[_Wanted]:
    with _said(prefix):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=prefix.bucket, Prefix=prefix.key
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    if not keys:
        raise CopyRefused(f"The specified S3 prefix '{prefix.key}' does not exist")
    return [_Wanted(url=S3Url(prefix.bucket, key)) for key in keys]


def _listed(manifest: S3Url, s3: Any) -> list[_Wanted]:
    with _said(manifest):
        content = s3.get_object(Bucket=manifest.bucket, Key=manifest.key)["Body"].read()
    try:
        entries = json.loads(content)["entries"]
        return [_entry(entry) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        context = f"{manifest}: {error!r}"
        raise CopyRefused("invalid manifest file format", context=context) from error


def _entry(entry: dict[str, Any]) -> _Wanted:
    """Return an entry of a manifest. For Parquet `meta.content_length` is required."""
    url, size = read_url(entry["url"]), entry["meta"]["content_length"]
    mandatory = entry.get("mandatory", False)
    if type(size) is not int or type(mandatory) is not bool:
        raise TypeError(f"content_length {size!r}, mandatory {mandatory!r}")
    return _Wanted(url=url, size=size, mandatory=mandatory)


def _fetched(wanted: _Wanted, s3: Any, path: Path) -> bool:
    """Fetch a file; False when it is not there and need not be."""
    url = wanted.url
    try:
        with _said(url):
            s3.download_file(url.bucket, url.key, str(path))
    except _NoSuchObject:
        if wanted.mandatory:
            raise
        return False
    size = path.stat().st_size
    if wanted.size not in (None, size):
        context = f"{url} has {size} bytes; the manifest says content_length {wanted.size}"
        raise CopyRefused("S3 file size mismatch", context=context, file=str(url))
    return True


class _NoSuchObject(CopyRefused):
    pass


@contextmanager
def _said(url: S3Url) -> Iterator[None]:
    """Turn what S3 refuses into Redshift's words for it."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        kind = _NoSuchObject if status == 404 and "Bucket" not in code else CopyRefused
        message = (
            f"S3ServiceException:{error.response['Error']['Message']},Status {status},Error {code}"
        )
        raise kind(message, context=f"failed to read {url}", file=str(url)) from error
    except BotoCoreError as error:
        raise CopyRefused(f"S3 cannot be reached: {error}", file=str(url)) from error
