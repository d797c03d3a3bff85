"""One SQL query on the warehouse, for people."""

from __future__ import annotations

from ingest.errors import ClickstreamError
from ingest.warehouse import Rows, Warehouse

# A terminal is not the place for a table of events. More rows than this are an error: a silent
# cut would look like the whole answer.
MAX_ROWS = 10_000


def run_query(warehouse: Warehouse, sql: str) -> Rows:
    """Return the answer to `sql`.

    Raises SettingsError when `sql` would change anything, ClickstreamError when the engine refuses
    it or it returns more than MAX_ROWS rows.
    """
    found = warehouse.query(sql, at_most=MAX_ROWS + 1)
    if len(found.rows) > MAX_ROWS:
        raise ClickstreamError(
            f"the query returns more than {MAX_ROWS:,} rows: add a limit or aggregate"
        )
    return found
