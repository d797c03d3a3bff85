"""What Redshift's errors mean: try again, or which setting, grant or batch is wrong."""

from __future__ import annotations

import re
from typing import Any

from redshift_connector.error import Error, InterfaceError, OperationalError

# Another transaction was in the way: the same one, sent again, may succeed. The words are from
# Redshift's list of errors and PostgreSQL's, which the older parts of it share.
_IN_THE_WAY = (
    "serializable isolation violation",
    "conflict with concurrent transaction",
    "could not open relation with oid",
    "deadlock detected",
    "could not serialize access",
    # Two loaders create or widen the landing tables at once: the next look finds it done.
    'duplicate key value violates unique constraint "pg_',
    "already exists",
    "tuple concurrently updated",
)
_SIGNATURE = re.compile(r"(https?://[^\s?]+)\?[^\s'\")]+", re.IGNORECASE)
_LOST = (InterfaceError, OperationalError, OSError)
_DENIED = ("permission denied", "must be owner of")
DRIVER_ERRORS = (Error, OSError)


def message_of(error: BaseException) -> str:
    """Return the server's own sentence, or what the driver says, without what nobody may see.

    Of the server's fields only the message: the detail may hold a row.
    """
    told: Any = error.args[0] if error.args else ""
    if isinstance(told, dict):
        told = told.get("M") or "an error without a message"
    elif len(error.args) > 1:  # "communication error" alone tells nobody anything
        told = ": ".join(map(str, error.args))
    return unsigned(str(told).strip()) or type(error).__name__


def unsigned(text: str) -> str:
    """Return `text` without the signatures of URLs: whoever has one may read the object."""
    return _SIGNATURE.sub(r"\1?...", text)


def is_in_the_way(error: BaseException) -> bool:
    """Return whether another transaction was the reason."""
    text = message_of(error).lower()
    return any(words in text for words in _IN_THE_WAY)


def is_lost(error: BaseException) -> bool:
    """Return whether the connection is gone: nobody knows what became of the last statement."""
    return isinstance(error, _LOST) and not isinstance(error.args[0] if error.args else "", dict)


def is_about_data(error: BaseException) -> bool:
    """Return whether a statement was refused for what it says or reads."""
    return not (is_in_the_way(error) or is_lost(error) or is_denied(error))


def is_denied(error: BaseException) -> bool:
    """Return whether a grant is missing."""
    return any(words in message_of(error).lower() for words in _DENIED)


def missing_grant(error: BaseException, *, to_read: bool = False) -> str:
    """Return what to grant, `to_read` to somebody who only reads, else to the loader."""
    if to_read:
        return "grant the user usage on the schema, and select on the table or view"
    if "for database" in message_of(error).lower():
        return "grant the user create on the database"
    return "grant the user usage and create on the schema, and let it own the tables"
