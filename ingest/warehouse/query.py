"""One SQL query where the marts are, for people; no event is ever collected for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.errors import ClickstreamError, SettingsError
from ingest.settings import Settings
from ingest.spark.failure import first_lines
from ingest.warehouse.target import load_target

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A terminal is no place for a table of events; more rows than this are an error, not a cut.
MAX_ROWS = 10_000

Rows = list[tuple[Any, ...]]


def run_query(settings: Settings, session: SparkSession, sql: str) -> tuple[list[str], Rows]:
    """Return the column names and the rows of `sql`, run with the marts' schema as current one.

    Raises SettingsError when `sql` would change something, ClickstreamError when Spark refuses it
    or it gives more than MAX_ROWS rows.
    """
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import PySparkException

    try:
        session.sql(f"USE {load_target(settings).schema}")
        if not _only_reads(session, sql):
            raise SettingsError(
                "`clickstream query` only reads: SELECT, SHOW, DESCRIBE, EXPLAIN. Tables are "
                "changed by `clickstream run` and by dbt."
            )
        frame = session.sql(sql)
        rows = [tuple(row) for row in frame.take(MAX_ROWS + 1)]
    except (PySparkException, Py4JError) as error:
        raise ClickstreamError(f"the query failed: {first_lines(error)}") from error
    if len(rows) > MAX_ROWS:
        raise ClickstreamError(
            f"the query gives more than {MAX_ROWS:,} rows: add a limit or aggregate"
        )
    return list(frame.columns), rows


def _only_reads(session: SparkSession, sql: str) -> bool:
    """Return whether Spark's own parser takes `sql` for a query or a question about tables."""
    from pyspark.errors import ParseException

    parse: Any = session._jsparkSession.sessionState().sqlParser().parsePlan
    try:
        # Only a query can stand in brackets. It is parsed, not run.
        parse(f"SELECT * FROM (\n{sql.strip().rstrip(';')}\n)")  # noqa: S608
    except ParseException:
        kind = str(parse(sql).getClass().getSimpleName())
        return kind.startswith(("Show", "Describe", "Explain"))
    return True
