"""The end of a driver's log, which may be late, incomplete or hostile."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest

from ingest.emr import logs
from ingest.emr.logs import log_tail, without_secrets


def test_the_last_lines_of_either_stream(tmp_path: Path) -> None:
    (tmp_path / "stderr.gz").write_bytes(gzip.compress(b"a\r\nb\n") + gzip.compress(b"c\n"))
    (tmp_path / "stdout.gz").write_bytes(gzip.compress(b"{}"))
    assert log_tail(str(tmp_path), "stderr", lines=2) == ["b", "c"]
    assert log_tail(str(tmp_path), "stderr", lines=9) == ["a", "b", "c"]
    assert log_tail(str(tmp_path), "stdout", lines=9) == ["{}"]


def test_one_that_is_not_there(tmp_path: Path) -> None:
    assert log_tail(str(tmp_path), "stderr", lines=9) is None


def test_one_that_comes_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_DELAY_SECONDS", 0.01)
    content = gzip.compress(b"late\n")

    def write() -> None:
        (tmp_path / "part").write_bytes(content)
        (tmp_path / "part").rename(tmp_path / "stderr.gz")

    timer = threading.Timer(0.1, write)
    timer.start()
    assert log_tail(str(tmp_path), "stderr", lines=9, patience_seconds=30) == ["late"]
    timer.join()


def test_what_is_behind_a_broken_end_is_left_out(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(b"line %d\n" % n for n in range(9)))
    (tmp_path / "stderr.gz").write_bytes(content + content[: len(content) // 2])
    assert (log_tail(str(tmp_path), "stderr", lines=100) or [])[:9] == [
        f"line {n}" for n in range(9)
    ]
    (tmp_path / "stderr.gz").write_bytes(b"no gzip")
    assert log_tail(str(tmp_path), "stderr", lines=100) == []


def test_it_moves_no_cursor(tmp_path: Path) -> None:
    (tmp_path / "stderr.gz").write_bytes(gzip.compress(b"\x1b[2J\xff\n"))
    assert log_tail(str(tmp_path), "stderr", lines=1) == ["\\x1b[2J\ufffd"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "GET https://b.example/k?X-Amz-Credential=AKIA&X-Amz-Signature=0f HTTP",
            "GET https://b.example/k?... HTTP",
        ),
        ("https://b/k?AWSAccessKeyId=AK&Signature=x'", "https://b/k?...'"),
        ("at https://me:hunter2@host/x", "at https://host/x"),
        ("https://b/k?page=2 s3://bucket/a@b", "https://b/k?page=2 s3://bucket/a@b"),
    ],
)
def test_secrets_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
