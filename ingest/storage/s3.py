"""A prefix of an S3 bucket as a storage: section 4 of the warehouse specification."""

from __future__ import annotations

import random
import re
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from urllib3.exceptions import HTTPError

from ingest.errors import ObjectChanged, ObjectUnavailable, SettingsError, StorageError
from ingest.storage.protocol import StoredObject
from ingest.storage.s3_client import CHANGED, SHORTER, s3_client, translated_errors
from ingest.storage.s3_list import Lister

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)
_PART = re.compile(r"bytes (\d+)-\d+/(\d+)")
# boto3 does not resume a body that breaks off.
_RESUMES = 5
_ATTEMPTS = 10
_PAUSE_SECONDS = (0.2, 2.0)
_BROKEN_OFF = (HTTPClientError, IncompleteReadError, HTTPError)
_DELETED_AT_ONCE = 1_000
_MULTIPART = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20)


class S3Storage:
    """Objects below a prefix of a bucket; the etag is S3's own, without quotes."""

    etag_tells_content = True

    def __init__(self, uri: str) -> None:
        """`uri` is s3://bucket or s3://bucket/prefix. Raises SettingsError for another one."""
        match = _PLACE.fullmatch(uri)
        if match is None:
            raise SettingsError(
                f"{uri}: not a valid S3 location: use s3://bucket/prefix; the name of a bucket has"
                " 3 to 63 lower-case letters, digits, dots and hyphens"
            )
        self._bucket, prefix = match[1], (match[2] or "").strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{self._bucket}/{prefix}".rstrip("/")

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Leave out the empty objects that consoles make for folders."""
        for found in Lister(s3_client(), self._bucket, self._prefix).objects(prefix, after=after):
            if found.key and (found.size or not found.key.endswith("/")):
                yield found

    def stat(self, key: str) -> StoredObject:
        with translated_errors(self._place(key), reading=True):
            found = s3_client().head_object(**self._object(key))
        return StoredObject(
            key=key,
            size=found["ContentLength"],
            etag=found["ETag"].strip('"'),
            changed_at=found["LastModified"],
        )

    def read(
        self, key: str, start: int = 0, end: int | None = None, *, etag: str | None = None
    ) -> bytes:
        if end is None or start >= end:  # S3 has no range of no bytes
            found = self.stat(key)
            if etag not in (None, found.etag):
                raise ObjectChanged(f"{self._place(key)}: {CHANGED}")
            etag, end = found.etag, found.size if end is None else end
        if start >= end:
            return b""
        data = self._read(key, start, end, etag)
        if len(data) != end - start:
            raise ObjectChanged(f"{self._place(key)}: {SHORTER}")
        return data

    def _read(self, key: str, start: int, end: int, etag: str | None) -> bytes:
        """Return bytes [start, end), fewer at the end of the object, of one version of it."""
        data = bytearray()
        for _ in range(1 + _RESUMES):
            match = {"IfMatch": f'"{etag}"'} if etag else {}
            part = f"bytes={start + len(data)}-{end - 1}"
            with translated_errors(self._place(key), reading=True):
                answer = s3_client().get_object(**self._object(key), Range=part, **match)
                found = answer["ETag"].strip('"')
                if etag not in (None, found):  # the server does not know If-Match
                    raise ObjectChanged(f"{self._place(key)}: {CHANGED}")
                etag = found
                size = _append_body(answer, data, start + len(data), end)
            if size is not None and len(data) >= min(end, size) - start:
                return bytes(data)
            _pause()
        raise ObjectUnavailable(
            f"{self._place(key)}: could not be read whole in {1 + _RESUMES} attempts; run the"
            " command again"
        )

    def put(self, key: str, data: bytes) -> None:
        with translated_errors(self._place(key)):
            s3_client().put_object(**self._object(key), Body=data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Put on the condition that the key has no object yet.

        Where the answer to a put is lost, boto3 repeats it and is told that the object exists: then
        this returns False although it was this call that wrote it.
        """
        for _ in range(_ATTEMPTS):
            try:
                with translated_errors(self._place(key)):
                    s3_client().put_object(**self._object(key), Body=data, IfNoneMatch="*")
            except StorageError as error:
                status = _status_of(error.__cause__)
                if status == HTTPStatus.PRECONDITION_FAILED:
                    return False
                if status != HTTPStatus.CONFLICT:  # boto3 has repeated all else that may pass
                    raise
                _pause()
            else:
                return True
        raise StorageError(
            f"{self._place(key)}: other writers were in the way {_ATTEMPTS} times; run the command"
            " again"
        )

    def spool(self, key: str) -> Path:
        """Return a file in the machine's temporary folder."""
        return Path(tempfile.gettempdir()) / f"clickstream-{uuid.uuid4().hex}-{Path(key).name}"

    def upload(self, spool: Path, key: str) -> None:
        """Large files go up in parallel parts; the object appears when all are there."""
        try:
            with translated_errors(self._place(key)):
                s3_client().upload_file(
                    str(spool), self._bucket, self._prefix + key, Config=_MULTIPART
                )
        finally:
            spool.unlink(missing_ok=True)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete up to 1,000 objects with one request."""
        left = iter(keys)
        while some := list(islice(left, _DELETED_AT_ONCE)):
            wanted = [{"Key": self._prefix + key} for key in some]
            with translated_errors(self.uri):
                answer = s3_client().delete_objects(
                    Bucket=self._bucket, Delete={"Objects": wanted, "Quiet": True}
                )
            if errors := answer.get("Errors"):
                first = errors[0]
                raise StorageError(
                    f"s3://{self._bucket}/{first['Key']} could not be deleted"
                    f" ({first['Code']}: {first['Message']})"
                )

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _place(self, key: str) -> str:
        return f"{self.uri}/{key}"


def _append_body(answer: Mapping[str, Any], data: bytearray, start: int, end: int) -> int | None:
    """Append what came of the body to `data`, and return the size of the object.

    None, and nothing is appended, for a body that is not of bytes [start, end), which the server
    was asked for, or not what its checksum says.
    """
    part, length = _PART.fullmatch(answer.get("ContentRange", "")), int(answer["ContentLength"])
    begin, size = (int(part[1]), int(part[2])) if part else (0, length)
    if begin != start or length > end - start:
        answer["Body"].close()
        return None
    had = len(data)
    try:
        with suppress(*_BROKEN_OFF):
            for block in answer["Body"].iter_chunks(1 << 20):
                data += block
    except FlexibleChecksumError:
        del data[had:]
        return None
    return size


def _status_of(cause: BaseException | None) -> int:
    """Return the HTTP status of S3's answer, 0 when there was none."""
    if not isinstance(cause, ClientError):
        return 0
    return int(cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _pause() -> None:
    time.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - no secret
