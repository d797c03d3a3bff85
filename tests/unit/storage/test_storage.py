"""What a folder and a storage in memory do, and how a storage is opened."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.storage_suite import StorageSuite

from ingest.errors import SettingsError
from ingest.storage import SCHEMES, Storage, open_storage
from ingest.storage.folder import FolderStorage


class TestFolder(StorageSuite):
    """A folder that does not exist at first."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Storage:
        return open_storage(str(tmp_path / "store"))


class TestMemory(StorageSuite):
    """What the other unit tests use in its place."""

    @pytest.fixture
    def store(self, in_memory: Callable[[str], Storage]) -> Storage:
        return in_memory("store")


@pytest.mark.parametrize("uri", ["{}", "file://{}", "file://localhost{}"])
def test_a_folder_is_opened_by_its_path_or_uri(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    text = str(folder) if uri == "{}" else str(folder).replace(" ", "%20")
    assert open_storage(uri.format(text)).uri == str(folder)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://Bucket_1/prefix", "not a valid S3 location"),
        ("s3://b/l", "a bucket has 3 to 63 lower-case letters"),
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
