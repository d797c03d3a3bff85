"""A query on Spark changes nothing, and returns times in UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from pyspark.errors import ParseException
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError
from ingest.warehouse.spark.query import only_reads
from ingest.warehouse.spark.warehouse import SparkWarehouse

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "sql",
    [
        "select 1;",
        "with a as (select 1 as b) select * from a -- why not",
        "values (1), (2)",
        "SHOW TABLES",
        "describe landing.events",
        "explain select 1",
    ],
)
def test_statements_that_only_read(spark: SparkSession, sql: str) -> None:
    assert only_reads(spark, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "drop table landing.events",
        "with a as (select 1) insert into b select * from a",
        "insert overwrite directory '/tmp/x' using csv select 1",
        "create table a as select 1",
        "execute immediate 'drop table a'",
        "begin drop table a; end",
        "set spark.sql.ansi.enabled = false",
    ],
)
def test_statements_that_change_something(spark: SparkSession, sql: str) -> None:
    assert not only_reads(spark, sql)


def test_invalid_sql(spark: SparkSession) -> None:
    with pytest.raises(ParseException):
        only_reads(spark, "selec 1")


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is in Berlin, where the hour from 02:00 to 03:00 came twice on 2024-10-27."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    "text",
    [
        "2024-10-27 00:30:00.000001",
        "2024-10-27 01:30:00.000001",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
    ],
)
def test_times_are_utc_in_any_zone(spark_warehouse: SparkWarehouse, text: str) -> None:
    found = spark_warehouse.query(
        f"select 'a' as a, timestamp '{text}' as at, cast(null as timestamp) as at"
    )

    assert found.columns == ("a", "at", "at")
    assert found.rows == [("a", datetime.fromisoformat(text).replace(tzinfo=UTC), None)]


@pytest.mark.usefixtures("berlin")
def test_times_inside_of_a_value_are_utc_too(spark_warehouse: SparkWarehouse) -> None:
    first, last = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"

    found = spark_warehouse.query(
        f"select array(timestamp '{first}', timestamp '{last}'), "
        f"named_struct('at', timestamp '{last}'), map('a', timestamp '{first}'), "
        "date '0001-01-01', date '9999-12-31', array(1)"
    )

    assert found.rows == [
        (
            f"[{first}, {last}]", f"{{{last}}}", f"{{a -> {first}}}",
            date(1, 1, 1), date(9999, 12, 31), [1],
        )
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["timestamp '10000-01-01 00:00:00'", "date '10000-01-01'"])
def test_a_year_that_python_does_not_know_is_an_error(
    spark_warehouse: SparkWarehouse, value: str
) -> None:
    with pytest.raises(ClickstreamError, match="outside of the years 1 to 9999; cast it to string"):
        spark_warehouse.query(f"select {value}")


def test_a_failed_query_has_a_short_message(spark_warehouse: SparkWarehouse) -> None:
    with pytest.raises(ClickstreamError, match=r"^the query failed: .*nowhere") as caught:
        spark_warehouse.query("select * from nowhere")
    assert "\n\tat" not in str(caught.value)
