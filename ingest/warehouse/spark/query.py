"""Queries on Spark that change nothing, with times in UTC whatever the machine's zone is."""

from __future__ import annotations

from typing import Any

from pyspark.errors import ParseException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the usual alias
from pyspark.sql.types import TimestampType

from ingest.errors import ClickstreamError, SettingsError
from ingest.spark.failure import first_lines
from ingest.warehouse import Rows
from ingest.warehouse.spark.times import from_micros


def query(session: SparkSession, schema: str, sql: str, *, at_most: int | None = None) -> Rows:
    """Return the first `at_most` rows of `sql` (None = all), run with `schema` as the current one.

    Raises SettingsError when `sql` would change anything, ClickstreamError when Spark refuses it.
    """
    try:
        if session.catalog.databaseExists(schema):  # dbt creates it
            session.catalog.setCurrentDatabase(schema)
        if not only_reads(session, sql):
            raise SettingsError(
                "`clickstream query` only reads: SELECT, SHOW, DESCRIBE, EXPLAIN; tables are "
                "changed by `clickstream run` and by dbt"
            )
        frame = session.sql(sql)
        times = {
            position
            for position, field in enumerate(frame.schema.fields)
            if isinstance(field.dataType, TimestampType)
        }
        rows = _collect(_with_micros(frame, times) if times else frame, at_most)
    except PySparkException as error:
        raise ClickstreamError(f"the query failed: {first_lines(error)}") from error
    return Rows(columns=tuple(frame.columns), rows=[_in_utc(row, times) for row in rows])


def only_reads(session: SparkSession, sql: str) -> bool:
    """Return whether Spark's own parser takes `sql` for a query or a question about tables."""
    parse: Any = session._jsparkSession.sessionState().sqlParser().parsePlan
    try:
        # Only a query is valid in brackets. It is parsed, not run.
        parse(f"SELECT * FROM (\n{sql.strip().rstrip(';')}\n)")  # noqa: S608
    except ParseException:
        kind = str(parse(sql).getClass().getSimpleName())
        return kind.startswith(("Show", "Describe", "Explain"))
    return True


def _with_micros(frame: DataFrame, times: set[int]) -> DataFrame:
    """Return `frame` with its timestamps as numbers: a Python datetime would be in local time."""
    # Two columns may have the same name, so only their positions tell them apart.
    names = [f"c{position}" for position in range(len(frame.columns))]
    return frame.toDF(*names).select(
        [
            F.unix_micros(name) if position in times else F.col(name)
            for position, name in enumerate(names)
        ]
    )


def _collect(frame: DataFrame, at_most: int | None) -> list[Any]:
    rows: list[Any] = frame.collect() if at_most is None else frame.take(at_most)
    return rows


def _in_utc(row: Any, times: set[int]) -> tuple[Any, ...]:
    return tuple(
        from_micros(value) if position in times else value for position, value in enumerate(row)
    )
