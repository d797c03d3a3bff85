"""Queries on Spark that change nothing, with times in UTC whatever the machine's zone is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the usual alias
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    CalendarIntervalType,
    DataType,
    MapType,
    StructType,
    TimestampType,
    YearMonthIntervalType,
)

from ingest.errors import ClickstreamError, SettingsError
from ingest.spark.failure import first_lines
from ingest.warehouse import Rows
from ingest.warehouse.spark.reads import forbidden_part
from ingest.warehouse.spark.times import from_micros

_REMEDIES = {
    "OutOfMemoryError": "Spark ran out of memory: ask for less at once",
    "StackOverflowError": "it is nested too deeply: make it simpler",
    "FAILED_READ_FILE": (
        "a file of its tables is damaged: `clickstream run --full-refresh` builds the marts again,"
        " `clickstream verify --deep` names damaged files of the lake"
    ),
}
_BEYOND_TABLES = ("spark.sql.runSQLOnFiles", "spark.sql.variable.substitute")


def query(session: SparkSession, schema: str, sql: str, *, at_most: int | None = None) -> Rows:
    """Return the first `at_most` rows of `sql` (None = all), run with `schema` as the current one.

    Raises SettingsError when `sql` would do more than read tables, ClickstreamError when Spark
    refuses it.
    """
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise SettingsError("the query is not UTF-8 text") from error
    try:
        if session.catalog.databaseExists(schema):  # dbt creates it
            session.catalog.setCurrentDatabase(schema)
        with only_tables(session):
            if part := forbidden_part(session, sql):
                raise SettingsError(
                    f"{part}: `clickstream query` only reads the tables of the warehouse (SELECT,"
                    " SHOW, DESCRIBE, EXPLAIN), which `clickstream run` and dbt change"
                )
            frame = session.sql(sql)
        types = [field.dataType for field in frame.schema.fields]
        times = {at for at, kind in enumerate(types) if isinstance(kind, TimestampType)}
        rows = [_in_utc(row, times) for row in _collect(_without_datetimes(frame, types), at_most)]
    except PySparkException as error:
        raise ClickstreamError(f"the query failed: {first_lines(error)}") from error
    except Py4JJavaError as error:
        remedy = _remedy(str(error))
        if remedy is None:
            raise
        raise ClickstreamError(f"the query failed: {remedy}") from error
    except (OverflowError, ValueError) as error:  # Spark knows more years than Python
        raise ClickstreamError(
            "the query failed: a time or date is outside of the years 1 to 9999; cast it to string"
        ) from error
    return Rows(columns=tuple(frame.columns), rows=rows)


@contextmanager
def only_tables(session: SparkSession) -> Iterator[None]:
    """Let a query name tables only: no file as format.`path`, no variable of the environment."""
    before = {name: session.conf.get(name) for name in _BEYOND_TABLES}
    for name in before:
        session.conf.set(name, "false")
    try:
        yield
    finally:
        for name, value in before.items():
            session.conf.set(name, value or "true")


def _without_datetimes(frame: DataFrame, types: Sequence[DataType]) -> DataFrame:
    """Return `frame` with its times as numbers, and what Python cannot hold as text.

    A Python datetime would be in local time, and pyspark cannot make those of the year 1.
    """
    if not any(map(_needs_another_type, types)):
        return frame
    # Two columns may have the same name, so only their positions tell them apart.
    names = [f"c{position}" for position in range(len(types))]
    return frame.toDF(*names).select(
        [_plain(F.col(n), t) for n, t in zip(names, types, strict=True)]
    )


def _plain(column: Column, kind: DataType) -> Column:
    if isinstance(kind, TimestampType):
        return F.unix_micros(column)
    return column.cast("string") if _needs_another_type(kind) else column


def _needs_another_type(kind: DataType) -> bool:
    """Return whether Python has no right value for `kind`: times, intervals, keys with no hash."""
    match kind:
        case TimestampType() | CalendarIntervalType() | YearMonthIntervalType():
            return True
        case ArrayType():
            return _needs_another_type(kind.elementType)
        case MapType():
            no_hash = isinstance(kind.keyType, ArrayType | BinaryType | MapType | StructType)
            return no_hash or any(map(_needs_another_type, (kind.keyType, kind.valueType)))
        case StructType():
            return any(_needs_another_type(field.dataType) for field in kind.fields)
    return False


def _remedy(failure: str) -> str | None:
    """Return what to do about a query that ended in Java, None when that is not known."""
    return next((remedy for word, remedy in _REMEDIES.items() if word in failure), None)


def _collect(frame: DataFrame, at_most: int | None) -> list[Any]:
    rows: list[Any] = frame.collect() if at_most is None else frame.take(at_most)
    return rows


def _in_utc(row: Any, times: set[int]) -> tuple[Any, ...]:
    return tuple(
        from_micros(value) if position in times else value for position, value in enumerate(row)
    )
