"""List the objects of a source, and name what lies in it.

There is no look-back window: a source is listed whole each time, so an object that comes late is
read like any other.
"""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from ingest.contract import EVENTS
from ingest.errors import SettingsError
from ingest.settings import Source
from ingest.storage import NOT_REGULAR, Storage, StoredObject, open_storage

_log = logging.getLogger(__name__)
# source_file is the identity of its events: it is never cut, unlike other texts.
_MAX_NAME_BYTES = (EVENTS.column("source_file").width or 0) - len("@0123456789ab-99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A raw object that could not be read, and why; the next run tries it again."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A raw object whose content lies under the key `original` too; not ingested."""

    key: str
    original: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The raw objects of one source at one moment, by key. Keys are relative to `root`.

    `special` are the keys of what has no bytes at rest, such as a pipe or a link to a device.
    """

    source: Source
    root: Storage
    objects: Mapping[str, StoredObject]
    failed: tuple[Failed, ...]
    special: tuple[str, ...]


def local_path(uri: str) -> Path | None:
    """Return the absolute path, links resolved, that `uri` names; None when it is not local."""
    parts = urlsplit(uri)
    if "://" in uri and parts.scheme != "file":
        return None
    return Path(unquote(parts.path) if "://" in uri else uri).resolve()


def check_places(sources: Sequence[Source], lake: str) -> None:
    """Raise SettingsError when a source and the lake, or two sources, overlap.

    Else the lake's own files would be read as logs, or every log twice.
    """
    places = [(f"source {source.name}", source.uri) for source in sources]
    places.append(("the lake", lake))
    for index, (name, uri) in enumerate(places):
        for other, around in places[:index]:
            if _have_patterns(uri, around):
                continue  # `check_listed_once` looks at what they fit
            if _overlap(_place(uri), _place(around)):
                raise SettingsError(
                    f"{other} ({around}) and {name} ({uri}) overlap: use separate folders"
                )


def _place(uri: str) -> PurePath:
    return _split(uri)[0]


def _have_patterns(*uris: str) -> bool:
    return all(_split(uri)[1] for uri in uris)


def _split(uri: str) -> tuple[PurePath, str]:
    """Return the place of `uri` as a path, s3://bucket/logs as s3:/bucket/logs, and its pattern."""
    path = local_path(uri)
    if path is not None:
        return _split_pattern(path)
    root, pattern = _split_bucket(uri)
    return PurePosixPath(root), pattern


def _overlap(one: PurePath, other: PurePath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def list_source(source: Source) -> Listing:
    """Return what lies in `source` now: all of a place, what a pattern fits, or one single object.

    Objects that cannot be read are in `failed`. Raises SettingsError when the place is missing.
    """
    root, pattern = open_source(source)
    objects: dict[str, StoredObject] = {}
    failed: list[Failed] = []
    special: list[str] = []
    for found in root.list(_fixed_prefix(pattern)):
        if pattern and not fits(pattern, found.key):
            continue
        if found.problem == NOT_REGULAR:
            special.append(utf8_text(found.key))
        elif problem := found.problem or _name_problem(source, root, found.key):
            failed.append(Failed(key=utf8_text(found.key), reason=problem))
        else:
            objects[found.key] = found
    if not (objects or failed or special) and local_path(source.uri) is None:
        _log.warning("source %s: nothing lies at %s", source.name, source.uri)
    return Listing(
        source=source, root=root, objects=objects, failed=tuple(failed), special=tuple(special)
    )


def sharing_a_place(sources: Sequence[Source]) -> list[Source]:
    """Return the sources whose pattern is at work where another one's is."""
    return [
        one
        for one in sources
        if any(
            _have_patterns(one.uri, other.uri) and _overlap(_place(one.uri), _place(other.uri))
            for other in sources
            if other is not one
        )
    ]


def check_listed_once(listings: Sequence[Listing]) -> None:
    """Raise SettingsError when the patterns of two sources fit the same file."""
    seen: dict[str, str] = {}
    for listing in listings:
        for key in listing.objects:
            other = seen.setdefault(f"{listing.root.uri}/{key}", listing.source.name)
            if other != listing.source.name:
                raise SettingsError(
                    f"sources {other} and {listing.source.name} both list {key} in"
                    f" {listing.root.uri}: change one of their patterns"
                )


def log_name(source: Source, root: Storage, key: str) -> str:
    """Return the name of the first log at `key`: what its events call `source_file`.

    Two servers may have the same paths, so the source is part of the name; a bucket has its own.
    """
    place = root.uri if root.uri.startswith("s3://") else source.name
    return f"{place}/{key}"


def fits(pattern: str, key: str) -> bool:
    """Return whether `key` fits the glob `pattern`; `*` stays within a folder, `**` does not."""
    return _fits(pattern.split("/"), key.split("/"))


def _fits(pattern: Sequence[str], key: Sequence[str]) -> bool:
    if not pattern or not key:
        return not pattern and not key
    if pattern[0] == "**":
        return any(_fits(pattern[1:], key[skipped:]) for skipped in range(len(key)))
    return fnmatchcase(key[0], pattern[0]) and _fits(pattern[1:], key[1:])


def _fixed_prefix(pattern: str) -> str:
    """Return what every key that fits `pattern` begins with."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def utf8_text(key: str) -> str:
    """Return `key` as UTF-8 text, with other bytes as \\xNN."""
    return key.encode(errors="surrogateescape").decode(errors="backslashreplace")


def open_source(source: Source) -> tuple[Storage, str]:
    """Return where `source` lies, and the pattern that its keys fit ("" = all of them).

    Raises SettingsError when the place is missing.
    """
    place = open_place(source.uri)
    if place is None:
        raise SettingsError(
            f"source {source.name}: there is no folder {_place(source.uri)}; create it, or"
            " correct the uri in clickstream.toml (or CLICKSTREAM_RAW)"
        )
    return place


def open_place(uri: str) -> tuple[Storage, str] | None:
    """Return what `uri` names as `open_source` does, None when it is a folder that is missing."""
    path = local_path(uri)
    if path is None:
        return _open_bucket(uri)
    folder, pattern = _split_pattern(path)
    if not pattern and folder.is_file():
        return open_storage(str(folder.parent)), glob.escape(folder.name)
    return (open_storage(str(folder)), pattern) if folder.is_dir() else None


def _open_bucket(uri: str) -> tuple[Storage, str]:
    """Return what `uri` names: a prefix, a pattern, or, where nothing lies below it, one object."""
    place, pattern = _split_bucket(uri)
    root = open_storage(place)
    folder, _, name = place.rpartition("/")
    if pattern or uri.endswith("/") or folder.count("/") < 2 or next(iter(root.list()), None):
        return root, pattern
    above = open_storage(folder)
    if any(found.key == name for found in above.list(name)):
        return above, glob.escape(name)
    return root, ""


def _split_bucket(uri: str) -> tuple[str, str]:
    """Return the place above the first part of `uri` that is a pattern, and the pattern."""
    scheme, _, rest = uri.partition("://")
    parts = rest.split("/")
    for index, part in enumerate(parts):
        if index and glob.has_magic(part):
            return f"{scheme}://{'/'.join(parts[:index])}", "/".join(parts[index:])
    return uri.rstrip("/"), ""


def _split_pattern(path: Path) -> tuple[Path, str]:
    """Return the folder above the first part that is a pattern, and the pattern."""
    if path.exists():
        return path, ""
    for index, part in enumerate(path.parts):
        if glob.has_magic(part):
            return Path(*path.parts[:index]), "/".join(path.parts[index:])
    return path, ""


def _name_problem(source: Source, root: Storage, key: str) -> str | None:
    raw = log_name(source, root, key).encode(errors="surrogateescape")
    if len(raw) > _MAX_NAME_BYTES:
        return f"its path is longer than {_MAX_NAME_BYTES} bytes: shorten it"
    if utf8_text(key) != key:
        return "its name is not UTF-8: rename it"
    return None
