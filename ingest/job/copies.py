"""Copies in a source whose keys never change: the same stored bytes under another key."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from ingest.errors import ObjectError
from ingest.job.follow import Copy, New
from ingest.lake.ownership import Log
from ingest.storage import StoredObject


def split_copies(
    new: Iterable[New], logs: Iterable[Log], content_hash: Callable[[StoredObject], str]
) -> tuple[list[New], list[Copy]]:
    """Return what of `new` has stored bytes that are new, and what has those of another object.

    Only objects of a size that occurs elsewhere are read. Empty objects are never copies, and
    one that cannot be read counts as new: its task says what is wrong with it.
    """
    new = list(new)
    known: dict[int, dict[str, str]] = defaultdict(dict)
    for log in logs:
        if log.content_hash:
            known[log.size].setdefault(log.content_hash, log.key)
    repeated = Counter(one.found.size for one in new)
    fresh, copies = [], []
    for one in new:
        found = one.found
        digest = None
        if found.size and (repeated[found.size] > 1 or found.size in known):
            digest = _try_hash(found, content_hash)
        original = known[found.size].setdefault(digest, found.key) if digest else found.key
        if original == found.key:
            fresh.append(one)
        else:
            copies.append(Copy(found=found, original=original))
    return fresh, copies


def _try_hash(found: StoredObject, content_hash: Callable[[StoredObject], str]) -> str | None:
    try:
        return content_hash(found)
    except ObjectError:
        return None
