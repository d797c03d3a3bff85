"""Hop 4: what readers of `landing` see is what the log of batches says, whatever crashed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ingest.errors import BooksError, SettingsError
from ingest.job.run import IngestSummary, RunTasks, ingest_with
from ingest.lake.records import BatchRecord, read_log
from ingest.settings import Settings
from ingest.storage import open_storage
from ingest.warehouse.spark import landing
from ingest.warehouse.spark import load as loader
from ingest.warehouse.spark.landing import add_partitions, create_tables
from ingest.warehouse.spark.load import load

pytestmark = pytest.mark.integration

Ingest = Callable[..., IngestSummary]
ROWS_BY_STATE = "select state, count(*), sum(events) from landing.batches group by state order by 1"
LIVE_EVENTS = """
    select count(*) from landing.events
    where batch_id in (select batch_id from landing.batches where state = 'live')
"""


@pytest.fixture
def add_log(
    empty_warehouse: Settings, access_lines: Callable[..., bytes], run_tasks_here: RunTasks
) -> Callable[..., BatchRecord]:
    """Write a raw log of `count` lines and `broken` bad ones, ingest it, return its record."""

    def add(name: str, count: int, *, broken: int = 0) -> BatchRecord:
        path = Path(empty_warehouse.sources[0].uri) / name
        path.write_bytes(access_lines(count) + b"not a log line\n" * broken)
        ingest_with(empty_warehouse, run_tasks_here)
        return read_log(open_storage(empty_warehouse.lake))[-1]

    return add


def rows(spark: SparkSession, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in spark.sql(sql).collect()]


def test_loading_twice_is_loading_once(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("one.log", 300, broken=2)

    first = load(empty_warehouse, spark)
    second = load(empty_warehouse, spark)

    assert (first.loaded, first.events, first.live) == ((record.batch_id,), 300, 1)
    assert second.nothing_new
    assert second.live == 1
    assert rows(spark, ROWS_BY_STATE) == [("live", 1, 300)]
    assert rows(spark, LIVE_EVENTS) == [(300,)]
    assert rows(spark, "select count(*), min(reason) from landing.rejects") == [(2, "no_match")]
    assert rows(spark, "select source_file, lines_read from landing.files") == [("one.log", 302)]


def test_many_partitions_are_added_and_dropped_in_slices(
    empty_warehouse: Settings,
    spark: SparkSession,
    add_log: Callable[..., BatchRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landing, "_PARTITIONS_PER_STATEMENT", 2)
    for number in range(3):
        add_log(f"{number}.log", 10)
    load(empty_warehouse, spark)
    for number in range(3):
        add_log(f"{number}.log", 7)
    summary = load(empty_warehouse, spark)

    assert (len(summary.loaded), len(summary.replaced), summary.live) == (3, 3, 3)
    assert rows(spark, "select count(*) from landing.events") == [(21,)]
    assert rows(spark, ROWS_BY_STATE) == [("live", 3, 21), ("replaced", 3, 30)]


def test_an_empty_lake_gives_empty_tables(empty_warehouse: Settings, spark: SparkSession) -> None:
    summary = load(empty_warehouse, spark)
    where = landing.location(spark, "batches")
    load(empty_warehouse, spark)

    assert summary.nothing_new
    assert landing.location(spark, "batches") == where
    assert rows(spark, "select count(*) from landing.batches") == [(0,)]
    assert rows(spark, LIVE_EVENTS) == [(0,)]


def test_a_later_batch_is_added_to_the_first(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    add_log("one.log", 30)
    load(empty_warehouse, spark)
    second = add_log("two.log", 12)

    summary = load(empty_warehouse, spark)

    assert summary.loaded == (second.batch_id,)
    assert rows(spark, ROWS_BY_STATE) == [("live", 2, 42)]
    assert rows(spark, LIVE_EVENTS) == [(42,)]


def test_a_replaced_batch_disappears(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    old = add_log("one.log", 30)
    load(empty_warehouse, spark)
    new = add_log("one.log", 20)

    summary = load(empty_warehouse, spark)

    assert new.replaces == (old.batch_id,)
    assert (summary.loaded, summary.replaced) == ((new.batch_id,), (old.batch_id,))
    assert rows(spark, ROWS_BY_STATE) == [("live", 1, 20), ("replaced", 1, 30)]
    assert rows(spark, "select distinct batch_id from landing.events") == [(new.batch_id,)]


def test_a_batch_replaced_before_it_was_loaded_is_never_loaded(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    add_log("one.log", 30)
    new = add_log("one.log", 20)

    summary = load(empty_warehouse, spark)

    assert summary.loaded == (new.batch_id,)
    assert rows(spark, "select count(*) from landing.events") == [(20,)]
    assert rows(spark, ROWS_BY_STATE) == [("live", 1, 20), ("replaced", 1, 30)]


def test_a_held_batch_waits_until_it_is_accepted(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    good = add_log("good.log", 30)
    bad = add_log("bad.log", 1000, broken=50)

    first = load(empty_warehouse, spark)
    visible = rows(spark, LIVE_EVENTS)
    second = load(empty_warehouse, spark, accept=[bad.batch_id])
    third = load(empty_warehouse, spark)

    assert (first.loaded, first.quarantined, first.exit_code) == (
        (good.batch_id,),
        (bad.batch_id,),
        3,
    )
    assert visible == [(30,)]
    assert (second.loaded, second.quarantined, second.exit_code) == ((bad.batch_id,), (), 0)
    assert third.nothing_new
    assert third.exit_code == 0
    assert rows(spark, LIVE_EVENTS) == [(1030,)]


def test_the_limit_of_the_source_decides(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("bad.log", 1000, broken=50)
    patient = replace(empty_warehouse.sources[0], reject_limit_ratio=0.05)

    summary = load(replace(empty_warehouse, sources=(patient,)), spark)

    assert summary.loaded == (record.batch_id,)


def test_accepting_an_unknown_batch_is_a_mistake(
    empty_warehouse: Settings, spark: SparkSession
) -> None:
    with pytest.raises(SettingsError, match="no batch deadbeef"):
        load(empty_warehouse, spark, accept=["deadbeef"])


def test_a_crash_after_adding_partitions_is_repaired(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("one.log", 30)
    lake = open_storage(empty_warehouse.lake).uri
    create_tables(spark, lake)
    add_partitions(spark, lake, [record])

    assert load(empty_warehouse, spark).loaded == (record.batch_id,)
    assert rows(spark, LIVE_EVENTS) == [(30,)]


# The ledger is written but `landing.batches` not yet pointed at it; and: pointed, old rows left.
@pytest.mark.parametrize(("dies_at", "seen"), [("spark_ddl", 30), ("drop_partitions", 20)])
def test_a_crash_around_the_switch_is_repaired(
    empty_warehouse: Settings,
    spark: SparkSession,
    add_log: Callable[..., BatchRecord],
    monkeypatch: pytest.MonkeyPatch,
    dies_at: str,
    seen: int,
) -> None:
    add_log("one.log", 30)
    load(empty_warehouse, spark)
    new = add_log("one.log", 20)

    def die(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(loader, dies_at, die)
        with pytest.raises(InterruptedError):
            load(empty_warehouse, spark)
    assert rows(spark, LIVE_EVENTS) == [(seen,)]
    load(empty_warehouse, spark)

    assert rows(spark, "select distinct batch_id from landing.events") == [(new.batch_id,)]
    assert rows(spark, ROWS_BY_STATE) == [("live", 1, 20), ("replaced", 1, 30)]


def test_files_that_no_record_names_do_not_count(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("one.log", 30)
    named = Path(empty_warehouse.lake) / record.files["events"][0].path
    orphan = named.parent.with_name("part=00000-0123456789ab") / named.name
    orphan.parent.mkdir()
    orphan.write_bytes(named.read_bytes())

    load(empty_warehouse, spark)

    assert rows(spark, "select count(*) from landing.events") == [(30,)]


def test_a_second_file_in_a_sealed_folder_stops_the_load(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("one.log", 30)
    named = Path(empty_warehouse.lake) / record.files["events"][0].path
    named.with_name("more.parquet").write_bytes(named.read_bytes())

    with pytest.raises(BooksError, match=r"record says 30 rows .* Spark reads 60 rows"):
        load(empty_warehouse, spark)

    assert not spark.catalog.tableExists("landing.batches")


def test_a_missing_file_stops_the_load(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("one.log", 30)
    (Path(empty_warehouse.lake) / record.files["events"][0].path).unlink()

    with pytest.raises(BooksError, match="Spark reads 0 rows"):
        load(empty_warehouse, spark)


def test_a_broken_file_stops_the_load(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    record = add_log("one.log", 30)
    (Path(empty_warehouse.lake) / record.files["events"][0].path).write_bytes(b"PAR1nothing")

    with pytest.raises(BooksError, match=r"landing\.events cannot be read"):
        load(empty_warehouse, spark)


def test_another_lake_is_refused(
    empty_warehouse: Settings,
    spark: SparkSession,
    add_log: Callable[..., BatchRecord],
    tmp_path: Path,
) -> None:
    add_log("one.log", 30)
    load(empty_warehouse, spark)

    with pytest.raises(SettingsError, match="loaded from another lake"):
        load(replace(empty_warehouse, lake=str(tmp_path / "other")), spark)


def test_a_lake_that_was_begun_anew_is_refused(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    add_log("one.log", 30)
    load(empty_warehouse, spark)
    Path(empty_warehouse.lake).rename(empty_warehouse.lake + ".old")
    add_log("two.log", 10)

    with pytest.raises(SettingsError, match="loaded from another lake"):
        load(empty_warehouse, spark)


def test_a_metastore_deleted_without_its_warehouse_is_named(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    add_log("one.log", 30)
    left = empty_warehouse.data / "warehouse" / "clickstream_seeds.db" / "http_statuses"
    left.mkdir(parents=True)
    (left / "part-0.parquet").touch()

    try:
        with pytest.raises(SettingsError, match="the metastore does not know it"):
            load(empty_warehouse, spark)
    finally:
        shutil.rmtree(left.parent)  # the warehouse is that of all tests


def test_a_warehouse_deleted_without_its_metastore_is_named(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    add_log("one.log", 30)
    load(empty_warehouse, spark)
    shutil.rmtree(empty_warehouse.data / "warehouse" / "_loads")

    with pytest.raises(SettingsError, match="delete the metastore and the warehouse folder"):
        load(empty_warehouse, spark)


def test_a_newer_contract_is_refused(
    empty_warehouse: Settings,
    spark: SparkSession,
    add_log: Callable[..., BatchRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_log("one.log", 30)
    monkeypatch.setattr(loader, "CONTRACT_VERSION", 0)

    with pytest.raises(SettingsError, match="contract version 1"):
        load(empty_warehouse, spark)


def test_times_survive_to_the_microsecond(
    empty_warehouse: Settings, spark: SparkSession, add_log: Callable[..., BatchRecord]
) -> None:
    add_log("one.log", 1)
    load(empty_warehouse, spark)

    assert rows(spark, "select cast(event_time as string), event_date from landing.events")[0][
        0
    ] == ("2024-10-10 13:00:00")
    assert rows(spark, "select cast(min_event_time as string) from landing.batches") == [
        ("2024-10-10 13:00:00",)
    ]
