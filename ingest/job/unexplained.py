"""What of a listing the ledger does not explain, and the logs that may have to do with it.

A listing has a million objects and the ledger as many logs, nearly all of which lie just where they
were. To follow logs takes an object of each, so those that cannot matter are left out before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ingest.errors import ObjectError
from ingest.job.follow import Unreadable
from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES, fingerprint
from ingest.lake.ownership import Log, Ownership, holders
from ingest.parse.peek import Content
from ingest.storage import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """What `follow` is to look at: given only these, it decides the same as given all.

    `unreadable` could not be looked at, and are not among the objects.
    """

    objects: Sequence[StoredObject]
    logs: Sequence[Log]
    unreadable: Sequence[Unreadable]


def find_unexplained(
    objects: Mapping[str, StoredObject],
    known: Ownership,
    *,
    look: Callable[[StoredObject], Content],
    name_of: Callable[[str], str],
    rotation: bool,
) -> Unexplained:
    """Return what of `objects`, all that lies in a source now by key, is not as it is `known`.

    With it come the logs of the same keys and names, with `rotation` those whose content begins in
    the same way, and the objects that they lie in. `look` and `name_of` are those of `follow`.
    """
    doubtful = _doubtful_keys(objects, known)
    logs = known.where("key", doubtful)
    places = holders(logs)
    keys = {key for key in doubtful if not (key in places and places[key].lies_in(objects[key]))}
    if not keys:
        return Unexplained(objects=(), logs=(), unreadable=())
    logs += _with_names(known, {name_of(key) for key in keys})
    unreadable: list[Unreadable] = []
    if rotation and (sizes := _head_sizes(known)):
        openings, unreadable = _openings((objects[key] for key in keys), look)
        logs += _beginning_alike(known, openings, sizes)
    wanted = {*keys, *(log.key for log in logs)}.difference(one.found.key for one in unreadable)
    return Unexplained(
        objects=[objects[key] for key in wanted if key in objects],
        logs=list({log.name: log for log in logs}.values()),
        unreadable=unreadable,
    )


def _doubtful_keys(objects: Mapping[str, StoredObject], known: Ownership) -> set[str]:
    """Return the keys where no log lies just as it is known, or where several were seen."""
    unseen, doubtful = dict(objects), set()
    for table in known.tables(["key", "size", "etag", "waiting_bytes"]):
        columns = (column.to_pylist() for column in table.columns)
        for key, size, etag, waiting_bytes in zip(*columns, strict=True):
            found = unseen.pop(key, None)
            if found is None:
                if key in objects:
                    doubtful.add(key)
            elif size != found.size or etag != found.etag or waiting_bytes:
                doubtful.add(key)
    return doubtful.union(unseen)


def _with_names(known: Ownership, firsts: Collection[str]) -> list[Log]:
    """Return the logs with one of these names, and the later generations: first@digits."""
    wanted = pa.array(list(firsts), pa.string())

    def choose(table: pa.Table) -> pa.Array:
        names = table["name"]
        parts = pc.split_pattern(names, "@", max_splits=1, reverse=True)
        return pc.or_(
            pc.is_in(names, value_set=wanted),
            pc.is_in(pc.list_element(parts, 0), value_set=wanted),
        )

    # An A is greater than any @.
    span = min(firsts), max(f"{first}A" for first in firsts)
    return known.select(["name"], choose, span=span)


def _head_sizes(known: Ownership) -> set[int]:
    """Return the lengths in bytes of the heads of the logs."""
    sizes: set[int] = set()
    for table in known.tables(["consumed"]):
        heads = pc.min_element_wise(table["consumed"], FINGERPRINT_BYTES)
        sizes.update(pc.unique(heads).to_pylist())
    return sizes - {0}


def _openings(
    objects: Iterable[StoredObject], look: Callable[[StoredObject], Content]
) -> tuple[list[bytes], list[Unreadable]]:
    """Return the first bytes of the content of `objects`, and what cannot be read."""
    openings: list[bytes] = []
    unreadable: list[Unreadable] = []
    for found in objects:
        try:
            openings.append(look(found).opening)
        except ObjectError as error:
            unreadable.append(Unreadable(found=found, reason=str(error)))
    return openings, unreadable


def _beginning_alike(
    known: Ownership, openings: Collection[bytes], sizes: Collection[int]
) -> list[Log]:
    """Return the logs that one of `openings` may continue, and those that may hold a copy of it.

    `sizes` are those of the heads.
    """
    heads = {fingerprint(data[:size]) for data in openings for size in sizes if size <= len(data)}
    begins = {fingerprint(data[:OPENING_BYTES]) for data in openings if data}
    return known.where("head", heads) + known.where("opening", begins)
