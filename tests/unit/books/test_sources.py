"""Logs that lie in a source are compared with what was read of them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fixtures.storage import MemoryStorage

from ingest.books.sources import source_check
from ingest.job.replay import Choice
from ingest.job.run import RunTasks, ingest, replay
from ingest.lake.checks import Check
from ingest.lake.records import read_log
from ingest.settings import Settings, Source
from ingest.storage import Storage, open_storage

MIDDLE = 5000  # behind the first 4 KiB of a log of LINES, before its last


@dataclass(frozen=True, kw_only=True)
class Place:
    """A source `raw`, ingested whenever a test says so."""

    settings: Settings
    run_tasks: RunTasks
    raw: Path

    def write(self, name: str, content: bytes) -> None:
        (self.raw / name).write_bytes(content)

    def ingest(self) -> None:
        ingest(self.settings, self.run_tasks)

    def edit(self, name: str, offset: int) -> None:
        """Change one byte in place, as an editor that keeps the time would."""
        path = self.raw / name
        times = path.stat()
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def check(self, *, whole: bool) -> tuple[Check, list[str]]:
        records = read_log(open_storage(self.settings.lake))
        return source_check(self.settings, records, whole=whole)


@pytest.fixture
def place(make_settings: Callable[[], Settings], run_tasks_here: RunTasks) -> Place:
    settings = make_settings()
    raw = Path(settings.sources[0].uri)
    return Place(settings=settings, run_tasks=run_tasks_here, raw=raw)


@pytest.fixture
def lines(access_lines: Callable[..., bytes]) -> bytes:
    content = access_lines(200)
    assert len(content) > 2 * MIDDLE
    return content


@pytest.mark.parametrize("whole", [False, True])
def test_what_was_read_in_parts_is_compared_as_a_whole(
    place: Place, lines: bytes, *, whole: bool
) -> None:
    half = lines.index(b"\n", MIDDLE) + 1
    place.write("a.log", lines[:half])
    place.ingest()
    place.write("a.log", lines)
    place.ingest()

    check, notes = place.check(whole=whole)

    assert (check.expected, check.found, notes) == (1, 1, [])


@pytest.mark.parametrize(("offset", "whole", "seen"), [
    (10, False, True), (-10, False, True), (MIDDLE, False, False), (MIDDLE, True, True),
    (-10, True, True),
])  # fmt: skip
def test_a_changed_byte_is_seen(
    place: Place, lines: bytes, offset: int, *, whole: bool, seen: bool
) -> None:
    place.write("a.log", lines)
    place.write("b.log", lines.replace(b"203.0.113.", b"198.51.100."))
    place.ingest()
    place.edit("a.log", offset)

    check, _ = place.check(whole=whole)

    assert check.ok is not seen
    if seen:
        assert (check.expected, check.detail) == (2, "a.log: not what was read")


def test_what_is_compressed_is_read_only_on_request(place: Place, lines: bytes) -> None:
    place.write("a.log.gz", gzip.compress(lines))
    place.ingest()

    check, notes = place.check(whole=False)
    assert (check.expected, notes) == (
        0, ["1 compressed file not compared: verify --sources reads all"],
    )  # fmt: skip
    check, notes = place.check(whole=True)
    assert (check.expected, check.found, notes) == (1, 1, [])


def test_what_changed_since_is_left_to_the_next_ingest(place: Place, lines: bytes) -> None:
    place.write("a.log", lines)
    place.ingest()
    place.write("a.log", lines * 2)

    check, notes = place.check(whole=True)

    assert check.expected == 0
    assert notes == ["1 log changed since the last ingest: not compared"]


def test_a_later_generation_and_a_correction_are_what_counts(place: Place, lines: bytes) -> None:
    place.write("a.log", lines)
    place.ingest()
    later = lines.replace(b"/2024:", b"/2025:")
    assert later != lines
    place.write("a.log", later)
    place.ingest()
    place.write("a.log", lines[:MIDDLE])
    replay(place.settings, place.run_tasks, Choice(key="a.log"))

    check, notes = place.check(whole=True)

    assert (check.expected, check.found, notes) == (1, 1, [])


def test_a_source_that_is_gone_is_noted(place: Place, lines: bytes) -> None:
    place.write("a.log", lines)
    place.ingest()
    place.raw.rename(place.raw.with_name("elsewhere"))

    check, (note,) = place.check(whole=False)

    assert check.ok
    assert note.startswith("source raw was not compared: ")


def test_where_the_etag_tells_content_nothing_is_read_again_unless_asked(
    place: Place,
    lines: bytes,
    in_memory: Callable[[str], Storage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that reads each old object again would cost two requests for each, for ever."""
    raw = in_memory("raw")
    raw.put("a.log", lines)
    sources = (Source(name="raw", uri=raw.uri, rotation=False),)
    there = replace(place, settings=replace(place.settings, sources=sources))
    there.ingest()

    with monkeypatch.context() as patched:
        patched.delattr(MemoryStorage, "read")
        check, notes = there.check(whole=False)

    assert (check.expected, check.found) == (0, 0)
    assert notes == [
        "1 object in S3 still with the etag that was read: verify --sources reads all bytes"
    ]
    check, notes = there.check(whole=True)
    assert (check.expected, check.found, notes) == (1, 1, [])
