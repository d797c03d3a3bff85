"""The ingest with raw logs and lake in a bucket: the same events as from a folder."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from support.memory_lake import paths_in

from ingest.errors import ObjectUnreadable, SettingsError, StorageError
from ingest.job.discover import list_source
from ingest.job.run import RunTasks, ingest
from ingest.lake.parquet import open_parquet
from ingest.lake.records import read_log
from ingest.settings import Settings, Source
from ingest.storage import open_storage
from ingest.storage.s3 import S3Storage

pytestmark = pytest.mark.integration

MIB = 1 << 20
OF_THE_PLACE = ["event_id", "batch_id", "ingest_time", "source_file"]


def events_in(settings: Settings) -> pa.Table:
    """Return all events without what tells where they came from, in the order of their paths."""
    lake = open_storage(settings.lake)
    tables = [
        open_parquet(lake, file.path).read()
        for record in read_log(lake)
        for file in record.files["events"]
    ]
    return pa.concat_tables(tables).drop_columns(OF_THE_PLACE).sort_by("url_path")


def test_a_bucket_gives_the_events_of_a_folder(
    settings: Settings, run_tasks_here: RunTasks, access_lines: Callable[..., bytes], tmp_path: Path
) -> None:
    contents = {
        "web 1/a+ü.log": access_lines(50),
        "b.log.gz": gzip.compress(access_lines(50, first=50)),
        "larger.log": access_lines(1_000, first=100, pad=9_000),
        **{f"small/{n}.log": access_lines(1, first=2_000 + n) for n in range(40)},
        "empty.log": b"",
    }
    local = replace(
        settings,
        lake=str(tmp_path / "lake"),
        sources=(Source(name="raw", uri=str(tmp_path / "raw"), rotation=False),),
    )
    raw, folder = open_storage(settings.sources[0].uri), open_storage(local.sources[0].uri)
    for key, content in contents.items():
        raw.put(key, content)
        folder.put(key, content)

    summaries = [ingest(each, run_tasks_here) for each in (settings, local)]

    in_bucket, in_folder = (summary.sealed[0] for summary in summaries)
    assert in_bucket.totals == in_folder.totals
    assert in_bucket.totals.events == 50 + 50 + 1_000 + 40
    assert len(in_bucket.files["events"]) > 2  # ranges of the larger one
    assert events_in(settings).equals(events_in(local))
    assert in_bucket.objects[0].source_file == f"{settings.sources[0].uri}/b.log.gz"
    assert ingest(settings, run_tasks_here).nothing_new


def test_an_object_that_was_uploaded_again_goes_on(
    settings: Settings, run_tasks_here: RunTasks, access_lines: Callable[..., bytes]
) -> None:
    raw = open_storage(settings.sources[0].uri)
    raw.put("a.log", access_lines(3))
    ingest(settings, run_tasks_here)
    raw.put("a.log", access_lines(5))

    (record,) = ingest(settings, run_tasks_here).sealed

    assert (record.totals.events, record.replaces) == (2, ())


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ("raw", ["a.log", "b/a.log", "b/c.log"]),
        ("raw/", ["a.log", "b/a.log", "b/c.log"]),
        ("raw/*.log", ["a.log"]),
        ("raw/**/a.log", ["a.log", "b/a.log"]),
        ("r*/b/*", ["raw/b/a.log", "raw/b/c.log"]),
        ("raw/b/a.log", ["a.log"]),
        ("raw/none", []),
    ],
)
def test_a_source_is_a_prefix_a_pattern_or_one_object(
    bucket: str, place: str, keys: list[str]
) -> None:
    root = open_storage(f"s3://{bucket}")
    for key in ("raw/a.log", "raw/b/a.log", "raw/b/c.log", "rows/x"):
        root.put(key, b"x")
    listing = list_source(Source(name="raw", uri=f"s3://{bucket}/{place}"))
    assert list(listing.objects) == keys


def test_a_pattern_and_the_lake_must_be_apart(
    settings: Settings, run_tasks_here: RunTasks, bucket: str
) -> None:
    inside = Source(name="raw", uri=f"s3://{bucket}/lake/*.log")
    with pytest.raises(SettingsError, match="overlap"):
        ingest(replace(settings, sources=(inside,)), run_tasks_here)


def test_an_object_that_is_replaced_while_it_is_read_is_read_by_the_next_run(
    settings: Settings,
    bucket: str,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> None:
    raw = open_storage(settings.sources[0].uri)
    raw.put("a.log", access_lines(3))
    raw.put("b.log", access_lines(3, first=3))
    client: Any = boto3.client("s3")

    def replaced_meanwhile(*given: Any) -> Any:
        client.put_object(Bucket=bucket, Key="raw/a.log", Body=access_lines(4, first=10))
        return run_tasks_here(*given)

    ingest(settings, replaced_meanwhile)
    assert ingest(settings, run_tasks_here).exit_code == 0

    paths = sorted(path for _, path in paths_in(settings).elements())
    assert paths == sorted(f"/page/{number}" for number in (3, 4, 5, 10, 11, 12, 13))


def test_one_object_may_be_denied_and_all_others_go_on(
    settings: Settings,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = open_storage(settings.sources[0].uri)
    raw.put("a.log", access_lines(3))
    raw.put("b.log", access_lines(3, first=3))
    read = S3Storage.read

    def denied(store: S3Storage, key: str, *given: Any, **named: Any) -> bytes:
        if key == "a.log":
            raise ObjectUnreadable(f"{store.uri}/{key}: access is denied")
        return read(store, key, *given, **named)

    monkeypatch.setattr(S3Storage, "read", denied)
    summary = ingest(settings, run_tasks_here)

    assert [failed.key for failed in summary.failed] == ["a.log"]
    assert (summary.exit_code, summary.sealed[0].totals.events) == (1, 3)


def test_a_server_in_trouble_ends_the_run_and_nothing_counts_twice(
    settings: Settings,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A copy that could not be compared must not be taken for a new log."""
    raw = open_storage(settings.sources[0].uri)
    raw.put("a.log", access_lines(3))
    raw.put("b.log", access_lines(3))
    read = S3Storage.read
    with monkeypatch.context() as patch:

        def busy(store: S3Storage, *given: Any, **named: Any) -> bytes:
            if store.uri == raw.uri:
                raise StorageError("S3 did not answer")
            return read(store, *given, **named)

        def over_when_tasks_run(*given: Any) -> Any:
            patch.setattr(S3Storage, "read", read)
            return run_tasks_here(*given)

        patch.setattr(S3Storage, "read", busy)
        with pytest.raises(StorageError, match="did not answer"):
            ingest(settings, over_when_tasks_run)

    (record,) = ingest(settings, run_tasks_here).sealed
    assert record.totals.events == 3


def test_a_place_without_objects_is_named(
    settings: Settings, run_tasks_here: RunTasks, caplog: pytest.LogCaptureFixture
) -> None:
    assert ingest(settings, run_tasks_here).nothing_new
    assert f"nothing lies at {settings.sources[0].uri}" in caplog.text


def test_a_marker_of_a_folder_does_not_hide_what_lies_below(
    settings: Settings, bucket: str, run_tasks_here: RunTasks, access_lines: Callable[..., bytes]
) -> None:
    open_storage(f"s3://{bucket}").put("raw", b"")
    open_storage(settings.sources[0].uri).put("a.log", access_lines(2))
    (record,) = ingest(settings, run_tasks_here).sealed
    assert record.totals.events == 2
