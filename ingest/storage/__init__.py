"""Where raw logs and the lake are kept, behind one small interface: a folder or a prefix in S3."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.errors import SettingsError
from ingest.storage.folder import FolderStorage
from ingest.storage.protocol import NOT_REGULAR, Storage, StoredObject

__all__ = ["NOT_REGULAR", "SCHEMES", "Storage", "StoredObject", "open_storage"]


def open_storage(uri: str) -> Storage:
    """Return the storage at `uri`: a folder path, file:// or s3://; the folder need not exist.

    A process gets one storage per URI, so that clients and their connections are made once. Raises
    SettingsError for a scheme that is not supported.
    """
    # A relative path would mean another folder once the current one changes.
    place = uri if "://" in uri else str(Path(uri).absolute())
    return _open(place, os.getpid())


@cache
def _open(uri: str, _process: int) -> Storage:
    """Open `uri`. The process is part of the key: a forked worker must not share a client."""
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return FolderStorage(Path(uri))
    if scheme not in SCHEMES:
        raise SettingsError(
            f"{uri}: unknown scheme {scheme!r}; use a folder path, file:///folder or s3://bucket/prefix"
        )
    return SCHEMES[scheme](uri)


def _open_folder(uri: str) -> Storage:
    parts = urlsplit(uri)
    if parts.netloc in ("", "localhost") and parts.path:
        return FolderStorage(Path(unquote(parts.path)))
    raise SettingsError(f"{uri}: a file URI has no host; write file:///folder")


def _open_s3(uri: str) -> Storage:
    # Here, because boto3 takes half a second to import.
    from ingest.storage.s3 import S3Storage

    return S3Storage(uri)


# Scheme of a URI -> what opens it.
SCHEMES: dict[str, Callable[[str], Storage]] = {"file": _open_folder, "s3": _open_s3}
