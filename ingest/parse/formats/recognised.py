"""Formats that are recognised but not supported yet: their content is refused, never misread.

Signatures: section 3.10 of the format specification. A format moves into a module of its own
when its parser is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ingest.parse.format import Format, Head
from ingest.parse.registry import register
from ingest.settings import ParseSettings

_JSON_ARRAY = re.compile(r"\[[ \t]*\{")

Score = Callable[[Head, ParseSettings], int]


def _count(fits: Callable[[str], bool]) -> Score:
    """Return the score of a format whose lines are those that `fits`."""

    def score(head: Head, _settings: ParseSettings) -> int:
        return sum(fits(line.decode(errors="replace")) for line in head.sample)

    return score


def _is_json(line: str) -> bool:
    return line.startswith("{") or _JSON_ARRAY.match(line) is not None


def _pretty_printed(head: Head) -> str | None:
    return "multiline_json" if head.first.strip(b" \t") in (b"{", b"[") else None


register(
    Format(
        name="jsonl",
        description="one JSON value per line",
        score=_count(_is_json),
        rank=2,
        refusal=_pretty_printed,
        remedies={"multiline_json": "write one JSON value per line"},
    )
)
