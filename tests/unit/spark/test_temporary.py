"""What killed processes left in the temporary folder is deleted unless it is in use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.spark import temporary
from ingest.spark.temporary import clear_temporary, share_temporary

# Works in the folder given as argument as another process would, says so, waits for stdin.
WORK = """
import sys
from pathlib import Path
from ingest.spark.temporary import share_temporary
share_temporary(Path(sys.argv[1]))
print("working", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Release what the test shared."""
    monkeypatch.setattr(temporary, "_shared", {})
    yield
    for lock in temporary._shared.values():
        lock.close()


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A folder of a killed JVM, with something in it."""
    folder = tmp_path / "spark-tmp" / "spark-5f1b"
    (folder / "userFiles").mkdir(parents=True)
    (folder.parent / "liblz4-java.so").touch()
    return folder


def test_what_a_killed_process_left_is_deleted(tmp_path: Path, left: Path) -> None:
    clear_temporary(tmp_path)

    assert [path.name for path in left.parent.iterdir()] == [".lock"]


def test_only_the_link_is_deleted_and_not_what_it_points_at(tmp_path: Path, left: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (left.parent / "link").symlink_to(elsewhere)

    clear_temporary(tmp_path)

    assert not (left.parent / "link").is_symlink()
    assert elsewhere.is_dir()


def test_what_a_link_in_its_place_points_at_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "disk" / "photos"
    theirs.mkdir(parents=True)
    (tmp_path / "spark-tmp").symlink_to("disk")

    clear_temporary(tmp_path)

    assert theirs.is_dir()


def test_a_folder_of_another_name_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "tmp" / "thesis"
    theirs.mkdir(parents=True)

    clear_temporary(tmp_path)

    assert theirs.is_dir()


def test_nothing_is_deleted_while_another_process_works_there(tmp_path: Path, left: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        clear_temporary(tmp_path)
        assert left.is_dir()
        share_temporary(tmp_path)  # any number may work there
        process.communicate()


def test_sharing_twice_is_sharing_once(tmp_path: Path) -> None:
    share_temporary(tmp_path)
    share_temporary(tmp_path)

    assert len(temporary._shared) == 1
