"""What every storage does the same, and how one is opened."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.storage import CountingStorage

from ingest.errors import ObjectChanged, ObjectUnreadable, SettingsError
from ingest.storage import SCHEMES, Storage, open_storage
from ingest.storage.folder import FolderStorage
from ingest.storage.reader import ObjectReader


@pytest.fixture(params=["folder", "memory"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, in_memory: Callable[[str], Storage]
) -> Storage:
    """An empty storage of each kind."""
    if request.param == "memory":
        return in_memory("store")
    return open_storage(str(tmp_path / "store"))


def _put(store: Storage, *keys: str) -> None:
    for key in keys:
        store.put(key, b"x")


def _keys(store: Storage, prefix: str = "", after: str = "") -> list[str]:
    return [found.key for found in store.list(prefix, after=after)]


def test_list_is_in_byte_order_and_not_in_folder_order(store: Storage) -> None:
    _put(
        store,
        "a/b",
        "a.log",
        "a-1",
        "é",
        "Z",
        "_x",
        ".hidden",
        "a/a/a",
        "blank +.log",
        "\U0001f600",
    )
    assert _keys(store) == [
        ".hidden", "Z", "_x", "a-1", "a.log", "a/a/a", "a/b", "blank +.log", "é", "\U0001f600",
    ]  # fmt: skip


def test_list_of_prefix_and_after(store: Storage) -> None:
    _put(store, "batches/1", "batches/2", "batches/3", "batch", "events/x/y")
    assert _keys(store, "batches/", after="batches/1") == ["batches/2", "batches/3"]
    assert _keys(store, "bat") == ["batch", "batches/1", "batches/2", "batches/3"]
    assert _keys(store, after="batches/2") == ["batches/3", "events/x/y"]
    assert _keys(store, "batches/", after="batches/25") == ["batches/3"]
    assert _keys(store, "nothing/") == []


def test_list_of_what_does_not_exist_is_empty(store: Storage) -> None:
    assert _keys(store) == []


def test_an_object_is_listed_as_stat_describes_it(store: Storage) -> None:
    store.put("a", b"12345")
    (found,) = store.list()
    assert (found.key, found.size, found.problem) == ("a", 5, None)
    assert found.etag
    assert store.stat("a") == found


def test_read_of_ranges(store: Storage) -> None:
    store.put("a", b"0123456789")
    etag = store.stat("a").etag
    assert store.read("a") == b"0123456789"
    assert store.read("a", 3, 6, etag=etag) == b"345"
    assert store.read("a", 8) == b"89"
    assert store.read("a", 4, 4) == b""
    with pytest.raises(ObjectChanged, match="shorter"):
        store.read("a", 8, 11)


def test_another_version_has_another_etag_and_is_noticed(store: Storage) -> None:
    store.put("a", b"one")
    etag = store.stat("a").etag
    store.put("a", b"on")
    assert store.stat("a").etag != etag
    with pytest.raises(ObjectChanged, match="changed while"):
        store.read("a", 0, 3, etag=etag)


@pytest.mark.parametrize("key", ["b", "a/b", "fold"])
def test_what_is_not_there_cannot_be_read(store: Storage, key: str) -> None:
    _put(store, "a", "folder/a")
    with pytest.raises(ObjectUnreadable):
        store.read(key, 0, 0)
    with pytest.raises(ObjectUnreadable):
        store.stat(key)


def test_put_replaces_and_put_if_absent_does_not(store: Storage) -> None:
    store.put("deep/er/a", b"one")
    store.put("deep/er/a", b"two")
    assert not store.put_if_absent("deep/er/a", b"three")
    assert store.put_if_absent("deep/er/b", b"four")
    assert (store.read("deep/er/a"), store.read("deep/er/b")) == (b"two", b"four")
    assert _keys(store) == ["deep/er/a", "deep/er/b"]  # no temporary file is left


def test_one_of_many_writers_wins_with_whole_bytes(store: Storage) -> None:
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


def test_upload_from_the_spool_and_from_elsewhere(store: Storage, tmp_path: Path) -> None:
    spool = store.spool("events/part/a.parquet")
    spool.write_bytes(b"rows")
    store.upload(spool, "events/part/a.parquet")
    other = tmp_path / "other"
    other.write_bytes(b"more")
    store.upload(other, "dead/b")
    assert store.read("events/part/a.parquet") == b"rows"
    assert store.read("dead/b") == b"more"
    assert not other.exists()


def test_two_attempts_at_one_key_have_spools_in_folders_that_exist(store: Storage) -> None:
    for content in (b"first", b"second"):
        spool = store.spool("events/a")
        spool.write_bytes(content)
        store.upload(spool, "events/a")
    assert store.read("events/a") == b"second"


def test_delete_removes_what_is_named_and_nothing_else(store: Storage) -> None:
    _put(store, "a/1", "a/2", "a.log", "b")
    store.delete(["a/1", "b"])
    assert _keys(store) == ["a.log", "a/2"]


def test_deleting_a_missing_object_is_not_an_error(store: Storage) -> None:
    _put(store, "a")
    store.delete(["none", "deep/none", "a/below", "a", "a"])
    store.delete([])
    assert _keys(store) == []


def test_what_was_deleted_is_absent_again(store: Storage) -> None:
    _put(store, "a")
    store.delete(["a"])
    with pytest.raises(ObjectUnreadable, match="gone"):
        store.read("a")
    assert store.put_if_absent("a", b"new")
    assert store.read("a") == b"new"


# --- an object as a file -------------------------------------------------------------------------


def test_a_reader_seeks_and_reads_only_what_is_asked_for(store: Storage) -> None:
    store.put("a", b"0123456789")
    counting = CountingStorage(store)
    reader = ObjectReader(counting, "a")
    assert reader.seek(-4, os.SEEK_END) == 6
    assert reader.read(3) == b"678"
    assert reader.tell() == 9
    assert reader.seek(-2, os.SEEK_CUR) == 7
    assert reader.read(99) == b"789"
    assert reader.read(1) == b""
    assert reader.seek(2) == 2
    assert reader.read() == b"23456789"
    assert counting.ranges == [(6, 9), (7, 10), (2, 10)]


def test_a_reader_notices_another_version(store: Storage) -> None:
    store.put("a", b"0123456789")
    reader = ObjectReader(store, "a")
    store.put("a", b"shorter")
    with pytest.raises(ObjectChanged):
        reader.read(3)


def test_a_reader_of_nothing(store: Storage) -> None:
    with pytest.raises(ObjectUnreadable):
        ObjectReader(store, "a")


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["{}", "file://{}", "file://localhost{}"])
def test_a_folder_is_opened_by_its_path_or_uri(uri: str, tmp_path: Path) -> None:
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
def test_what_cannot_be_opened(uri: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_storage(uri)


def test_a_relative_path_is_relative_to_the_folder_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert open_storage("lake").uri == str(tmp_path / name / "lake")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Register the scheme `counted`; gives the process of each opening."""
    processes: list[int] = []

    def factory(_: str) -> Storage:
        processes.append(os.getpid())
        return FolderStorage(tmp_path)

    monkeypatch.setitem(SCHEMES, "counted", factory)
    return processes


def test_a_process_opens_a_uri_once(opened: list[int], tmp_path: Path) -> None:
    uri = f"counted://once{tmp_path}"
    assert open_storage(uri) is open_storage(uri)
    assert open_storage(f"{uri}/other") is not open_storage(uri)
    assert opened == [os.getpid()] * 2


def test_a_forked_process_opens_its_own(opened: list[int], tmp_path: Path) -> None:
    uri = f"counted://fork{tmp_path}"
    open_storage(uri)
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()

    def child() -> None:
        open_storage(uri)
        open_storage(uri)
        answer.put(opened)

    process = context.Process(target=child)
    process.start()
    process.join(timeout=30)
    assert answer.get() == [os.getpid(), process.pid]
