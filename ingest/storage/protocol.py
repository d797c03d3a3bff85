"""What the hops need of a place that stores objects; each kind of place implements it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

# The problem of a pipe, a device, a socket: it holds no bytes at rest, and never will.
NOT_REGULAR = "not a regular file"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A stored object. `key` is relative to the storage's root, with `/`. `size` in bytes.

    `problem` says why the object cannot be read (a broken link, a folder that is denied, a pipe)
    and what to do; it is None for an object that can be opened, and always None in a bucket.
    A local key that is not UTF-8 keeps its bytes as surrogates (PEP 383). `changed_at` is the UTC
    time of the last change, None where it is not known.
    """

    key: str
    size: int
    etag: str
    problem: str | None = None
    changed_at: datetime | None = None

    def is_settled(self, since: datetime) -> bool:
        """Return whether it has not changed after `since`, as far as is known."""
        return self.changed_at is None or self.changed_at <= since


class Storage(Protocol):
    """What the hops need of a place that stores objects."""

    uri: str
    etag_tells_content: bool
    """Whether an object whose etag is the same surely holds the same bytes."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects below `prefix` whose key is greater than `after`, in byte order."""
        ...

    def stat(self, key: str) -> StoredObject:
        """Return the object `key`; raises ObjectUnreadable when it is denied or gone."""
        ...

    def read(
        self, key: str, start: int = 0, end: int | None = None, *, etag: str | None = None
    ) -> bytes:
        """Return bytes [start, end) of `key`; `end` None = all the rest.

        Raises ObjectUnreadable, ObjectUnavailable, or ObjectChanged when it holds fewer bytes than
        that, or when `etag` is given and the object has another one by now.
        """
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write `key` durably, replacing what was there."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write `key` durably unless it exists; return whether this call wrote it."""
        ...

    def spool(self, key: str) -> Path:
        """Return the local file, in a folder that exists, to be written before `upload`."""
        ...

    def upload(self, spool: Path, key: str) -> None:
        """Move the finished local file `spool` to `key` durably."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the objects `keys`; a missing one is not an error.

        Raises StorageError when one cannot be deleted; those before it are gone.
        """
        ...
