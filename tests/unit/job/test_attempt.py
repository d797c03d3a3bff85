"""What a task writes, and in how few tables."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from support.memory_lake import pages, paths_in

from ingest.job import attempt
from ingest.job.run import IngestSummary
from ingest.lake.parquet import ParquetSink
from ingest.parse import lines
from ingest.settings import Settings
from ingest.storage import Storage

FILES = 40


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each table of events that is written."""
    counts: list[int] = []
    write = ParquetSink.write

    def watched(sink: ParquetSink, rows: object) -> None:
        if "event_id" in rows.column_names:  # type: ignore[attr-defined]
            counts.append(rows.num_rows)  # type: ignore[attr-defined]
        write(sink, rows)

    monkeypatch.setattr(ParquetSink, "write", watched)
    return counts


@pytest.fixture
def tiny_files(raw: Storage, access_lines: Callable[..., bytes]) -> None:
    for number in range(FILES):
        raw.put(f"{number}.log", access_lines(2, first=2 * number))


@pytest.mark.usefixtures("tiny_files")
def test_tiny_objects_share_a_table(
    ingest_here: Callable[..., IngestSummary], written: list[int]
) -> None:
    assert ingest_here().sealed[0].totals.events == 2 * FILES
    assert written == [2 * FILES]


@pytest.mark.usefixtures("tiny_files")
def test_no_more_rows_wait_than_memory_is_meant_for(
    ingest_here: Callable[..., IngestSummary], written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_TABLE_BYTES", 50_000)  # rows take 3 KB and their line
    assert ingest_here().sealed[0].totals.events == 2 * FILES
    assert sum(written) == 2 * FILES
    assert 5 <= len(written) <= 6


def test_rows_of_a_larger_object_become_a_table_at_once(
    raw: Storage,
    access_lines: Callable[..., bytes],
    ingest_here: Callable[..., IngestSummary],
    written: list[int],
) -> None:
    raw.put("a.log", access_lines(2))
    raw.put("b.log", access_lines(30, first=2))
    raw.put("c.log", access_lines(1, first=32))
    assert ingest_here().sealed[0].totals.events == 33
    assert written == [30, 3]


def test_rows_of_an_object_that_does_not_count_are_not_among_the_others(
    raw: Storage,
    access_lines: Callable[..., bytes],
    ingest_here: Callable[..., IngestSummary],
    settings: Settings,
) -> None:
    raw.put("a.log", access_lines(2))
    raw.put("b.log.gz", gzip.compress(access_lines(2, first=2))[:-5])
    raw.put("c.log", access_lines(2, first=4))
    assert ingest_here().sealed[0].totals.events == 4
    assert paths_in(settings) == pages("a.log", 0, 2) + pages("c.log", 4, 2)


def test_a_file_of_its_own_holds_tables_and_rows(
    raw: Storage,
    access_lines: Callable[..., bytes],
    ingest_here: Callable[..., IngestSummary],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chunk of many lines, then one of few: the second waits, and is written at the end."""
    monkeypatch.setattr(lines, "CHUNK_LINES", 60)
    raw.put("a.log", access_lines(61))
    assert ingest_here().sealed[0].totals.events == 61
    assert paths_in(settings) == pages("a.log", 0, 61)
