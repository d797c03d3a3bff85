"""Which statements `clickstream query` sends to Redshift at all.

The transaction only reads, but some statements are not bound by it: UNLOAD writes to S3, CALL runs
a procedure, COMMIT ends the transaction. So a query must begin with a word that reads.
"""

from __future__ import annotations

import re

from ingest.errors import SettingsError

_READING = ("select", "with", "show", "explain")
_IGNORED = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|\()*")
_OF_COMMENTS = re.compile(r"/\*|\*/")
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


def check_reads(sql: str) -> str:
    """Return the word that `sql` begins with, in lower case. The driver refuses a second statement.

    Raises SettingsError unless it is the word of a query.
    """
    word = _WORD.match(sql, _first(sql))
    if word is None or word[0].lower() not in _READING:
        raise SettingsError(
            "`clickstream query` only reads the tables of the warehouse (SELECT, WITH, SHOW,"
            " EXPLAIN), which `clickstream run` and dbt change"
        )
    return word[0].lower()


def _first(sql: str) -> int:
    """Return where the first word may begin: behind blanks, parentheses and comments, which nest.

    An unclosed comment goes to the end.
    """
    at = 0
    while True:
        ignored = _IGNORED.match(sql, at)
        at = ignored.end() if ignored else at
        if not sql.startswith("/*", at):
            return at
        depth = 0
        for mark in _OF_COMMENTS.finditer(sql, at):
            depth += 1 if mark[0] == "/*" else -1
            at = mark.end()
            if not depth:
                break
        if depth:
            return len(sql)
