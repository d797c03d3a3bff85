"""What becomes of the client's statements on their way to PostgreSQL."""

from __future__ import annotations

from redshift.backend import literal
from redshift.copy_command import CopyCommand, is_copy, read_copy
from redshift.refusal import CopyRefused
from redshift.rewrites import rewritten


def translated(sql: str) -> str | CopyCommand:
    """Return the statement for PostgreSQL, or the COPY that the stand-in has to do itself.

    A COPY that Redshift would not even begin becomes a statement that raises, so that PostgreSQL
    itself refuses it and aborts the transaction.
    """
    if not is_copy(sql):
        return rewritten(sql)
    try:
        return read_copy(sql)
    except CopyRefused as refusal:
        return raising(refusal.message)


def raising(message: str) -> str:
    """Return a statement that fails with `message`, as Redshift's COPY fails."""
    using = f"MESSAGE = {literal(message)}, ERRCODE = 'XX000'"
    return f"DO $refusal$ BEGIN RAISE EXCEPTION USING {using}; END $refusal$"
