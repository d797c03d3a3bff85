"""Where raw logs and the lake lie, behind one small interface: a folder, or (later) a bucket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.errors import SettingsError
from ingest.storage.folder import FolderStorage
from ingest.storage.protocol import Storage, StoredObject

__all__ = ["Storage", "StoredObject", "open_storage"]


def open_storage(uri: str) -> Storage:
    """Return the storage at `uri`: a folder path or a file:// URI; the folder need not exist.

    Raises SettingsError for a scheme that is not supported.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return FolderStorage(Path(uri))
    if scheme == "file":
        parts = urlsplit(uri)
        if parts.netloc in ("", "localhost") and parts.path:
            return FolderStorage(Path(unquote(parts.path)))
        raise SettingsError(f"{uri}: a file URI has no host; write file:///folder")
    if scheme == "s3":
        raise SettingsError(f"{uri}: S3 is not supported yet; use a local folder")
    raise SettingsError(f"{uri}: unknown scheme {scheme!r}; use a folder path or file:///folder")
