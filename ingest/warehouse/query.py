"""One SQL query on the warehouse, for people."""

from __future__ import annotations

from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse import Rows, Warehouse

# A terminal is not the place for a table of events. More rows than this are an error: a silent
# cut would look like the whole answer.
MAX_ROWS = 10_000
NO_TABLES = "no tables yet: run `clickstream run` first"


def run_query(warehouse: Warehouse, sql: str) -> Rows:
    """Return the answer to `sql`.

    Raises SettingsError when `sql` would change anything or there is no table that it could ask,
    ClickstreamError when the engine refuses it or it returns more than MAX_ROWS rows.
    """
    try:
        found = warehouse.query(sql, at_most=MAX_ROWS + 1)
    except SettingsError:
        raise
    except ClickstreamError as error:
        if warehouse.relations():
            raise
        raise SettingsError(NO_TABLES) from error
    if len(found.rows) > MAX_ROWS:
        raise ClickstreamError(
            f"the query returns more than {MAX_ROWS:,} rows: add a limit or aggregate"
        )
    return found
