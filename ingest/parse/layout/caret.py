"""Points at a place in a text, safely for a terminal."""

from __future__ import annotations

from ingest.terminal.text import printable

# Shown before and after the place; of a megabyte nobody wants to see more.
_BEFORE, _AFTER = 60, 40


def pointed(text: str, at: int) -> str:
    """Return two lines: the part of `text` around character `at`, and a caret below it."""
    start = max(0, at - _BEFORE)
    before = ("..." if start else "") + printable(text[start:at])
    after = printable(text[at : at + _AFTER]) + ("..." if len(text) > at + _AFTER else "")
    return f"  {before}{after}\n  {' ' * len(before)}^"
