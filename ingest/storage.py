"""A folder or an S3 bucket behind one small interface. S3 comes in an issue of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored object. `key` is relative to the storage's root, with `/`. `size` in bytes."""

    key: str
    size: int
    etag: str


class Storage(Protocol):
    """What the hops need of a place that stores objects."""

    uri: str

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Entry]:
        """Yield the objects below `prefix` whose key is greater than `after`, in byte order."""
        ...

    def stat(self, key: str) -> Entry:
        """Return the entry of `key`; raises ObjectUnreadable when it is denied or gone."""
        ...

    def read(
        self, key: str, start: int = 0, end: int | None = None, *, etag: str | None = None
    ) -> bytes:
        """Return bytes [start, end) of `key`.

        Raises ObjectUnreadable, or ObjectChanged when `etag` is given and no longer true.
        """
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write `key` durably, replacing what was there."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write `key` durably unless it exists; return whether this call wrote it."""
        ...

    def upload(self, spool: Path, key: str) -> None:
        """Move the finished local file `spool` to `key` durably."""
        ...


def open_storage(uri: str) -> Storage:
    """Return the storage at `uri`; raises SettingsError for a scheme that is not supported."""
    raise NotImplementedError
