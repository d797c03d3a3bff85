"""What is left behind: incomplete tables of a killed build, and Spark's temporary folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from ingest.settings import Settings
from ingest.warehouse import Schemas
from ingest.warehouse.spark.cleanup import remove_incomplete

pytestmark = pytest.mark.integration

_MAKE = "USING parquet PARTITIONED BY (batch_id) AS SELECT 1 AS a, 'x' AS batch_id"


@pytest.fixture
def schemas(spark: SparkSession) -> Iterator[Schemas]:
    """Of which one exists."""
    spark.sql("CREATE SCHEMA cut_seeds")
    yield Schemas(marts="cut")
    spark.sql("DROP SCHEMA cut_seeds CASCADE")


def test_only_incomplete_tables_are_removed(
    warehouse_settings: Settings, spark: SparkSession, schemas: Schemas
) -> None:
    folder = warehouse_settings.data / "warehouse" / "cut_seeds.db"
    spark.sql("CREATE TABLE cut_seeds.plain USING parquet AS SELECT 1 AS a")
    spark.sql(f"CREATE TABLE cut_seeds.whole {_MAKE}")
    # As after a kill between adding the table and its partitions to the metastore.
    spark.conf.set("spark.sql.hive.manageFilesourcePartitions", "false")
    spark.sql(f"CREATE TABLE cut_seeds.half {_MAKE}")
    spark.conf.unset("spark.sql.hive.manageFilesourcePartitions")
    # As after a kill between writing the files and adding the table to the metastore.
    (folder / "unknown").mkdir()
    (folder / "unknown" / "part-0.parquet").touch()

    remove_incomplete(spark, schemas)

    tables = spark.sql("SHOW TABLES IN cut_seeds").collect()
    # The temporary views that dbt leaves in the session are listed with every schema.
    lasting = {table.tableName for table in tables if not table.isTemporary}
    assert lasting == {"plain", "whole"}
    assert {path.name for path in folder.iterdir()} == {"plain", "whole"}
    assert spark.table("cut_seeds.whole").count() == 1


def test_spark_works_below_the_data_folder(
    warehouse_settings: Settings, spark: SparkSession
) -> None:
    folder = warehouse_settings.data / "spark-tmp"
    assert spark._jvm is not None
    system: Any = spark._jvm.java.lang.System
    spark.sql("CREATE SCHEMA IF NOT EXISTS cut_marts")  # Hive makes its folder at the first use
    spark.sql("DROP SCHEMA cut_marts")

    assert system.getProperty("java.io.tmpdir") == str(folder)
    assert {path.name.split("-")[0] for path in folder.iterdir()} >= {"spark", "resources"}
    assert list(folder.glob("*_resources")) == []
