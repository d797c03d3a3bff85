"""Finds the format of an object from its first bytes: section 3.10 of the specification.

The signatures of formats that are not built yet are tested as well, so that their content ends
as `unknown_format` and is never read as something else. Key hints only decide between those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.parse.content import BOM, GZIP_MAGIC, refusal
from ingest.parse.fields.text import is_blank
from ingest.parse.formats import access, schematic
from ingest.parse.model import ParseSettings
from ingest.parse.registry import AUTO, FORMATS
from ingest.parse.verdict import Reject

SNIFF_BYTES = 64 << 10
_SNIFF_LINES = 100
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[0-9.]*+Z?")
_CLOUDFRONT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9]{2}:[0-9]{2}:[0-9]{2}\t")
_S3 = re.compile(r"[^ ]++ [^ ]++ \[[^\]]++\] [^ ]++ ")
_S3_OPERATION = re.compile(r" (?:REST|WEBSITE|SOAP|BATCH|S3)\.[A-Z0-9_.]++ ")
_JSON_ARRAY = re.compile(r"\[[ \t]*+\{")
_HOST_PORT = re.compile(r"(?:\[[^\]]++\]|[^: ]++):[0-9]++|-")
_SNOWPLOW_TABS = 130
_CLOUDFRONT_TABS = 11
_ALB_FIELDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What the first bytes of an object tell.

    `format` is a concrete format, None when there is none or none is needed. `splittable` says
    whether the object may be read in byte ranges. `reason` is why it is refused as a whole.
    """

    format: str | None = None
    splittable: bool = False
    reason: str | None = None


def sniff(head: bytes, *, name: str, settings: ParseSettings) -> Sniffed:
    """Return what `head`, the first 64 KiB of the stored bytes of an object, tells.

    Fewer bytes mean that they are the whole object. `name` plays no part: content decides.
    gzip is never splittable, and its format is found when it is read.
    """
    del name
    if head.startswith(GZIP_MAGIC):
        return Sniffed()
    return find_format(head, whole=len(head) < SNIFF_BYTES, settings=settings)


def find_format(head: bytes, *, whole: bool, settings: ParseSettings) -> Sniffed:
    """Return what the first bytes `head` of a content tell; `whole` means that they are all of it.

    No format at all is found where there are only blank lines and comments, and needed neither.
    """
    reason = refusal(head)
    if reason is not None:
        return Sniffed(reason=reason)
    if settings.format != AUTO:
        return _found(settings.format)
    lines = _complete_lines(head.removeprefix(BOM), whole=whole)
    first = next((line for line in lines if not is_blank(line)), None)
    candidates = [x for x in lines if not is_blank(x) and not x.startswith(b"#")][:_SNIFF_LINES]
    if first is not None and schematic.is_header(first):
        # Its first column may be `# Of Purchases`, which looks like a comment.
        candidates = candidates or [first]
    if not candidates:
        # A long preamble: what follows is unknown, and as `access` nothing of it can get lost.
        return Sniffed() if whole else _found(access.FORMAT)
    winner = _best(lines, first or b"", candidates, settings)
    if winner in FORMATS:
        return _found(winner)
    pretty = first is not None and first.strip(b" \t") in (b"{", b"[")
    return Sniffed(reason="multiline_json" if pretty else "unknown_format")


def _found(name: str) -> Sniffed:
    return Sniffed(format=name, splittable=FORMATS[name].splittable)


def _complete_lines(head: bytes, *, whole: bool) -> list[bytes]:
    """Return the complete lines of `head`, or its one line when even that is not complete."""
    *lines, rest = head.split(b"\n")
    if rest and (whole or not lines):
        lines.append(rest)
    return [line.removesuffix(b"\r") for line in lines]


def _best(
    lines: Sequence[bytes], first: bytes, candidates: Sequence[bytes], settings: ParseSettings
) -> str | None:
    """Return the format that fits most of `candidates` (of equals the first), None if none does."""
    texts = [line.decode(errors="replace") for line in candidates]
    scores = {"cloudfront": len(candidates) * _has_fields_line(lines)}
    scores["jsonl"] = sum(map(_is_json, texts))
    scores[schematic.FORMAT] = len(candidates) * schematic.is_header(first)
    for name, fits in _SIGNATURES.items():
        scores[name] = max(scores.get(name, 0), sum(map(fits, texts)))
    scores[access.FORMAT] = sum(_is_access(line, settings) for line in candidates)
    winner = max(scores, key=lambda name: scores[name])
    return winner if scores[winner] else None


def _has_fields_line(lines: Sequence[bytes]) -> bool:
    return any(line.lower().startswith(b"#fields:") for line in lines) and not any(
        line.lower().startswith(b"#software:") for line in lines
    )


def _is_json(line: str) -> bool:
    return line.startswith("{") or _JSON_ARRAY.match(line) is not None


def _is_snowplow(line: str) -> bool:
    return line.count("\t") == _SNOWPLOW_TABS


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


def _is_access(line: bytes, settings: ParseSettings) -> bool:
    return access.parse_line(line, settings) != Reject("no_match")


_SIGNATURES: dict[str, Callable[[str], bool]] = {
    "snowplow": _is_snowplow,
    "cloudfront": _is_cloudfront,
    "alb": _is_alb,
    "clb": _is_clb,
    "s3": _is_s3,
}
