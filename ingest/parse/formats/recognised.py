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

_CLOUDFRONT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9]{2}:[0-9]{2}:[0-9]{2}\t")
_JSON_ARRAY = re.compile(r"\[[ \t]*\{")
_SNOWPLOW_TABS = 130
_CLOUDFRONT_TABS = 11

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


def _is_snowplow(line: str) -> bool:
    return line.count("\t") == _SNOWPLOW_TABS


def _score_cloudfront(head: Head, settings: ParseSettings) -> int:
    lines = [line.lower() for line in head.lines if line.startswith(b"#")]
    has_fields = any(line.startswith(b"#fields:") for line in lines)
    if has_fields and not any(line.startswith(b"#software:") for line in lines):
        return len(head.sample)
    return _count(_is_cloudfront)(head, settings)


def _is_cloudfront(line: str) -> bool:
    return _CLOUDFRONT.match(line) is not None and line.count("\t") >= _CLOUDFRONT_TABS


for _form in (
    Format(
        name="cloudfront",
        description="CloudFront's standard log",
        score=_score_cloudfront,
        rank=1,
    ),
    Format(
        name="jsonl",
        description="one JSON value per line",
        score=_count(_is_json),
        rank=2,
        refusal=_pretty_printed,
        remedies={"multiline_json": "write one JSON value per line"},
    ),
    Format(
        name="snowplow",
        description="Snowplow's enriched events",
        score=_count(_is_snowplow),
        rank=4,
    ),
):
    register(_form)
