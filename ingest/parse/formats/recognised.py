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

_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[0-9.]*Z?")
_CLOUDFRONT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9]{2}:[0-9]{2}:[0-9]{2}\t")
_S3 = re.compile(r"[^ ]+ [^ ]+ \[[^\]]+\] [^ ]+ ")
_S3_OPERATION = re.compile(r" (?:REST|WEBSITE|SOAP|BATCH|S3)\.[A-Z0-9_.]+ ")
_HOST_PORT = re.compile(r"(?:\[[^\]]+\]|[^: ]+):[0-9]+|-")
_SNOWPLOW_TABS = 130
_CLOUDFRONT_TABS = 11
_ALB_FIELDS = 20

Score = Callable[[Head, ParseSettings], int]


def _count(fits: Callable[[str], bool]) -> Score:
    """Return the score of a format whose lines are those that `fits`."""

    def score(head: Head, _settings: ParseSettings) -> int:
        return sum(fits(line.decode(errors="replace")) for line in head.sample)

    return score


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


def _is_alb(line: str) -> bool:
    fields = line.split()
    return (
        len(fields) >= _ALB_FIELDS
        and _ISO_TIME.fullmatch(fields[1]) is not None
        and "/" in fields[2]
    )


def _is_clb(line: str) -> bool:
    fields = line.split(None, 3)
    return (
        len(fields) > 3
        and _ISO_TIME.fullmatch(fields[0]) is not None
        and _HOST_PORT.fullmatch(fields[2]) is not None
    )


def _is_s3(line: str) -> bool:
    start = _S3.match(line)
    return start is not None and _S3_OPERATION.search(line, start.end() - 1) is not None


for _form in (
    Format(
        name="cloudfront",
        description="CloudFront's standard log",
        score=_score_cloudfront,
        rank=1,
    ),
    Format(
        name="snowplow",
        description="Snowplow's enriched events",
        score=_count(_is_snowplow),
        rank=4,
    ),
    Format(
        name="alb",
        description="access log of an AWS application load balancer",
        score=_count(_is_alb),
        rank=6,
    ),
    Format(
        name="clb",
        description="access log of an AWS classic load balancer",
        score=_count(_is_clb),
        rank=7,
    ),
    Format(
        name="s3",
        description="server access log of Amazon S3",
        score=_count(_is_s3),
        rank=8,
    ),
):
    register(_form)
