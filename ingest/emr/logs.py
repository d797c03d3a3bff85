"""The log of a job's driver, which its service writes to S3, minutes late at times."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections import deque
from contextlib import suppress
from typing import Literal

from ingest.errors import ObjectUnreadable
from ingest.poll import poll
from ingest.storage import open_storage
from ingest.terminal.text import printable

Stream = Literal["stderr", "stdout"]
_DELAY_SECONDS = 5.0
# A signed address is as good as a password; so is a password in an address.
_SIGNED = re.compile(r"\?[^\s\"']*(?:X-Amz-Signature|X-Amz-Credential|AWSAccessKeyId)=[^\s\"']*")
_USER = re.compile(r"(?<=://)[^/\s@]+@")


def log_tail(
    folder: str, stream: Stream, *, lines: int, patience_seconds: float = 0
) -> list[str] | None:
    """Return the last `lines` lines of the driver's `stream`, None when it is not there in time.

    `folder` is what the service names. Spark sends both streams of a Python program to its stdout,
    so that what clickstream says is there, and what Spark says in stderr. Unprintable characters
    are escaped, signed addresses and passwords in addresses left out. Raises StorageError when S3
    does not answer.
    """
    return poll(
        lambda: _tail(folder, f"{stream}.gz", lines),
        lambda found: found is not None,
        delay_seconds=_DELAY_SECONDS,
        deadline_seconds=patience_seconds,
    )


def without_secrets(text: str) -> str:
    """Return `text` without the queries of signed addresses and without users in addresses."""
    return _USER.sub("", _SIGNED.sub("?...", text))


def _tail(folder: str, name: str, lines: int) -> list[str] | None:
    """Return the last lines of a log; what is behind a broken end is left out.

    None = it is not there, or denied, which is the same to a role that may not list the bucket.
    """
    try:
        packed = open_storage(folder).read(name)
    except ObjectUnreadable:
        return None
    kept: deque[bytes] = deque(maxlen=lines)
    # It may be incomplete while it is written.
    with suppress(EOFError, gzip.BadGzipFile, zlib.error), gzip.open(io.BytesIO(packed)) as file:
        kept.extend(file)
    return [printable(without_secrets(_text(line))) for line in kept]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode(errors="replace")
