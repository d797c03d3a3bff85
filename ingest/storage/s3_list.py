"""Lists an S3 prefix in byte order; a large one in several places at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ingest.storage.s3_client import translated_errors

_AT_ONCE = 8
_PAGE_KEYS = 1_000
# With more folders than this, the prefix is listed page by page: a folder costs a request.
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
    with translated_errors(place):
        first = client.list_objects_v2(**wanted)
    # Given before anything else is asked: whoever wants to know whether there is one stops here.
    found = first.get("Contents", [])
    yield from found
    if not first["IsTruncated"]:
        return
    last = found[-1]["Key"] if found else after
    folders = [] if after else _folders(client, bucket, prefix)
    if 1 < len(folders) <= _MOST_FOLDERS:
        every = _side_by_side(client, bucket, folders)
        yield from (one for one in every if one["Key"].encode() > last.encode())
    else:
        yield from _pages(client, {**wanted, "StartAfter": last}, place)


def _pages(client: Any, wanted: Mapping[str, Any], place: str) -> Iterator[Entry]:
    with translated_errors(place):
        for page in client.get_paginator("list_objects_v2").paginate(**wanted):
            yield from page.get("Contents", [])


def _folders(client: Any, bucket: str, prefix: str) -> list[Entry | str]:
    """Return, in byte order, objects and prefixes of the first level with more than one entry.

    Empty where that level alone takes several pages.
    """
    while True:
        with translated_errors(f"s3://{bucket}/{prefix}"):
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
        # In byte order, all keys below a prefix stand at the place of the prefix.
        return sorted([*inside, *objects], key=lambda found: _key(found).encode())


def _key(found: Entry | str) -> str:
    return found if isinstance(found, str) else str(found["Key"])


def _side_by_side(client: Any, bucket: str, found: list[Entry | str]) -> Iterator[Entry]:
    """Yield the objects of `found` and those below its prefixes, listing several at once."""

    def below(prefix: str) -> list[Entry]:
        wanted = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE_KEYS}
        return list(_pages(client, wanted, f"s3://{bucket}/{prefix}"))

    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="list")
    try:
        waiting = deque(pool.submit(below, one) if isinstance(one, str) else one for one in found)
        while waiting:
            one = waiting.popleft()
            if isinstance(one, Future):
                yield from one.result()
            else:
                yield one
    finally:
        pool.shutdown(cancel_futures=True)
