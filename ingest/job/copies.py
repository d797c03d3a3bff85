"""Copies in a source whose keys never change: the same stored bytes under another key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow.compute as pc

from ingest.errors import ObjectError
from ingest.job.follow import Copy, New
from ingest.lake.ownership import Ownership
from ingest.storage import StoredObject

# Small objects: nearly all the time is waiting for S3's answer.
_AT_ONCE = 16


def split_copies(
    new: Iterable[New], known: Ownership, content_hash: Callable[[StoredObject], str]
) -> tuple[list[New], list[Copy]]:
    """Split `new` into objects whose stored bytes are new, and copies of another object.

    Only objects of a size that occurs elsewhere are read. Empty objects are never copies, and
    one that cannot be read counts as new: its task says what is wrong with it.
    """
    new = list(new)
    repeated = Counter(one.found.size for one in new)
    sizes = _known_sizes(known) if new else set()
    doubtful = [
        one.found
        for one in new
        if one.found.size and (repeated[one.found.size] > 1 or one.found.size in sizes)
    ]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copies") as pool:
        hashes = pool.map(lambda found: _try_hash(found, content_hash), doubtful)
        digests = {found.key: digest for found, digest in zip(doubtful, hashes, strict=True)}
    originals: dict[tuple[int, str | None], str] = {}
    for log in known.where("content_hash", {digest for digest in digests.values() if digest}):
        originals.setdefault((log.size, log.content_hash), log.key)
    fresh, copies = [], []
    for one in new:
        found = one.found
        digest = digests.get(found.key)
        original = originals.setdefault((found.size, digest), found.key) if digest else found.key
        if original == found.key:
            fresh.append(one)
        else:
            copies.append(Copy(found=found, original=original))
    return fresh, copies


def _known_sizes(known: Ownership) -> set[int]:
    """Return the stored sizes of the logs that were read in one go."""
    return {
        size
        for table in known.tables(["size", "content_hash"])
        for size in pc.unique(table.filter(pc.is_valid(table["content_hash"]))["size"]).to_pylist()
    }


def _try_hash(found: StoredObject, content_hash: Callable[[StoredObject], str]) -> str | None:
    try:
        return content_hash(found)
    except ObjectError:
        return None
