"""A bucket of a million objects that exist as their listing only, a page at a time."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.sealed import LINE
from ingest.storage import StoredObject

_FOLDER = "AWSLogs/123456789012/elasticloadbalancing/eu-central-1"
_NAME = "123456789012_elasticloadbalancing_eu-central-1_app.shop.50dc6c495c0c9188"
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_NODES = 8  # each writes a file every five minutes
_AFTER_ALL = "\U0010ffff"


def key_of(number: int) -> str:
    """Return the key of object `number`, as a classic load balancer calls it; they ascend."""
    at = _FIRST + timedelta(minutes=5 * (number // _NODES))
    node = f"192.0.2.{number % _NODES}"
    return f"{_FOLDER}/{at:%Y/%m/%d}/{_NAME}_{at:%Y%m%dT%H%MZ}_{node}_{number:08x}.log"


def etag_of(number: int) -> str:
    """Return the etag of object `number`: 32 digits, as an MD5 has."""
    return hashlib.sha256(b"%d" % number).hexdigest()[:32]


def content_of(number: int) -> bytes:
    """Return the bytes of object `number`: one line, so that very many have the same size."""
    return LINE % number


def stored(number: int) -> StoredObject:
    """Return object `number` as the product's listing has it."""
    return StoredObject(
        key=key_of(number), size=len(content_of(number)), etag=etag_of(number), changed_at=_FIRST
    )


@dataclass
class PagedBucket:
    """What the product asks of an S3 client, for a bucket of `count` objects.

    `requests` counts the pages that were asked for. Nothing is kept: an entry is made when its
    page is.
    """

    count: int
    requests: int = 0

    def list_objects_v2(self, **wanted: Any) -> dict[str, Any]:
        """Answer like S3: up to `MaxKeys` entries below `Prefix`, after `StartAfter`."""
        self.requests += 1
        numbers = self._numbers(wanted.get("Prefix", ""), wanted.get("StartAfter", ""))
        if "Delimiter" in wanted:
            return self._folders(numbers, wanted["Prefix"])
        page = numbers[: wanted["MaxKeys"]]
        return {"Contents": list(map(_entry, page)), "IsTruncated": len(page) < len(numbers)}

    def get_paginator(self, _operation: str) -> PagedBucket:
        """Return what lists: this."""
        return self

    def paginate(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Yield page after page."""
        while True:
            page = self.list_objects_v2(**wanted)
            yield page
            if not page["IsTruncated"]:
                return
            wanted["StartAfter"] = page["Contents"][-1]["Key"]

    def head_object(self, *, Key: str, **_wanted: str) -> Mapping[str, Any]:  # noqa: N803
        """Answer like S3."""
        number = _number_of(Key)
        return {"ContentLength": len(content_of(number)), **_entry(number)}

    def get_object(self, *, Key: str, Range: str, **_wanted: str) -> Mapping[str, Any]:  # noqa: N803
        """Answer like S3."""
        number = _number_of(Key)
        bounds = re.fullmatch(r"bytes=(\d+)-(\d+)", Range)
        assert bounds is not None
        data = content_of(number)[int(bounds[1]) : int(bounds[2]) + 1]
        return {"ETag": f'"{etag_of(number)}"', "ContentLength": len(data), "Body": _Body(data)}

    def _numbers(self, prefix: str, after: str) -> range:
        """Return the numbers of the objects below `prefix` whose key is greater than `after`."""
        start = self._first_from(max(prefix, f"{after}\0" if after else ""))
        return range(start, max(start, self._first_from(prefix + _AFTER_ALL)))

    def _first_from(self, key: str) -> int:
        return bisect_left(range(self.count), key, key=key_of)

    def _folders(self, numbers: range, prefix: str) -> dict[str, Any]:
        found: list[dict[str, str]] = []
        at = numbers.start
        while at < numbers.stop:
            folder, slash, _ = key_of(at).removeprefix(prefix).partition("/")
            assert slash  # no object lies on a level of folders
            found.append({"Prefix": f"{prefix}{folder}/"})
            at = self._first_from(f"{prefix}{folder}/{_AFTER_ALL}")
        return {"CommonPrefixes": found, "IsTruncated": False}


@dataclass(frozen=True)
class _Body:
    data: bytes

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        yield self.data


def _number_of(key: str) -> int:
    return int(key.removesuffix(".log")[-8:], 16)


def _entry(number: int) -> dict[str, Any]:
    # A new object for each field, as an answer that was parsed has.
    return {
        "Key": key_of(number),
        "LastModified": _FIRST + timedelta(seconds=number),
        "ETag": f'"{etag_of(number)}"',
        "Size": len(content_of(number)),
        "StorageClass": "".join(("STAN", "DARD")),
    }
