"""What discovery asks of an object before any task reads it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.job.look import earliest_time
from ingest.settings import ParseSettings
from ingest.storage import open_storage

LINE = b'192.0.2.1 - - [10/Oct/2024:%02d:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x"\n'


@pytest.mark.parametrize("hole", [0, 100, 5000, 200_000])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_earliest_time_is_found_behind_a_hole(
    tmp_path: Path, hole: int, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a.log").write_bytes(pack(bytes(hole) + LINE % 14 + LINE % 13))
    storage = open_storage(str(tmp_path))
    (found,) = storage.list("")
    assert earliest_time(storage, ParseSettings(), found) == datetime(2024, 10, 10, 13, tzinfo=UTC)


def test_only_the_first_lines_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(LINE % 14 * 1000 + LINE % 13)
    storage = open_storage(str(tmp_path))
    (found,) = storage.list("")
    assert earliest_time(storage, ParseSettings(), found) == datetime(2024, 10, 10, 14, tzinfo=UTC)
