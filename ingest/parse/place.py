"""The place where a line stops fitting its format, as details of rejects name it.

A detail is text in a table: `place_in` finds the place again, for a caret below it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ingest.parse.verdict import Reject

_PLACE = re.compile(r" at character ([1-9][0-9]{0,8})\Z")


class Misfit(NamedTuple):
    """Character `at` of a line is where it stops fitting its format, which has `expected` there."""

    at: int
    expected: str


class Part(NamedTuple):
    """A part of a line, by the name that people know, and what it looks like."""

    name: str
    pattern: re.Pattern[str]


def parts(**patterns: str) -> tuple[Part, ...]:
    """Return parts in their order; `_` stands for each blank of a name."""
    return tuple(Part(name.replace("_", " "), re.compile(text)) for name, text in patterns.items())


def walk(text: str, at: int, expected: Sequence[Part]) -> Misfit | int:
    """Return where the parts end that `text` has from `at` on, or which of them is not there."""
    for part in expected:
        match = part.pattern.match(text, at)
        if match is None:
            return Misfit(at, part.name)
        at = match.end()
    return at


def placed(what: str, at: int, line: str = "") -> str:
    """Return the detail `what` with its place; people count characters from 1.

    `at` does not count the spaces at the beginning of `line`.
    """
    return f"{what} at character {len(line) - len(line.lstrip(' ')) + at + 1}"


def located(text: str, line: str) -> str:
    """Return the detail `text`, a part of `line`, with its place."""
    at = line.find(text)
    return text if at < 0 else placed(text, at)


def no_match(misfit: Misfit, line: str = "") -> Reject:
    """Return the reject of a line for `misfit`; `line` as for `placed`."""
    return Reject("no_match", placed(f"expected {misfit.expected}", misfit.at, line))


def place_in(detail: str) -> int | None:
    """Return which character of its line a detail names, counted from 0; None when it has none."""
    found = _PLACE.search(detail)
    return None if found is None else int(found[1]) - 1
