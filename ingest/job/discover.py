"""Find raw objects that no sealed batch owns, and group them into the next batch to read.

There is no look-back window: each run lists a whole source, so an object that arrives late is read
like any other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from ingest.contract import EVENTS
from ingest.errors import ObjectUnreadable, SettingsError, StorageError
from ingest.lake.ownership import Ownership
from ingest.settings import Source
from ingest.storage import Storage, StoredObject, open_storage

# Caps of one batch, so that its record and its retry stay small; the rest goes into the next one.
MAX_OBJECTS = 10_000
MAX_BYTES = 100 << 30
# source_file is the identity of its events: it is never cut, unlike other texts.
_MAX_KEY_BYTES = EVENTS.column("source_file").width or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A raw object that could not be read, and why; the next run tries it again."""

    source_file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A raw object with the same bytes as `original`, under another key; not ingested."""

    source_file: str
    original: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The raw objects of one source at one moment, by key. Keys are relative to `root`."""

    source: Source
    root: Storage
    objects: Mapping[str, StoredObject]
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The objects of one batch to be read, in the order of their keys.

    `replaces` are the ids of the batches that are read again, because the objects with the keys
    `changed` have changed.
    """

    objects: tuple[StoredObject, ...]
    replaces: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def local_path(uri: str) -> Path | None:
    """Return the absolute path, links resolved, that `uri` names; None when it is not local."""
    parts = urlsplit(uri)
    if "://" in uri and parts.scheme != "file":
        return None
    return Path(unquote(parts.path) if "://" in uri else uri).resolve()


def check_places(sources: Sequence[Source], lake: str) -> None:
    """Raise SettingsError when a source and the lake, or two sources, overlap.

    Otherwise the lake's own files would be read as logs, or every log twice.
    """
    places = [(f"source {source.name}", source.uri) for source in sources]
    places.append(("the lake", lake))
    for index, (name, uri) in enumerate(places):
        for other, around in places[:index]:
            if _overlap(_place(uri), _place(around)):
                raise SettingsError(
                    f"{other} ({around}) and {name} ({uri}) overlap: use separate folders"
                )


def _place(uri: str) -> PurePath:
    """Return `uri` as a path to compare with others: s3://bucket/logs as s3:/bucket/logs."""
    return local_path(uri) or PurePosixPath(uri)


def _overlap(one: PurePath, other: PurePath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def list_source(source: Source) -> Listing:
    """Return what is in `source` now: a folder, or one single file.

    Objects that cannot be read are in `failed`. Raises SettingsError when the place is missing.
    """
    root, prefix = open_source(source)
    objects: dict[str, StoredObject] = {}
    failed: list[Failed] = []
    for found in root.list(prefix):
        if prefix and found.key != prefix:
            continue
        if problem := found.problem or _name_problem(found.key):
            failed.append(Failed(source_file=utf8_text(found.key), reason=problem))
        elif found.size or not found.key.endswith("/"):  # S3 consoles make such "folders"
            objects[found.key] = found
    return Listing(source=source, root=root, objects=objects, failed=tuple(failed))


def utf8_text(key: str) -> str:
    """Return `key` as UTF-8 text, with other bytes as \\xNN."""
    return key.encode(errors="surrogateescape").decode(errors="backslashreplace")


def open_source(source: Source) -> tuple[Storage, str]:
    """Return the storage of `source`, and the key of its one object ("" = all of them).

    Raises SettingsError when the place is missing.
    """
    path = local_path(source.uri)
    if path is None:
        return open_storage(source.uri), ""
    if path.is_file():
        return open_storage(str(path.parent)), path.name
    if not path.is_dir():
        raise SettingsError(
            f"source {source.name}: there is no folder {path}; create it, or correct the uri in"
            " clickstream.toml (or CLICKSTREAM_RAW)"
        )
    return open_storage(str(path)), ""


def _name_problem(key: str) -> str | None:
    raw = key.encode(errors="surrogateescape")
    if len(raw) > _MAX_KEY_BYTES:
        return f"its path is longer than {_MAX_KEY_BYTES} bytes: shorten it"
    if utf8_text(key) != key:
        return "its name is not UTF-8: rename it"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What a listing holds that the log of batches does not own yet.

    `new` are the objects that it does not know. `changed` maps the id of a batch to the keys that
    it owns and that now have another size or etag.
    """

    new: tuple[StoredObject, ...]
    changed: Mapping[str, Sequence[str]]


def match(listing: Listing, ownership: Ownership) -> Matched:
    """Compare `listing` with what the log owns: the one place that decides which bytes are new."""
    new: list[StoredObject] = []
    changed: dict[str, list[str]] = defaultdict(list)
    for key, stored in listing.objects.items():
        owned = ownership.live.get(key)
        if owned is None:
            new.append(stored)
        elif (owned.size, owned.etag) != (stored.size, stored.etag):
            changed[owned.batch_id].append(key)
    return Matched(new=tuple(new), changed=changed)


def check_collisions(
    listings: Sequence[Listing], ownership: Ownership, *, configured: Collection[str]
) -> None:
    """Raise SettingsError when two sources hold the same key: event ids are made from it.

    `configured` are the names of all sources, listed now or not: what came from a source that
    was renamed since then does not collide.
    """
    seen: dict[str, str] = {}
    for listing in listings:
        name = listing.source.name
        for key in listing.objects:
            _check_owner(key, seen.setdefault(key, name), name)
        for keys in match(listing, ownership).changed.values():
            for key in keys:
                owner = ownership.live[key].source
                if owner in configured:
                    _check_owner(key, owner, name)


def _check_owner(key: str, owner: str, source: str) -> None:
    if owner != source:
        raise SettingsError(
            f"sources {owner} and {source} both have {key}, but an event is identified by the path"
            " within its source: set the uri of one of them to the folder above, or rename the file"
        )


def replacement(
    batch_id: str, changed: Sequence[str], listing: Listing, ownership: Ownership
) -> Batch:
    """Return the batch that reads all objects of `batch_id` again, because `changed` have changed.

    Raises ObjectUnreadable when one of its objects is gone: without it, its events would be lost.
    """
    keys = [key for key, owned in ownership.live.items() if owned.batch_id == batch_id]
    for key in keys:
        if key not in listing.objects:
            raise ObjectUnreadable(f"{key} of the same batch is gone or unreadable: restore it")
    objects = sorted((listing.objects[key] for key in keys), key=_by_key)
    return Batch(objects=tuple(objects), replaces=(batch_id,), changed=tuple(changed))


def split_duplicates(
    objects: Iterable[StoredObject],
    ownership: Ownership,
    content_hash: Callable[[StoredObject], str],
) -> tuple[list[StoredObject], list[Duplicate]]:
    """Return the objects whose bytes are new, and those whose bytes are known already.

    Only objects of a size that occurs elsewhere are read. Empty objects are never duplicates, and
    one that cannot be read counts as new: its task says what is wrong with it.
    """
    known: dict[int, dict[str, str]] = defaultdict(dict)
    for owned in ownership.live.values():
        if owned.content_hash:
            known[owned.size].setdefault(owned.content_hash, owned.source_file)
    objects = list(objects)
    sizes = _repeated(stored.size for stored in objects) | set(known)
    fresh, duplicates = [], []
    for stored in objects:
        digest = _try_hash(stored, content_hash) if stored.size and stored.size in sizes else None
        original = known[stored.size].setdefault(digest, stored.key) if digest else stored.key
        if original == stored.key:
            fresh.append(stored)
        else:
            duplicates.append(Duplicate(source_file=stored.key, original=original))
    return fresh, duplicates


def capped(
    objects: Sequence[StoredObject], *, max_objects: int = MAX_OBJECTS, max_bytes: int = MAX_BYTES
) -> tuple[StoredObject, ...]:
    """Return the first of `objects`, at least one, that fit into one batch."""
    size = 0
    for index, stored in enumerate(objects[:max_objects]):
        size += stored.size
        if size > max_bytes and index:
            return tuple(objects[:index])
    return tuple(objects[:max_objects])


def _by_key(stored: StoredObject) -> bytes:
    return stored.key.encode()


def _repeated(sizes: Iterable[int]) -> set[int]:
    return {size for size, times in Counter(sizes).items() if times > 1}


def _try_hash(stored: StoredObject, content_hash: Callable[[StoredObject], str]) -> str | None:
    try:
        return content_hash(stored)
    except StorageError:
        return None
