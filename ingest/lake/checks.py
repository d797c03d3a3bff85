"""Two numbers that must be equal, and what to say when they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Two numbers that must be equal. `detail` says where they differ, or what they count."""

    name: str
    expected: int
    found: int
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether both numbers are equal."""
        return self.expected == self.found


def compare_rows(name: str, expected: Mapping[Any, object], found: Mapping[Any, object]) -> Check:
    """Return the check that both mappings hold the same rows: all keys against those that agree."""
    keys = expected.keys() | found.keys()
    wrong = sorted(str(key) for key in keys if expected.get(key) != found.get(key))
    return Check(
        name=name,
        expected=len(keys),
        found=len(keys) - len(wrong),
        detail=first_few(wrong) or "rows",
    )


def first_few(items: Sequence[object]) -> str:
    """Return the first items as text, and how many more there are."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(map(str, items[:_SHOWN])) + more
