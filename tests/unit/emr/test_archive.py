"""The archive: the same bytes for the same content, wherever and whenever it is made."""

from __future__ import annotations

import os
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from ingest.emr.archive import write_archive


def wheel(folder: Path, name: str, contents: dict[str, str]) -> Path:
    """Write a wheel with `contents` in their order, as of now."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in contents.items():
            archive.writestr(zipfile.ZipInfo(inside, time.localtime()[:6]), text)
    return path


A = {"a/__init__.py": "1", "a-1.0.dist-info/METADATA": "Name: a"}
B = {
    "b.py": "2",
    "b-1.0.data/platlib/b_c.so": "3",
    "b-1.0.data/scripts/run": "no",
    "b-1.0.data/headers/b.h": "no",
}
FILES = {"ingest/x.py": b"4", "clickstream.toml": b""}


def test_wheels_and_files_lie_side_by_side(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, "a", A), wheel(tmp_path, "b", B)]
    write_archive(tmp_path / "deps.tar.gz", wheels, FILES)
    with tarfile.open(tmp_path / "deps.tar.gz") as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    assert found == {
        "a/__init__.py": b"1",
        "a-1.0.dist-info/METADATA": b"Name: a",
        "b.py": b"2",
        "b_c.so": b"3",
        **FILES,
    }


def test_its_bytes_depend_on_content_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    first = [wheel(one, "a", A), wheel(one, "b", B)]
    write_archive(one / "x.tar.gz", first, FILES)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    old = os.umask(0o077)
    second = [wheel(two, "b", dict(reversed(B.items()))), wheel(two, "a", A)]
    write_archive(two / "y.tar.gz", second, dict(reversed(FILES.items())))
    os.umask(old)
    assert (one / "x.tar.gz").read_bytes() == (two / "y.tar.gz").read_bytes()
    write_archive(two / "z.tar.gz", second, {**FILES, "ingest/x.py": b"5"})
    assert (two / "z.tar.gz").read_bytes() != (two / "y.tar.gz").read_bytes()
