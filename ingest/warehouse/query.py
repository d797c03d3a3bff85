"""One SQL query where the marts are, for people; no event is ever collected for it."""

from __future__ import annotations

from ingest.errors import ClickstreamError
from ingest.warehouse import Rows, Warehouse

# A terminal is no place for a table of events; more rows than this are an error, not a cut.
MAX_ROWS = 10_000


def run_query(warehouse: Warehouse, sql: str) -> Rows:
    """Return the answer to `sql`.

    Raises SettingsError when `sql` would change something, ClickstreamError when the engine refuses
    it or it gives more than MAX_ROWS rows.
    """
    found = warehouse.query(sql, at_most=MAX_ROWS + 1)
    if len(found.rows) > MAX_ROWS:
        raise ClickstreamError(
            f"the query gives more than {MAX_ROWS:,} rows: add a limit or aggregate"
        )
    return found
