"""Hop 5: the marts say what the logs say, however the logs came in batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ingest.job.replay import Choice
from ingest.job.run import RunTasks, ingest, replay
from ingest.report.gather import gather
from ingest.report.period import Period
from ingest.settings import Settings
from ingest.warehouse.dbt import DbtSummary, run_dbt, write_docs
from ingest.warehouse.load import load
from ingest.warehouse.marts import read_marts
from ingest.warehouse.spark.warehouse import SparkWarehouse

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
MARTS = tuple(mart.name for mart in read_marts(ROOT))


@pytest.fixture
def add(
    empty_warehouse: Settings, spark_warehouse: SparkWarehouse, run_tasks_here: RunTasks
) -> Callable[..., None]:
    """Write a raw log, ingest and load it: one more batch, or one that `corrects` another."""

    def write(name: str, content: bytes, *, corrects: bool = False) -> None:
        (Path(empty_warehouse.sources[0].uri) / name).write_bytes(content)
        if corrects:
            replay(empty_warehouse, run_tasks_here, Choice(key=name))
        else:
            ingest(empty_warehouse, run_tasks_here)
        load(empty_warehouse, spark_warehouse)

    return write


def rows(spark: SparkSession, sql: str) -> list[tuple[object, ...]]:
    spark.sql("use clickstream")
    return [tuple(row) for row in spark.sql(sql).collect()]


def marts(spark: SparkSession) -> dict[str, list[str]]:
    """Return every row of every mart as text, sorted: exact and without an order."""
    return {
        mart: sorted(str(row) for row in rows(spark, f"select * from {mart}"))  # noqa: S608
        for mart in MARTS
    }


def succeeded(summary: DbtSummary) -> DbtSummary:
    assert summary.failures == ()
    return summary


def shop_line(client: int, session: str, action: str, *, hour: int, agent: str = "Firefox") -> str:
    return (
        f"192.0.2.{client} - - [10/Oct/2024:{hour:02}:00:00 +0000] "
        f'"GET /cart.do?action={action}&itemId=EST-6&productId=FS-SG-G03&JSESSIONID={session} '
        f'HTTP/1.1" 200 10 "-" "{agent}"\n'
    )


def log(*lines: str) -> bytes:
    return "".join(lines).encode()


def test_batch_by_batch_is_all_at_once(
    empty_warehouse: Settings,
    spark: SparkSession,
    spark_warehouse: SparkWarehouse,
    add: Callable[..., None],
) -> None:
    succeeded(run_dbt(empty_warehouse, "seed"))
    add("one.log", log(shop_line(1, "S1", "view", hour=9), shop_line(2, "S2", "view", hour=9)))
    succeeded(run_dbt(empty_warehouse, "run"))
    # The same session in another batch, a bot, an hour that is known and an older one.
    add(
        "two.log",
        log(
            shop_line(1, "S1", "view", hour=9),
            shop_line(1, "S1", "Purchase", hour=8),
            shop_line(3, "S3", "view", hour=10, agent="Googlebot/2.1"),
        ),
    )
    # The first file is corrected: its batch is replaced.
    add("one.log", log(shop_line(2, "S9", "view", hour=9)), corrects=True)
    succeeded(run_dbt(empty_warehouse, "run"))
    in_steps = marts(spark)

    assert rows(
        spark, "select clientip, total_sessions, total_events, human_events "
        "from number_of_sessions_per_ip order by clientip"
    ) == [("192.0.2.1", 1, 2, 2), ("192.0.2.2", 1, 1, 1), ("192.0.2.3", 1, 1, 0)]  # fmt: skip
    assert rows(
        spark,
        "select sessionid, url, action, number_of_views from number_of_views_per_session "
        "order by sessionid, action",
    ) == [
        ("S1", "/cart.do", "purchase", 0),
        ("S1", "/cart.do", "view", 1),
        ("S3", "/cart.do", "view", 1),
        ("S9", "/cart.do", "view", 1),
    ]
    assert rows(
        spark, "select brand, total_events, purchases, human_views from number_of_events_per_brand"
    ) == [("Lenovo", 4, 1, 2)]
    assert rows(
        spark, "select hour(event_hour), total_events from fct_traffic_hourly order by 1"
    ) == [(8, 1), (9, 2), (10, 1)]

    # The data tests are in each run of the end-to-end tests.
    checked = succeeded(run_dbt(empty_warehouse, "test", "--select", "test_type:unit"))
    assert (checked.failed, checked.skipped, checked.warned) == (0, 0, 0)
    assert checked.passed > 15
    the_report_of_all_days_is_the_one_of_everything(spark_warehouse)
    succeeded(run_dbt(empty_warehouse, "run-operation", "drop_replaced_batches"))
    assert counted_batches(spark) == 2
    succeeded(run_dbt(empty_warehouse, "run", "--full-refresh"))
    assert marts(spark) == in_steps
    the_documentation_describes_the_tables(empty_warehouse)


def the_documentation_describes_the_tables(settings: Settings) -> None:
    page = write_docs(settings)
    assert "number_of_sessions_per_ip" in page.read_text(encoding="utf-8")
    catalog = json.loads((page.parent / "catalog.json").read_text(encoding="utf-8"))
    described = catalog["nodes"]["model.clickstream.number_of_sessions_per_ip"]
    assert described["columns"]["total_sessions"]["type"] == "long"
    assert "rows" not in described["stats"]  # Hive would say 0


def the_report_of_all_days_is_the_one_of_everything(warehouse: SparkWarehouse) -> None:
    """It counts by day what the marts count at once."""
    whole = gather(warehouse)
    all_days = gather(warehouse, period=Period(first=date(2000, 1, 1), last=date(2100, 1, 1)))
    none = gather(warehouse, period=Period(last=date(2000, 1, 1)))

    assert all_days.charts == whole.charts
    assert all_days.traffic == whole.traffic
    assert all_days.tiles == whole.tiles[:-1]  # rejected lines have no day
    assert all_days.books == none.books == whole.books
    assert {number for _, number in none.tiles} == {0}
    assert (none.traffic.points, none.traffic.untimed) == ((), 0)


def counted_batches(spark: SparkSession) -> int:
    return len(rows(spark, "show partitions clickstream_intermediate.int_brands_counted"))


def test_failures_are_named(
    empty_warehouse: Settings, spark: SparkSession, add: Callable[..., None]
) -> None:
    add("one.log", log(shop_line(1, "S1", "view", hour=9)))

    # Without the seeds, staging is built and whatever needs a seed fails.
    summary = run_dbt(empty_warehouse, "run", "--select", "int_brands_counted")

    assert not summary.success
    assert [failure.name for failure in summary.failures] == ["int_brands_counted"]
    assert "TABLE_OR_VIEW_NOT_FOUND" in summary.failures[0].message
    assert spark.catalog.tableExists("landing.batches")
