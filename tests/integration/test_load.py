"""Hop 4 on Spark: the promises of every engine, and what only its partitions can get wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.load_suite import BATCHES_SEEN, LIVE_EVENTS, ROWS_BY_STATE, Hop, LoadSuite
from pyspark.sql import SparkSession

from ingest.books.status import status
from ingest.errors import BooksError, ClickstreamError, SettingsError
from ingest.job.run import RunTasks
from ingest.settings import Settings
from ingest.storage import open_storage
from ingest.warehouse.spark import landing
from ingest.warehouse.spark import warehouse as spark_engine
from ingest.warehouse.spark.landing import add_partitions, create_tables
from ingest.warehouse.spark.ledger import LedgerFolders, local_ledgers, shared_ledgers
from ingest.warehouse.spark.warehouse import SparkWarehouse

pytestmark = pytest.mark.integration


@pytest.fixture
def hop(
    empty_warehouse: Settings,
    spark_warehouse: SparkWarehouse,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> Hop:
    return Hop(
        settings=empty_warehouse,
        warehouse=spark_warehouse,
        run_tasks=run_tasks_here,
        lines=access_lines,
    )


class TestOnSpark(LoadSuite):
    """What every engine promises."""


def test_many_partitions_are_added_and_dropped_in_slices(
    hop: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "_PARTITIONS_PER_STATEMENT", 2)
    for number in range(3):
        hop.add_log(f"{number}.log", 10)
    hop.load()
    for number in range(3):
        hop.correct_log(f"{number}.log", 7)
    summary = hop.load()

    assert (len(summary.loaded), len(summary.replaced), summary.live) == (3, 3, 3)
    assert hop.rows("select count(*) from landing.events") == [(21,)]
    assert hop.rows(ROWS_BY_STATE) == [("live", 3, 21), ("replaced", 3, 30)]


def test_a_crash_after_adding_partitions_is_repaired(hop: Hop, spark: SparkSession) -> None:
    record = hop.add_log("one.log", 30)
    lake = open_storage(hop.settings.lake).uri
    create_tables(spark, lake)
    add_partitions(spark, lake, [record])

    assert hop.load().loaded == (record.batch_id,)
    assert hop.rows(LIVE_EVENTS) == [(30,)]


# The ledger is written but `landing.batches` not yet pointed at it; and: pointed, old rows left.
@pytest.mark.parametrize(("dies_at", "seen"), [("point_batches_at", 30), ("drop_partitions", 20)])
def test_a_crash_around_the_switch_is_repaired(
    hop: Hop, monkeypatch: pytest.MonkeyPatch, dies_at: str, seen: int
) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    new = hop.correct_log("one.log", 20)

    def die(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(spark_engine, dies_at, die)
        with pytest.raises(InterruptedError):
            hop.load()
    assert hop.rows(LIVE_EVENTS) == [(seen,)]
    assert events_by_status(hop) == seen
    hop.load()

    assert events_by_status(hop) == 20
    assert hop.rows(BATCHES_SEEN) == [(new.batch_id,)]
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 20), ("replaced", 1, 30)]


def events_by_status(hop: Hop) -> int:
    """Return the live events that `clickstream status` knows of, without Spark."""
    return sum(batch.events for batch in status(hop.settings).batches if batch.state == "live")


def test_status_is_out_of_date_until_the_next_load_at_most(
    hop: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load dies after the switch, before it noted it."""
    hop.add_log("one.log", 30)
    with monkeypatch.context() as patched:
        patched.setattr(LedgerFolders, "note_shown", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hop.load()
    assert (events_by_status(hop), hop.rows(LIVE_EVENTS)) == (0, [(30,)])

    assert hop.load().nothing_new
    assert events_by_status(hop) == 30


def test_a_shared_metastore_has_its_ledger_in_the_lake(
    hop: Hop, spark_warehouse: SparkWarehouse, spark: SparkSession
) -> None:
    """So any machine finds it, whatever becomes of the one that wrote it."""
    settings = replace(hop.settings, target="emr")

    def machine(name: str) -> Hop:
        data = Path(settings.lake).with_name(name)
        shared = shared_ledgers(settings)
        warehouse = SparkWarehouse(spark, spark_warehouse.schemas, shared, data=data)
        return replace(hop, settings=replace(settings, data=data), warehouse=warehouse)

    one, other = machine("one"), machine("other")
    one.add_log("one.log", 30)
    one.load()
    one.warehouse.notes.put("built", b"x")

    assert other.load().nothing_new
    assert other.warehouse.notes.read("built") == b"x"
    assert events_by_status(other) == 30
    loads = Path(settings.lake, "loads", "emr")
    assert one.warehouse.ledger().version == str(loads / f"{1:020}")
    assert not [name for name in ("one", "other") if Path(settings.lake).with_name(name).exists()]
    shutil.rmtree(loads)
    with pytest.raises(SettingsError, match="drop the databases of target emr in its metastore"):
        other.load()


def test_files_that_no_record_names_do_not_count(hop: Hop) -> None:
    named = hop.path(hop.add_log("one.log", 30))
    orphan = named.parent.with_name("part=00000-0123456789ab") / named.name
    orphan.parent.mkdir()
    orphan.write_bytes(named.read_bytes())

    hop.load()

    assert hop.rows("select count(*) from landing.events") == [(30,)]


def test_a_second_file_in_a_sealed_folder_stops_the_load(hop: Hop) -> None:
    named = hop.path(hop.add_log("one.log", 30))
    named.with_name("more.parquet").write_bytes(named.read_bytes())

    with pytest.raises(BooksError, match=r"record says 30 rows .* Spark reads 60 rows"):
        hop.load()

    assert not hop.warehouse.exists("landing.batches")


def test_a_lake_that_was_moved_is_refused(hop: Hop, tmp_path: Path) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    moved = str(tmp_path / "moved")
    Path(hop.settings.lake).rename(moved)

    with pytest.raises(SettingsError, match="the metastore refers to the old place"):
        hop.load(settings=replace(hop.settings, lake=moved))


def test_a_warehouse_of_another_lake_answers_nothing(hop: Hop, tmp_path: Path) -> None:
    """As after a copy of the data folder: its tables still lie in the original."""
    hop.add_log("one.log", 30)
    hop.load()
    assert isinstance(hop.warehouse, SparkWarehouse)
    hop.warehouse.check_lake(hop.settings.lake)
    with pytest.raises(SettingsError, match="the metastore refers to the old place"):
        hop.warehouse.check_lake(str(tmp_path / "copy" / "lake"))


def test_a_damaged_ledger_says_what_to_delete(hop: Hop) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    shown = local_ledgers(hop.settings).shown()
    file = hop.settings.data / "warehouse" / "_loads" / str(shown) / "batches.parquet"
    content = file.read_bytes()
    try:
        flipped = content[:60] + bytes([content[60] ^ 4]) + content[61:]
        for damaged in (b"nonsense", content[:-9], flipped):
            file.write_bytes(damaged)
            with pytest.raises(SettingsError, match=r"gone or damaged, .*/metastore and .*/ware"):
                hop.load()
    finally:
        file.write_bytes(content)  # the warehouse is that of all tests


def test_a_flipped_bit_is_an_error_and_no_other_value(hop: Hop) -> None:
    named = hop.path(hop.add_log("one.log", 300))
    hop.load()
    sql = "select sum(hash(*)), count(url_original) from landing.events"
    content, right = named.read_bytes(), hop.rows(sql)
    refused = 0
    for at in range(60, len(content) // 2, len(content) // 50):
        named.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        try:
            assert hop.rows(sql) == right  # of a header that says nothing
        except ClickstreamError as error:
            refused += "a file of its tables is damaged" in str(error)
    named.write_bytes(content)
    assert refused > 10


def test_a_metastore_deleted_without_its_warehouse_is_named(hop: Hop) -> None:
    hop.add_log("one.log", 30)
    left = hop.settings.data / "warehouse" / "clickstream_seeds.db" / "http_statuses"
    left.mkdir(parents=True)
    (left / "part-0.parquet").touch()

    try:
        with pytest.raises(SettingsError, match="the metastore does not know it"):
            hop.load()
    finally:
        shutil.rmtree(left.parent)  # the warehouse is that of all tests


def test_a_warehouse_deleted_without_its_metastore_is_named(hop: Hop) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    shutil.rmtree(hop.settings.data / "warehouse" / "_loads")

    with pytest.raises(SettingsError, match="is gone or damaged, but the metastore refers to it"):
        hop.load()
