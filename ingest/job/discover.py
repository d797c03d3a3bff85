"""Find raw objects that no sealed batch owns, and group them into the next batch to read.

There is no look-back window: a source is listed whole each time, so an object that comes late is
read like any other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.contract import EVENTS
from ingest.errors import SettingsError, StorageError
from ingest.lake.ownership import Owned, Ownership
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
    """The raw objects of one source at one moment. `root` is where their keys are relative to."""

    source: Source
    root: Storage
    entries: Mapping[str, StoredObject]
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The objects of one batch to be read, by key, and the ids of the batches it replaces."""

    entries: tuple[StoredObject, ...]
    replaces: tuple[str, ...] = ()


def local_path(uri: str) -> Path | None:
    """Return the absolute path, links resolved, that `uri` names; None when it is not local."""
    parts = urlsplit(uri)
    if "://" in uri and parts.scheme != "file":
        return None
    return Path(unquote(parts.path) if "://" in uri else uri).resolve()


def check_places(sources: Sequence[Source], lake: str) -> None:
    """Raise SettingsError when a source and the lake, or two sources, lie in one another.

    Else the lake's own files would be read as logs, or every log twice.
    """
    places = [(f"source {source.name}", local_path(source.uri)) for source in sources]
    places.append(("the lake", local_path(lake)))
    for index, (name, path) in enumerate(places):
        for other, around in places[:index]:
            if path and around and (path in (around, *around.parents) or around in path.parents):
                raise SettingsError(
                    f"{other} ({around}) and {name} ({path}) lie in one another; "
                    "give each a folder of its own"
                )


def list_source(source: Source) -> Listing:
    """Return what lies in `source` now: a folder, or one single file.

    Objects that cannot be read are in `failed`. Raises SettingsError when the place is missing.
    """
    root, prefix = open_source(source)
    entries: dict[str, StoredObject] = {}
    failed: list[Failed] = []
    for entry in root.list(prefix):
        if prefix and entry.key != prefix:
            continue
        if problem := entry.problem or _name_problem(entry.key):
            failed.append(Failed(source_file=utf8_text(entry.key), reason=problem))
        elif entry.size or not entry.key.endswith("/"):  # S3 consoles make such "folders"
            entries[entry.key] = entry
    return Listing(source=source, root=root, entries=entries, failed=tuple(failed))


def utf8_text(key: str) -> str:
    """Return `key` as UTF-8 text, bytes that are none as \\xNN."""
    return key.encode(errors="surrogateescape").decode(errors="backslashreplace")


def open_source(source: Source) -> tuple[Storage, str]:
    """Return where `source` lies, and the key of its one object ("" = all of them).

    Raises SettingsError when the place is missing.
    """
    path = local_path(source.uri)
    if path is None:
        return open_storage(source.uri), ""
    if path.is_file():
        return open_storage(str(path.parent)), path.name
    if not path.is_dir():
        raise SettingsError(
            f"source {source.name}: there is no folder {path}; make it, or correct the uri in"
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


def check_collisions(
    listings: Sequence[Listing], ownership: Ownership, *, configured: Collection[str]
) -> None:
    """Raise SettingsError when two sources hold the same key: event ids are made from it.

    `configured` are the names of all sources, listed now or not: what came from a source that
    was renamed meanwhile is no collision.
    """
    seen: dict[str, str] = {}
    for listing in listings:
        name = listing.source.name
        for key, entry in listing.entries.items():
            other = seen.setdefault(key, name)
            owned = ownership.live.get(key)
            if other == name and owned and owned.source in configured and not _same(owned, entry):
                other = owned.source
            if other != name:
                raise SettingsError(
                    f"sources {other} and {name} both have {key}: the path within its source is"
                    " what identifies an event; set the uri of one of them to a folder higher, or"
                    " rename the file"
                )


def find_changed(listing: Listing, ownership: Ownership) -> dict[str, list[str]]:
    """Return the keys that came again with another size or etag, by the batch that owns them."""
    changed = defaultdict(list)
    for key, entry in listing.entries.items():
        owned = ownership.live.get(key)
        if owned and not _same(owned, entry):
            changed[owned.batch_id].append(key)
    return dict(changed)


def replacement(batch_id: str, listing: Listing, ownership: Ownership) -> Batch | str:
    """Return the batch that reads again all objects of `batch_id`.

    Returns the key of an object that is gone, if one is: without it, its events would be lost.
    """
    keys = [key for key, owned in ownership.live.items() if owned.batch_id == batch_id]
    for key in keys:
        if key not in listing.entries:
            return key
    entries = sorted((listing.entries[key] for key in keys), key=_by_key)
    return Batch(entries=tuple(entries), replaces=(batch_id,))


def find_new(listing: Listing, ownership: Ownership, *, leave: set[str]) -> list[StoredObject]:
    """Return the objects that nobody owns, by key, but for the keys in `leave`."""
    return [
        entry
        for key, entry in listing.entries.items()
        if key not in ownership.live and key not in leave
    ]


def split_duplicates(
    entries: Iterable[StoredObject],
    ownership: Ownership,
    content_hash: Callable[[StoredObject], str],
) -> tuple[list[StoredObject], list[Duplicate]]:
    """Return the entries with bytes that are new, and those whose bytes have come before.

    Only objects of a size that occurs elsewhere are read. Empty objects are never duplicates, and
    one that cannot be read counts as new: its task says what is wrong with it.
    """
    known: dict[int, dict[str, str]] = defaultdict(dict)
    for owned in ownership.live.values():
        if owned.content_hash:
            known[owned.size].setdefault(owned.content_hash, owned.source_file)
    entries = list(entries)
    sizes = _repeated(entry.size for entry in entries) | set(known)
    fresh, duplicates = [], []
    for entry in entries:
        digest = _try_hash(entry, content_hash) if entry.size and entry.size in sizes else None
        original = known[entry.size].setdefault(digest, entry.key) if digest else entry.key
        if original == entry.key:
            fresh.append(entry)
        else:
            duplicates.append(Duplicate(source_file=entry.key, original=original))
    return fresh, duplicates


def capped(
    entries: Sequence[StoredObject], *, max_objects: int = MAX_OBJECTS, max_bytes: int = MAX_BYTES
) -> tuple[StoredObject, ...]:
    """Return the first of `entries`, at least one, that fit into one batch."""
    size = 0
    for index, entry in enumerate(entries[:max_objects]):
        size += entry.size
        if size > max_bytes and index:
            return tuple(entries[:index])
    return tuple(entries[:max_objects])


def _same(owned: Owned, entry: StoredObject) -> bool:
    return (owned.size, owned.etag) == (entry.size, entry.etag)


def _by_key(entry: StoredObject) -> bytes:
    return entry.key.encode()


def _repeated(sizes: Iterable[int]) -> set[int]:
    return {size for size, times in Counter(sizes).items() if times > 1}


def _try_hash(entry: StoredObject, content_hash: Callable[[StoredObject], str]) -> str | None:
    try:
        return content_hash(entry)
    except StorageError:
        return None
