"""Lines by verdict, as every hop counts them: the books of a file, a batch, a target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCounts:
    """Lines by verdict, and the events that came of them.

    Each line has exactly one verdict, so the books balance when `lines_read` equals `judged`.
    """

    lines_read: int = 0
    lines_ok: int = 0
    lines_warn: int = 0
    lines_skip: int = 0
    lines_reject: int = 0
    events: int = 0

    @property
    def judged(self) -> int:
        """The lines that have a verdict."""
        return self.lines_ok + self.lines_warn + self.lines_skip + self.lines_reject


COUNTS = tuple(field.name for field in fields(LineCounts))


def add_counts(counted: Iterable[LineCounts]) -> dict[str, Any]:
    """Return the sum of each count (int) by its name, ready to be passed on as keywords.

    Any, since mypy takes such keywords for all that the call leaves open, of other types too.
    """
    counted = list(counted)
    return {name: sum(getattr(one, name) for one in counted) for name in COUNTS}
