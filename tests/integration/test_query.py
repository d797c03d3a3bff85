"""`clickstream query` changes nothing: Spark's own parser tells what only reads."""

from __future__ import annotations

import pytest
from pyspark.errors import ParseException
from pyspark.sql import SparkSession

from ingest.warehouse.query import _only_reads

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
def test_what_reads(spark: SparkSession, sql: str) -> None:
    assert _only_reads(spark, sql)


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
def test_what_does_not_only_read(spark: SparkSession, sql: str) -> None:
    assert not _only_reads(spark, sql)


def test_what_is_no_sql(spark: SparkSession) -> None:
    with pytest.raises(ParseException):
        _only_reads(spark, "selec 1")
