"""Copies in a source whose keys never change: the same stored bytes under another key."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ingest.errors import ObjectError, ObjectUnavailable
from ingest.job.follow import Copy, New, Unreadable
from ingest.lake.identity import FINGERPRINT_BYTES, fingerprint, read_content_hash
from ingest.lake.ownership import Ownership
from ingest.parse.peek import Content
from ingest.storage import Storage, StoredObject

# Small objects: nearly all the time is waiting for S3's answer.
_AT_ONCE = 16
# Objects of one size that are no copies of each other nearly always differ in these.
_FIRST_BYTES = 64 << 10

# Length of a head in bytes -> the heads of that length; None = one that is not known.
Heads = Mapping[int, Collection[str | None]]
Seen = TypeVar("Seen")


def split_copies(
    new: Iterable[New], known: Ownership, root: Storage
) -> tuple[list[New], list[Copy], list[Unreadable]]:
    """Split `new`, which lie in `root`: new stored bytes, copies of another object, unavailable.

    Only objects of a size that occurs elsewhere are looked at, and read whole only where their
    first 64 KiB may be another's too. Empty objects are never copies. One that is denied or gone
    counts as new: its task says so. One that is not given for now may be a copy, so it has to wait.
    """
    new = list(new)
    looker = _Looker()
    digests = _digests([one.found for one in new if one.found.size], known, root, looker)
    originals: dict[tuple[int, str | None], str] = {}
    for log in known.where("content_hash", set(digests.values())):
        originals.setdefault((log.size, log.content_hash), log.key)
    fresh, copies = [], []
    for one in new:
        found = one.found
        digest = digests.get(found.key)
        original = originals.setdefault((found.size, digest), found.key) if digest else found.key
        if original != found.key:
            copies.append(Copy(found=found, original=original))
        elif found.key not in looker.unavailable:
            fresh.append(one)
    return fresh, copies, [*looker.unavailable.values()]


class _Looker:
    """Looks at many objects at once; `unavailable` are those not given for now, by key."""

    def __init__(self) -> None:
        self.unavailable: dict[str, Unreadable] = {}

    def each(
        self, look: Callable[[StoredObject], Seen], objects: Collection[StoredObject]
    ) -> dict[str, Seen]:
        """Return what `look` returns, by key, without the objects that cannot be read."""

        def attempt(found: StoredObject) -> Seen | ObjectError:
            try:
                return look(found)
            except ObjectError as error:
                return error

        seen = {}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copies") as pool:
            for found, what in zip(objects, pool.map(attempt, objects), strict=True):
                if isinstance(what, ObjectUnavailable):
                    self.unavailable[found.key] = Unreadable(found=found, reason=str(what))
                elif not isinstance(what, ObjectError):
                    seen[found.key] = what
        return seen


def _digests(
    objects: Collection[StoredObject], known: Ownership, root: Storage, looker: _Looker
) -> dict[str, str]:
    """Return the content hashes of those of `objects` that may be copies or have them, by key."""
    repeated = Counter(found.size for found in objects)
    sizes = _known_sizes(known) if objects else set()
    doubtful = [found for found in objects if repeated[found.size] > 1 or found.size in sizes]
    large = [found for found in doubtful if found.size > _FIRST_BYTES]
    heads = _known_heads(known, {found.size for found in large} & sizes)
    begun = looker.each(lambda found: _begin(found, root, heads.get(found.size, {})), large)
    alike = Counter((found.size, begun[found.key].hash) for found in large if found.key in begun)

    def is_suspect(found: StoredObject) -> bool:
        if found.size <= _FIRST_BYTES:
            return True
        beginning = begun.get(found.key)
        return beginning is not None and (
            beginning.may_be_known or alike[found.size, beginning.hash] > 1
        )

    return looker.each(partial(read_content_hash, root), [*filter(is_suspect, doubtful)])


class _Beginning(NamedTuple):
    """What the first bytes of an object tell."""

    hash: str
    may_be_known: bool


def _begin(found: StoredObject, root: Storage, heads: Heads) -> _Beginning:
    first = root.read(found.key, 0, _FIRST_BYTES, etag=found.etag)
    return _Beginning(hashlib.sha256(first).hexdigest(), _may_be_known(first, heads))


def _may_be_known(first: bytes, heads: Heads) -> bool:
    """Return whether an object that begins with `first` may be one of those with `heads`."""
    opening = Content(lambda start, end: first[start:end], len(first)).opening
    return any(
        # Of a compressed object, the first bytes may hold too little content to tell.
        len(opening) < length or None in known or fingerprint(opening[:length]) in known
        for length, known in heads.items()
    )


def _known_sizes(known: Ownership) -> set[int]:
    """Return the stored sizes of the logs that were read in one go."""
    return {
        size
        for table in known.tables(["size", "content_hash"])
        for size in pc.unique(table.filter(pc.is_valid(table["content_hash"]))["size"]).to_pylist()
    }


def _known_heads(known: Ownership, sizes: Collection[int]) -> Mapping[int, Heads]:
    """Return by stored size the heads of the logs of these `sizes` that were read in one go."""
    heads: dict[int, dict[int, set[str | None]]] = defaultdict(lambda: defaultdict(set))
    wanted = pa.array(sizes, pa.int64())
    for table in known.tables(["size", "content_hash", "consumed", "head"]) if sizes else ():
        is_read = pc.is_valid(table["content_hash"])
        is_wanted = pc.and_(is_read, pc.is_in(table["size"], value_set=wanted))
        for row in table.filter(is_wanted).to_pylist():
            heads[row["size"]][min(FINGERPRINT_BYTES, row["consumed"])].add(row["head"])
    return heads
