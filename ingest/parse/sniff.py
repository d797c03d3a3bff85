"""Finds the format of an object from its first bytes: section 3.10 of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.parse.content import BOM, REMEDIES, refusal
from ingest.parse.fields.text import is_blank
from ingest.parse.format import Format, Head
from ingest.parse.registry import configured, fallback, supported
from ingest.settings import ParseSettings
from ingest.unpack.layers import kind_of

SNIFF_BYTES = 64 << 10
_SAMPLE_LINES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What the first bytes of an object show.

    `format` is a concrete format, None when there is none or none is needed. `splittable`:
    whether the object may be read in byte ranges. `reason` is why it is refused as a whole.
    """

    format: str | None = None
    splittable: bool = False
    reason: str | None = None


def sniff(head: bytes, *, settings: ParseSettings) -> Sniffed:
    """Return what `head`, the first 64 KiB of the stored bytes of an object, shows.

    Fewer bytes mean that they are the whole object. Its key plays no part: ADR 15. What is
    compressed is never splittable, and its format is found when it is read.
    """
    if kind_of(head) is not None:
        return Sniffed()
    return find_format(head, whole=len(head) < SNIFF_BYTES, settings=settings)


def find_format(start: bytes, *, whole: bool, settings: ParseSettings) -> Sniffed:
    """Return what the first bytes `start` of a content show; `whole` = they are all of it.

    Content of blank lines and comments only has no format, and needs none.
    """
    reason = refusal(start)
    if reason is not None:
        return Sniffed(reason=reason)
    head = _head(start.removeprefix(BOM), whole=whole)
    form = configured(settings)
    if form is not None:
        return _found(form, head)
    winner = _winner(head, settings)
    if winner is not None:
        return _found(winner, head)
    if not head.sample:
        # What follows a long preamble is unknown; the fallback loses none of it.
        return Sniffed() if whole else _found(fallback(), head)
    return Sniffed(reason=next(_refusals(head), "unknown_format"))


def _found(form: Format, head: Head) -> Sniffed:
    reason = form.refusal(head)
    if reason is not None:
        return Sniffed(reason=reason)
    return Sniffed(format=form.name, splittable=form.splittable)


def _head(start: bytes, *, whole: bool) -> Head:
    lines = _complete_lines(start, whole=whole)
    filled = [line for line in lines if not is_blank(line)]
    records = [line for line in filled if not line.startswith(b"#")]
    return Head(
        lines=tuple(lines), sample=tuple(records[:_SAMPLE_LINES]), first=next(iter(filled), b"")
    )


def _complete_lines(start: bytes, *, whole: bool) -> list[bytes]:
    """Return the complete lines of `start`, or its one line when even that is not complete.

    NULs at the start of a line are passed over, as when it is read.
    """
    *lines, rest = start.split(b"\n")
    if rest and (whole or not lines):
        lines.append(rest)
    return [line.lstrip(b"\0").removesuffix(b"\r") for line in lines]


def _winner(head: Head, settings: ParseSettings) -> Format | None:
    """Return the format that fits most lines (of equals the first by rank), None if none does."""
    scores = [
        (form.score(head, settings), -form.rank, form)
        for form in supported()
        if form.score is not None
    ]
    score, _, winner = max(scores, key=lambda entry: entry[:2])
    return winner if score else None


def _refusals(head: Head) -> Iterator[str]:
    return (reason for form in supported() if (reason := form.refusal(head)) is not None)


def remedy(reason: str) -> str | None:
    """Return what to do about an object that is refused as a whole; None = no remedy is known."""
    if reason == "unknown_format":
        return (
            "no format is recognised in its content: name one of `clickstream formats`, or describe"
            " its lines by log_format or mapping; `clickstream formats explain --guess FILE`"
            " proposes a log_format"
        )
    of_formats = (form.remedies[reason] for form in supported() if reason in form.remedies)
    return REMEDIES.get(reason) or next(of_formats, None)
