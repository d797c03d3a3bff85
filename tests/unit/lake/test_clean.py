"""What is removed from the lake: files of attempts that no record names, when they are old."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures.records import make_draft, raw_object, sealed

from ingest.errors import BooksError
from ingest.lake.clean import clean, find_orphans
from ingest.lake.records import NamedFile, read_log
from ingest.storage import Storage
from ingest.storage.folder import FolderStorage

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ATTEMPT = "events/batch_id=b1/part=00000-{}/events.parquet"


@pytest.fixture
def folder_lake(tmp_path: Path) -> FolderStorage:
    """A lake with a batch of one file, of an attempt that has a brother in rejects."""
    lake = FolderStorage(tmp_path)
    named = NamedFile(path=ATTEMPT.format("a"), rows=1, bytes=3)
    draft = replace(make_draft("b1", raw_object("a")), files={"events": (named,)})
    sealed(lake, draft)
    return lake


def put(lake: FolderStorage, key: str, *, days: float) -> str:
    """Write a file that was changed so many days before now."""
    lake.put(key, b"xyz")
    changed = (NOW - timedelta(days=days)).timestamp()
    os.utime(Path(lake.uri) / key, (changed, changed))
    return key


def test_old_attempts_that_no_record_names_are_removed(folder_lake: FolderStorage) -> None:
    lake = folder_lake
    kept = [
        put(lake, ATTEMPT.format("a"), days=99),
        put(lake, ATTEMPT.format("young"), days=6.9),
        put(lake, ATTEMPT.format("half").replace(".parquet", ".1.parquet"), days=99),
        put(lake, ATTEMPT.format("half"), days=1),
        put(lake, "checkpoints/00000000000000000001.parquet", days=99),
        put(lake, "exports/t/dead/x.json.gz", days=99),
    ]
    gone = [put(lake, ATTEMPT.format("old"), days=7.1)]
    gone += [put(lake, f"{table}/batch_id=b2/part=00000-x/x.parquet", days=99)
             for table in ("rejects", "files")]  # fmt: skip
    records = read_log(lake)
    found = find_orphans(lake, records, now=NOW)
    assert (sorted(found.keys), found.files, found.bytes) == (sorted(gone), 3, 9)
    assert clean(lake, records, now=NOW) == found
    left = {one.key for one in lake.list()}
    assert left.issuperset(kept)
    assert left.isdisjoint(gone)
    assert clean(lake, records, now=NOW, days=6).keys == (kept[1],)


def test_what_has_no_known_time_is_left_alone(lake: Storage) -> None:
    lake.put(ATTEMPT.format("old"), b"xyz")
    assert find_orphans(lake, (), now=NOW).files == 0


def test_files_of_records_that_were_lost_are_no_orphans(folder_lake: FolderStorage) -> None:
    lake = folder_lake
    put(lake, ATTEMPT.format("a"), days=99)
    records = read_log(lake)
    assert clean(lake, (), now=NOW).files == 0
    lake.put(f"exports/t/{2:020}-1.json", b"{}")
    with pytest.raises(BooksError, match=r"0002\.json .* are missing, .* restore them"):
        clean(lake, records, now=NOW)
