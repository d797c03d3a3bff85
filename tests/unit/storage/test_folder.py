"""What only a folder has: links, pipes, denied files, full disks. The rest is in test_storage."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.errors import ObjectChanged, ObjectUnreadable, SettingsError, StorageError
from ingest.storage.folder import FolderStorage

NOBODY = 65534


@pytest.fixture
def store(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "store")


def _write(store: FolderStorage, *keys: str) -> None:
    for key in keys:
        path = Path(store.uri) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@contextmanager
def _as_nobody(*folders: Path) -> Iterator[None]:
    """Permissions do not bind root: become another user where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    for folder in folders:
        folder.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_etag_is_size_and_mtime(store: FolderStorage) -> None:
    _write(store, "a")
    os.utime(Path(store.uri) / "a", ns=(0, 1_700_000_000_123_456_789))
    assert store.stat("a").etag == "1-1700000000123456789"


def test_names_that_are_not_utf8_keep_their_bytes(store: FolderStorage) -> None:
    _write(store, "ok")
    with open(os.fsencode(store.uri) + b"/caf\xe9.log", "wb") as file:  # noqa: PTH123
        file.write(b"hello")
    (found, _) = store.list()
    assert os.fsencode(found.key) == b"caf\xe9.log"
    assert store.read(found.key) == b"hello"


def test_links_are_followed_but_not_in_circles(store: FolderStorage) -> None:
    _write(store, "logs/a")
    root = Path(store.uri)
    (root / "logs" / "up").symlink_to(root)
    (root / "again").symlink_to(root / "logs")
    found = {one.key: one.problem for one in store.list()}
    assert found["logs/a"] is None
    assert found["again/a"] is None
    assert "loop" in str(found["logs/up/"])
    assert "loop" in str(found["again/up/"])


def test_what_cannot_be_read_is_listed_with_its_problem(store: FolderStorage) -> None:
    _write(store, "good")
    root = Path(store.uri)
    (root / "circle").symlink_to("circle")
    (root / "gone").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    found = {one.key: one.problem for one in store.list()}
    assert found.pop("good") is None
    assert "loop" in str(found["circle"])
    assert "target of its link is gone" in str(found["gone"])
    assert "not a regular file" in str(found["pipe"])
    for key in found:
        with pytest.raises(ObjectUnreadable):
            store.stat(key)
        with pytest.raises(ObjectUnreadable):
            store.read(key)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_denied_folders_and_files_say_what_to_do(open_folder: Path) -> None:
    store = FolderStorage(open_folder)
    _write(store, "locked/a", "secret", "z")
    (open_folder / "locked").chmod(0)
    (open_folder / "secret").chmod(0)
    with _as_nobody(open_folder):
        found = {one.key: one.problem for one in store.list()}
        with pytest.raises(ObjectUnreadable, match=r"secret.*\(check its permissions\)"):
            store.read("secret")
    (open_folder / "locked").chmod(0o755)
    assert list(found) == ["locked/", "secret", "z"]
    assert "check its permissions" in str(found["locked/"])


def test_a_folder_that_may_not_be_written_says_what_to_do(open_folder: Path) -> None:
    store = FolderStorage(open_folder)
    with _as_nobody(open_folder), pytest.raises(StorageError, match=r"\(make it writable\)"):
        store.put_if_absent("lake.json", b"{}")


def test_a_touched_file_is_another_version(store: FolderStorage) -> None:
    store.put("a", b"one")
    etag = store.stat("a").etag
    os.utime(Path(store.uri) / "a", ns=(0, 0))
    with pytest.raises(ObjectChanged, match="changed while"):
        store.read("a", 0, 3, etag=etag)


def test_a_folder_is_not_an_object(store: FolderStorage) -> None:
    _write(store, "folder/a")
    with pytest.raises(ObjectUnreadable, match="not a regular file"):
        store.read("folder")
    with pytest.raises(StorageError, match="folder: "):
        store.delete(["folder"])
    assert store.read("folder/a") == b"x"


def test_what_may_not_be_deleted_says_what_to_do(open_folder: Path) -> None:
    store = FolderStorage(open_folder)
    _write(store, "a")
    with _as_nobody(open_folder), pytest.raises(StorageError, match=r"a: .*\(make it writable\)"):
        store.delete(["a"])
    assert store.read("a") == b"x"


def test_no_hard_links_is_a_setting_to_correct(
    store: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(SettingsError, match="no hard links"):
        store.put_if_absent("lake.json", b"{}")
    assert list(store.list()) == []


def test_a_full_disk_is_a_storage_error(
    store: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="free some space"):
        store.put("a", b"x")


def test_a_lake_where_there_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        FolderStorage(tmp_path / "file").put_if_absent("lake.json", b"{}")
