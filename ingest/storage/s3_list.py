"""Lists an S3 prefix in byte order; a large one in several places at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ingest.storage.s3_client import answers

_AT_ONCE = 8
_PAGE_KEYS = 1_000
# More folders than this are listed as they come: each one costs a request of its own.
_MOST_FOLDERS = 256

Entry = Mapping[str, Any]


def entries(client: Any, bucket: str, prefix: str, after: str = "") -> Iterator[Entry]:
    """Yield what S3 says of each object below `prefix` whose key is greater than `after`.

    Raises SettingsError and StorageError.
    """
    wanted: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE_KEYS}
    if after:
        wanted["StartAfter"] = after
    place = f"s3://{bucket}/{prefix}".rstrip("/")
    with answers(place):
        first = client.list_objects_v2(**wanted)
    if not first["IsTruncated"]:
        yield from first.get("Contents", [])
        return
    folders = [] if after else _folders(client, bucket, prefix)
    if not 1 < len(folders) <= _MOST_FOLDERS:
        yield from _pages(client, wanted, place)
        return
    yield from _side_by_side(client, bucket, folders)


def _pages(client: Any, wanted: Mapping[str, Any], place: str) -> Iterator[Entry]:
    with answers(place):
        for page in client.get_paginator("list_objects_v2").paginate(**wanted):
            yield from page.get("Contents", [])


def _folders(client: Any, bucket: str, prefix: str) -> list[Entry | str]:
    """Return the objects and the prefixes of the first level that has more than one, in order.

    Empty where that level alone has several pages.
    """
    while True:
        with answers(f"s3://{bucket}/{prefix}"):
            page = client.list_objects_v2(
                Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=_PAGE_KEYS
            )
        if page["IsTruncated"]:
            return []
        inside = [found["Prefix"] for found in page.get("CommonPrefixes", [])]
        objects = page.get("Contents", [])
        if len(inside) == 1 and not objects:
            prefix = inside[0]
            continue
        # All keys below a prefix come where the prefix does.
        return sorted([*inside, *objects], key=lambda found: _key(found).encode())


def _key(found: Entry | str) -> str:
    return found if isinstance(found, str) else str(found["Key"])


def _side_by_side(client: Any, bucket: str, found: list[Entry | str]) -> Iterator[Entry]:
    """Yield the objects of `found`, and those below its prefixes, listing some ahead."""

    def below(prefix: str) -> list[Entry]:
        wanted = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE_KEYS}
        return list(_pages(client, wanted, f"s3://{bucket}/{prefix}"))

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="list") as pool:
        waiting: deque[Entry | Future[list[Entry]]] = deque()
        for one in found:
            waiting.append(pool.submit(below, one) if isinstance(one, str) else one)
        while waiting:
            next_one = waiting.popleft()
            if isinstance(next_one, Future):
                yield from next_one.result()
            else:
                yield next_one
