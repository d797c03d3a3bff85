"""Which statements `clickstream query` sends to Redshift at all.

The transaction only reads, but some statements are not bound by it: UNLOAD writes to S3, CALL runs
a procedure, COMMIT ends the transaction. So a query must begin with a word that reads.
"""

from __future__ import annotations

import re

from ingest.errors import SettingsError

_READING = ("select", "with", "show", "explain")
_IGNORED = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


def check_reads(sql: str) -> None:
    """Raise SettingsError unless `sql` begins like a query. The driver refuses a second one."""
    start = _IGNORED.match(sql)
    word = _WORD.match(sql, start.end() if start else 0)
    if word is None or word[0].lower() not in _READING:
        raise SettingsError(
            "`clickstream query` only reads the tables of the warehouse (SELECT, WITH, SHOW,"
            " EXPLAIN), which `clickstream run` and dbt change"
        )
