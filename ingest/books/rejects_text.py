"""The rejects of a lake as text. Examples are hostile: each is cut, and printable."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.books.rejects import Example, Reason, Rejects, SourceRejects
from ingest.lake.accepted import how_to_accept
from ingest.terminal.text import count_of, printable, shortened

_SHOWN = 5
_EXAMPLE_CHARACTERS = 160


def rejects_text(found: Rejects) -> str:
    """Return the rejects for a person to read."""
    if not found.sources:
        return f"{found.lake}: no line is rejected and no object refused"
    parts = [f"lake {found.lake}"]
    for source in found.sources:
        parts.append(_source_text(source))
        for of_lines in (True, False):
            reasons = [one for one in source.reasons if (one.objects == 0) == of_lines]
            parts += map(_reason_text, reasons[:_SHOWN])
            left = count_of(len(reasons) - _SHOWN, "more reason")
            if len(reasons) > _SHOWN:
                kind = "lines were rejected" if of_lines else "objects were refused"
                parts.append(f"  ... and {left} why {kind} (--json lists all)")
    return "\n\n".join(parts)


def _source_text(source: SourceRejects) -> str:
    text = (
        f"source {source.source}: {source.lines_reject:,} of"
        f" {count_of(source.lines_read, 'line')} rejected,"
        f" {count_of(source.refused, 'object')} refused"
    )
    if source.quarantined:
        count = len(source.quarantined)
        text += (
            f"\n  {count_of(count, 'batch exceeds', 'batches exceed')} the reject limit and"
            f" {'is' if count == 1 else 'are'} quarantined; {how_to_accept(source.quarantined)}"
            "\n  To raise the limit for later batches, set reject_limit_ratio of the source."
        )
    return text


def _reason_text(reason: Reason) -> str:
    if reason.source_format is None:
        head = f"{printable(reason.reason)}: {count_of(reason.objects, 'object')}"
    else:
        read_as = printable(reason.source_format)
        head = f"{reason.reason}, read as {read_as}: {count_of(reason.lines, 'line')}"
    return "\n".join([f"  {head}", *(f"    {word:8} {text}" for word, text in _details(reason))])


def _details(reason: Reason) -> Iterator[tuple[str, str]]:
    """Yield what is known of the example and what to do, each with the word in front of it."""
    example, remedy = reason.example, reason.remedy
    if example.text is not None:
        yield "example", _shown(example)
    yield "from", _place(example)
    if example.detail is not None and example.detail != reason.reason:
        yield "detail", shortened(example.detail, _EXAMPLE_CHARACTERS)
    yield "remedy", printable(remedy.advice)
    for index, command in enumerate(remedy.commands):
        yield "then" if index else "try", printable(command)


def _shown(example: Example) -> str:
    text = shortened(example.text or "", _EXAMPLE_CHARACTERS)
    is_whole = example.length is None or not text.endswith("…")
    return text if is_whole else f"{text} ({example.length:,} bytes)"


def _place(example: Example) -> str:
    text = printable(example.source_file)
    if example.source_line is not None:
        text += f", line {example.source_line:,}"
    if example.source_offset is not None:
        text += f", byte {example.source_offset:,}"
    return text
