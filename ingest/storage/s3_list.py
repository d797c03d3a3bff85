"""Lists an S3 prefix in byte order; a large one in several places at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ingest.storage.protocol import StoredObject
from ingest.storage.s3_client import translated_errors

_AT_ONCE = 8
_PAGE_KEYS = 1_000
# With more folders than this, the prefix is listed page by page: a folder costs a request.
_MOST_FOLDERS = 256


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists what lies below `root`: "", or a prefix with a slash at its end.

    Keys and prefixes are relative to it. Raises SettingsError and StorageError.
    """

    client: Any
    bucket: str
    root: str

    def objects(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Yield each object below `prefix` whose key is greater than `after`."""
        wanted = self._wanted(prefix)
        if after:
            wanted["StartAfter"] = self.root + after
        with translated_errors(self._place(prefix)):
            first = self.client.list_objects_v2(**wanted)
        # Given before anything else is asked: who wants to know whether there is one stops here.
        found = self._objects_of(first)
        yield from found
        if not first["IsTruncated"]:
            return
        last = found[-1].key if found else after
        folders = [] if after else self._folders(prefix)
        if 1 < len(folders) <= _MOST_FOLDERS:
            every = self._side_by_side(folders)
            yield from (one for one in every if one.key.encode() > last.encode())
        else:
            yield from self._pages(prefix, after=last)

    def _wanted(self, prefix: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Prefix": self.root + prefix, "MaxKeys": _PAGE_KEYS}

    def _place(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{self.root}{prefix}".rstrip("/")

    def _objects_of(self, page: Mapping[str, Any]) -> list[StoredObject]:
        """Return the objects of an answer, which takes three times the memory that they take."""
        return [
            StoredObject(
                key=found["Key"].removeprefix(self.root),
                size=found["Size"],
                etag=found["ETag"].strip('"'),
                changed_at=found["LastModified"],
            )
            for found in page.get("Contents", ())
        ]

    def _pages(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        start = {"StartAfter": self.root + after} if after else {}
        with translated_errors(self._place(prefix)):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(**self._wanted(prefix), **start):
                yield from self._objects_of(page)

    def _folders(self, prefix: str) -> list[StoredObject | str]:
        """Return, in byte order, objects and prefixes of the first level with several entries.

        Empty where that level alone takes several pages.
        """
        while True:
            with translated_errors(self._place(prefix)):
                page = self.client.list_objects_v2(**self._wanted(prefix), Delimiter="/")
            if page["IsTruncated"]:
                return []
            inside = [
                found["Prefix"].removeprefix(self.root) for found in page.get("CommonPrefixes", ())
            ]
            objects = self._objects_of(page)
            if len(inside) == 1 and not objects:
                prefix = inside[0]
                continue
            # In byte order, all keys below a prefix stand at the place of the prefix.
            return sorted([*inside, *objects], key=lambda found: _key(found).encode())

    def _side_by_side(self, found: list[StoredObject | str]) -> Iterator[StoredObject]:
        """Yield the objects of `found` and those below its prefixes, listing several at once."""

        def below(prefix: str) -> list[StoredObject]:
            return list(self._pages(prefix))

        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="list")
        try:
            waiting = deque(
                pool.submit(below, one) if isinstance(one, str) else one for one in found
            )
            while waiting:
                one = waiting.popleft()
                if isinstance(one, Future):
                    yield from one.result()
                else:
                    yield one
        finally:
            pool.shutdown(cancel_futures=True)


def _key(found: StoredObject | str) -> str:
    return found if isinstance(found, str) else found.key
