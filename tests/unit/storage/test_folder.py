"""The local storage: order, links, pipes, unreadable files, and writing once."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.errors import ObjectChanged, ObjectUnreadable, SettingsError, StorageError
from ingest.storage import open_storage
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


def _keys(store: FolderStorage, prefix: str = "", after: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix, after=after)]


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


def test_list_is_in_byte_order_and_not_in_folder_order(store: FolderStorage) -> None:
    _write(store, "a/b", "a.log", "a-1", "é", "Z", "_x", ".hidden", "a/a/a", "blank +.log")
    assert _keys(store) == [
        ".hidden", "Z", "_x", "a-1", "a.log", "a/a/a", "a/b", "blank +.log", "é",
    ]  # fmt: skip


def test_list_of_prefix_and_after(store: FolderStorage) -> None:
    _write(store, "batches/1", "batches/2", "batches/3", "batch", "events/x/y")
    assert _keys(store, "batches/", after="batches/1") == ["batches/2", "batches/3"]
    assert _keys(store, "bat") == ["batch", "batches/1", "batches/2", "batches/3"]
    assert _keys(store, after="batches/2") == ["batches/3", "events/x/y"]
    assert _keys(store, "nothing/") == []


def test_list_of_a_folder_that_does_not_exist_is_empty(store: FolderStorage) -> None:
    assert _keys(store) == []


def test_entry_has_size_and_etag_of_size_and_mtime(store: FolderStorage) -> None:
    _write(store, "a")
    os.utime(Path(store.uri) / "a", ns=(0, 1_700_000_000_123_456_789))
    (entry,) = store.list()
    assert (entry.size, entry.etag, entry.problem) == (1, "1-1700000000123456789", None)
    assert store.stat("a") == entry


def test_names_that_are_not_utf8_keep_their_bytes(store: FolderStorage) -> None:
    _write(store, "ok")
    with open(os.fsencode(store.uri) + b"/caf\xe9.log", "wb") as file:  # noqa: PTH123
        file.write(b"hello")
    (entry, _) = store.list()
    assert os.fsencode(entry.key) == b"caf\xe9.log"
    assert store.read(entry.key) == b"hello"


def test_links_are_followed_but_not_in_circles(store: FolderStorage) -> None:
    _write(store, "logs/a")
    root = Path(store.uri)
    (root / "logs" / "up").symlink_to(root)
    (root / "again").symlink_to(root / "logs")
    found = {entry.key: entry.problem for entry in store.list()}
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
    found = {entry.key: entry.problem for entry in store.list()}
    assert found.pop("good") is None
    assert "loop" in str(found["circle"])
    assert "target is gone" in str(found["gone"])
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
        found = {entry.key: entry.problem for entry in store.list()}
        with pytest.raises(ObjectUnreadable, match=r"secret.*right to read"):
            store.read("secret")
    (open_folder / "locked").chmod(0o755)
    assert list(found) == ["locked/", "secret", "z"]
    assert "right to read" in str(found["locked/"])


def test_a_folder_that_may_not_be_written_says_what_to_do(open_folder: Path) -> None:
    store = FolderStorage(open_folder)
    with _as_nobody(open_folder), pytest.raises(StorageError, match=r"right to write"):
        store.put_if_absent("lake.json", b"{}")


def test_read_of_ranges(store: FolderStorage) -> None:
    store.put("a", b"0123456789")
    etag = store.stat("a").etag
    assert store.read("a") == b"0123456789"
    assert store.read("a", 3, 6, etag=etag) == b"345"
    assert store.read("a", 8) == b"89"
    assert store.read("a", 4, 4) == b""
    with pytest.raises(ObjectChanged, match="shorter"):
        store.read("a", 8, 11)


def test_read_notices_another_version(store: FolderStorage) -> None:
    store.put("a", b"one")
    etag = store.stat("a").etag
    store.put("a", b"two")
    os.utime(Path(store.uri) / "a", ns=(0, 0))
    with pytest.raises(ObjectChanged, match="changed while"):
        store.read("a", 0, 3, etag=etag)


def test_read_of_nothing_and_of_a_folder(store: FolderStorage) -> None:
    _write(store, "folder/a")
    with pytest.raises(ObjectUnreadable, match="gone"):
        store.read("b")
    with pytest.raises(ObjectUnreadable, match="not a regular file"):
        store.read("folder")


def test_put_replaces_and_put_if_absent_does_not(store: FolderStorage) -> None:
    store.put("deep/er/a", b"one")
    store.put("deep/er/a", b"two")
    assert not store.put_if_absent("deep/er/a", b"three")
    assert store.put_if_absent("deep/er/b", b"four")
    assert (store.read("deep/er/a"), store.read("deep/er/b")) == (b"two", b"four")
    assert _keys(store) == ["deep/er/a", "deep/er/b"]  # no temporary file is left


def test_one_of_many_writers_wins_with_whole_bytes(store: FolderStorage) -> None:
    wins: list[int] = []
    start = threading.Barrier(8)

    def write(writer: int) -> None:
        start.wait()
        if store.put_if_absent("a", bytes([writer]) * 100_000):
            wins.append(writer)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert store.read("a") == bytes(wins) * 100_000


def test_no_hard_links_is_a_setting_to_correct(
    store: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(SettingsError, match="no hard links"):
        store.put_if_absent("lake.json", b"{}")
    assert _keys(store) == []


def test_a_full_disk_is_a_storage_error(
    store: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="make room"):
        store.put("a", b"x")


def test_a_lake_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        FolderStorage(tmp_path / "file").put_if_absent("lake.json", b"{}")


def test_upload_from_the_spool_and_from_elsewhere(store: FolderStorage, tmp_path: Path) -> None:
    spool = store.spool("events/part/a.parquet")
    spool.write_bytes(b"rows")
    store.upload(spool, "events/part/a.parquet")
    other = tmp_path / "other"
    other.write_bytes(b"more")
    store.upload(other, "dead/b")
    assert store.read("events/part/a.parquet") == b"rows"
    assert store.read("dead/b") == b"more"
    assert not other.exists()


@pytest.mark.parametrize("uri", ["{}", "file://{}", "file://localhost{}"])
def test_open_storage_of_a_folder(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    text = str(folder) if uri == "{}" else str(folder).replace(" ", "%20")
    assert open_storage(uri.format(text)).uri == str(folder)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://bucket/prefix", "not supported yet"),
        ("hdfs://host/folder", "unknown scheme 'hdfs'"),
        ("file://host/folder", "no host"),
    ],
)
def test_open_storage_refuses(uri: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_storage(uri)
