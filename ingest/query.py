"""One SQL query where the marts are, for people; no event is ever collected for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.errors import ClickstreamError
from ingest.settings import Settings
from ingest.target import load_target

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A terminal is no place for a table of events; more rows than this are an error, not a cut.
MAX_ROWS = 10_000

Rows = list[tuple[Any, ...]]


def rows_of(settings: Settings, session: SparkSession, sql: str) -> tuple[list[str], Rows]:
    """Return the column names and the rows of `sql`, run with the marts' schema as current one.

    Raises ClickstreamError when Spark refuses the query or it gives more than MAX_ROWS rows.
    """
    from pyspark.errors import PySparkException

    try:
        session.sql(f"USE {load_target(settings).schema}")
        frame = session.sql(sql)
        rows = [tuple(row) for row in frame.take(MAX_ROWS + 1)]
    except PySparkException as error:
        raise ClickstreamError(f"the query failed: {_first_lines(error)}") from error
    if len(rows) > MAX_ROWS:
        raise ClickstreamError(
            f"the query gives more than {MAX_ROWS:,} rows: add a limit or aggregate"
        )
    return list(frame.columns), rows


def _first_lines(error: Exception) -> str:
    """Return what Spark says before it prints its plan."""
    return str(error).strip().split("\n\n", 1)[0].split(";\n", 1)[0][:1000]
