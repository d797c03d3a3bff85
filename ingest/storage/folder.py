"""A folder as a storage: durable writes, put-if-absent by hard links, links followed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ingest.errors import ObjectChanged, ObjectUnreadable, SettingsError, StorageError, remedy_for
from ingest.storage.protocol import NOT_REGULAR, StoredObject

# What a file system answers to link() when it has no hard links (FAT, some network mounts).
_NO_HARD_LINKS = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
_DENIED = frozenset((errno.EACCES, errno.EPERM))
_REMEDIES = {
    errno.ENOENT: "the file or the target of its link is gone: restore it or remove the link",
    errno.ELOOP: "a loop of symbolic links: remove it",
    errno.ENOSPC: remedy_for(errno.ENOSPC),
    errno.EROFS: "the file system is read-only: choose another folder",
}


class FolderStorage:
    """A folder; the etag of a file is `<size>-<mtime_ns>`, which an edit can leave as it was."""

    etag_tells_content = False

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self.uri = str(self._root)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Follow symbolic links, except those that lead back to a folder above."""
        pending: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
        while pending:
            key, above = pending.pop()
            if not _concerns(key, prefix, after):
                continue
            if key and not key.endswith("/"):
                yield self._stored(key)
                continue
            try:
                here = _identity(self._path(key))
                if here in above:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                pending += [(child, above | {here}) for child in _children(self._path(key), key)]
            except FileNotFoundError:
                continue
            except OSError as error:
                yield StoredObject(key=key, size=0, etag="", problem=_explain(error))

    def stat(self, key: str) -> StoredObject:
        stored = self._stored(key)
        if stored.problem is not None:
            raise ObjectUnreadable(f"{self._path(key)}: {stored.problem}")
        return stored

    def read(
        self, key: str, start: int = 0, end: int | None = None, *, etag: str | None = None
    ) -> bytes:
        path = self._path(key)
        with _translated(path, ObjectUnreadable), _opened(path) as handle:
            self._check(path, handle, etag)
            stop = os.fstat(handle).st_size if end is None else end
            data = _read_fully(handle, start, stop)
            self._check(path, handle, etag)
        if len(data) != max(0, stop - start):
            raise ObjectChanged(f"{path}: shorter than when it was listed")
        return data

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with _translated(path, StorageError):
            self._make_folder(path.parent)
            spool = _write_beside(path, data)
            spool.replace(path)
            self._sync_folders(path.parent)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Link a finished temporary file to its name, which fails if the name is taken.

        Neither a rename (it overwrites) nor O_EXCL (a crash leaves half a file) would do.
        Raises SettingsError on a file system without hard links.
        """
        path = self._path(key)
        with _translated(path, StorageError):
            self._make_folder(path.parent)
            spool = _write_beside(path, data)
            try:
                created = _link(spool, path)
            finally:
                spool.unlink()
            self._sync_folders(path.parent)
        return created

    def spool(self, key: str) -> Path:
        """Return the final path itself: nobody reads it before a record names it."""
        path = self._path(key)
        with _translated(path, StorageError):
            self._make_folder(path.parent)
        return path

    def upload(self, spool: Path, key: str) -> None:
        path = self._path(key)
        with _translated(path, StorageError):
            if spool != path:
                self._make_folder(path.parent)
                shutil.move(spool, path)
            _sync(path)
            self._sync_folders(path.parent)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the files; folders that become empty stay."""
        for key in keys:
            path = self._path(key)
            with _translated(path, StorageError), suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()

    def _path(self, key: str) -> Path:
        return self._root / key

    def _stored(self, key: str) -> StoredObject:
        try:
            found = os.stat(f"{self.uri}/{key}")  # noqa: PTH116 - a Path costs more than the call
        except OSError as error:
            return StoredObject(key=key, size=0, etag="", problem=_explain(error))
        if not stat.S_ISREG(found.st_mode):
            return StoredObject(key=key, size=0, etag="", problem=NOT_REGULAR)
        return StoredObject(
            key=key, size=found.st_size, etag=_etag(found), changed_at=_changed_at(found)
        )

    def _check(self, path: Path, handle: int, etag: str | None) -> None:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ObjectUnreadable(f"{path}: {NOT_REGULAR}")
        if etag is not None and _etag(found) != etag and not _has_grown(etag, found):
            raise ObjectChanged(f"{path}: changed while it was read; the next run reads it again")

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    def _sync_folders(self, folder: Path) -> None:
        """Force the folders from `folder` up to the root to disk: each may be new."""
        while folder != self._root and self._root in folder.parents:
            _sync(folder)
            folder = folder.parent
        _sync(self._root)


def _concerns(key: str, prefix: str, after: str) -> bool:
    """Return whether `key`, or for a folder (`x/`) anything in it, can be asked for."""
    if key == "" or key.endswith("/"):
        inside = key.startswith(prefix) or prefix.startswith(key)
        return inside and (os.fsencode(key) > os.fsencode(after) or after.startswith(key))
    return key.startswith(prefix) and os.fsencode(key) > os.fsencode(after)


def _children(folder: Path, key: str) -> list[str]:
    """Return the keys in `folder`, folders with `/`, last in byte order first."""
    with os.scandir(folder) as found:
        keys = [f"{key}{entry.name}{'/' if _is_folder(entry) else ''}" for entry in found]
    return sorted(keys, key=os.fsencode, reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links: it is listed with its problem
        return False


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _etag(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _has_grown(etag: str, found: os.stat_result) -> bool:
    """Return whether the file is larger than `etag` says: a log that is written to.

    Its first bytes are still the same, unless another file took its place: who reads logs compares
    fingerprints as well.
    """
    listed, _, _ = etag.partition("-")
    return listed.isdigit() and found.st_size > int(listed)


def _changed_at(found: os.stat_result) -> datetime | None:
    try:
        return datetime.fromtimestamp(found.st_mtime, tz=UTC)
    except (OverflowError, ValueError, OSError):  # a file system may say anything
        return None


def _explain(error: OSError, *, reading: bool = True) -> str:
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    if error.errno in _DENIED:
        remedy = "check its permissions" if reading else "make it writable"
    return f"{reason} ({remedy})" if remedy else reason


@contextmanager
def _translated(path: Path, kind: type[StorageError]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reading = kind is ObjectUnreadable
        raise kind(f"{path}: {_explain(error, reading=reading)}") from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # Without O_NONBLOCK, opening a pipe would wait for its writer.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _read_fully(handle: int, start: int, stop: int) -> bytes:
    """Return bytes [start, stop), fewer only at the end of the file: pread may stop early."""
    blocks = []
    while start < stop and (block := os.pread(handle, stop - start, start)):
        blocks.append(block)
        start += len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _write_beside(path: Path, data: bytes) -> Path:
    spool = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with spool.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        spool.unlink(missing_ok=True)
        raise
    return spool


def _link(spool: Path, path: Path) -> bool:
    try:
        os.link(spool, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            raise SettingsError(
                f"{path.parent}: this file system has no hard links, which the lake needs so that"
                " each batch number is taken only once; put the lake on another file system"
            ) from error
        raise
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
