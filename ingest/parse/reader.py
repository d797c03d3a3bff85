"""Reads one raw object, or a byte range of it, to verdicts on its lines and one on itself.

Statuses and their precedence: section 1.4 of the format specification. The status `failed` is
given by whoever can read no further: errors of storage pass through here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import datetime

from ingest.lake.counts import LineCounts, add_counts
from ingest.parse.content import BOM
from ingest.parse.format import Parser
from ingest.parse.guard import guarded
from ingest.parse.lines import Cutter, LongLine
from ingest.parse.model import Identity, Lines, ObjectVerdict, Parsed, ReadRange
from ingest.parse.opened import Opened, Part, open_content
from ingest.parse.registry import check_settings
from ingest.parse.stored import Extent, Stored
from ingest.parse.verdict import Refused
from ingest.settings import ParseSettings
from ingest.terminal.text import count_of
from ingest.unpack.layers import Unwrapped, kind_named


def parse_object(
    read: ReadRange,
    size: int,
    *,
    name: str,
    identity: Identity,
    settings: ParseSettings,
    start: int = 0,
    end: int | None = None,
    resume: int = 0,
    stop: int | None = None,
    first_line: int | None = 1,
    final: bool = True,
) -> Iterator[Parsed | ObjectVerdict]:
    """Yield the verdicts on the wanted lines of an object, then one ObjectVerdict.

    `size` counts the stored bytes, `name` is the object's key. All offsets are of content bytes:

    - [start, end) is a byte range of an uncompressed object of a splittable format: it owns the
      lines that start in it, one of which may end behind it. `end` None is the end of the object.
    - The bytes before `resume` belong to sealed batches: a line begins there, whatever byte comes
      before. `first_line` is its number, a record's in CSV; None when it is unknown. Byte ranges
      have no line numbers.
    - What lies from `stop` on is not there: the content ends at it. None is its end.
    - Unless `final`, what follows the last LF of an uncompressed object waits for a later run, and
      so does a record whose quote is open. With the end of a compressed object, and at `stop`,
      lines end.

    Of an uncompressed object of a splittable format, of what lies before `resume` only the head
    that shows its format and 4 KiB are read.
    Raises SettingsError for a format that is not supported or does not read the settings given for
    it, ValueError for a range of an object that `sniff` does not call splittable and for a
    `resume` behind the end, and what `read` raises.
    """
    check_settings(settings)
    extent = Extent(
        start=start, end=end, resume=resume, stop=stop, first_line=first_line, final=final
    )
    stored = Stored(read, size, extent)
    try:
        verdict = yield from _read(open_content(stored, settings), name, identity, settings)
    except Refused as refused:
        verdict = _void(None, "rejected", refused.reason, resume)
    yield replace(verdict, chunk_digests=stored.chunk_digests())


def _void(source_format: str | None, status: str, reason: str, resume: int) -> ObjectVerdict:
    """Return the verdict on an object of which nothing counts, so that nothing was consumed."""
    return ObjectVerdict(
        source_format=source_format,
        file_status=status,
        file_reason=reason,
        start=resume,
        end=resume,
    )


def _read(
    content: Opened, name: str, identity: Identity, settings: ParseSettings
) -> Generator[Parsed, None, ObjectVerdict]:
    """Yield the verdicts on the wanted lines of `content`; return the one on the object."""
    resume = content.stored.extent.resume
    parser = content.format.open(identity, settings)
    parser.begin(resume, content.wanted.first_line)
    for _ in _judged(parser, _cutter(content.known, settings), content.known, content):
        pass  # lines of sealed batches
    books = _Books()
    cutter = _cutter(content.wanted, settings)
    for parsed in _judged(parser, cutter, content.wanted, content):
        books.add(parsed)
        yield parsed
    unwrapped = content.unwrapped
    if unwrapped.is_bomb:
        raise Refused("expansion_limit")
    if unwrapped.error is not None:
        size, lines = unwrapped.layers[-1].size, books.lines_read
        readable = f"{count_of(size, 'byte')} and {count_of(lines, 'line')} could be read"
        return _void(content.found, "corrupt_gzip", f"{unwrapped.error}: {readable}", resume)
    status, reason = _status(unwrapped, name)
    verdict = books.verdict(
        source_format=content.found, file_status=status, file_reason=reason, start=resume
    )
    waits_from = cutter.waits_from if parser.waits_from is None else parser.waits_from
    return content.with_consumed(verdict, waits_from)


def _cutter(part: Part, settings: ParseSettings) -> Cutter:
    return Cutter(
        offset=len(BOM) if part.has_bom else part.offset,
        first_line=part.first_line,
        max_line_bytes=settings.max_line_bytes,
        after_bom=part.has_bom,
    )


def _judged(parser: Parser, cutter: Cutter, part: Part, content: Opened) -> Iterator[Parsed]:
    for lines in _cut(cutter, part, content):
        yield _parsed(parser, lines)
    if part.ends:
        yield guarded(lambda _: parser.finish(), None, offset=cutter.waits_from, line=None)


def _parsed(parser: Parser, lines: Lines | LongLine) -> Parsed:
    if isinstance(lines, LongLine):
        return guarded(parser.reject_long, lines, offset=lines.offset, line=lines.number)
    # A fault in one line names that line; one in all of them at once names the first.
    return guarded(parser.parse, lines, offset=lines.offset, line=lines.first_line)


def _cut(cutter: Cutter, part: Part, content: Opened) -> Iterator[Lines | LongLine]:
    for piece in _without_first(part.pieces, len(BOM) if part.has_bom else 0):
        yield from cutter.feed(piece)
    yield from cutter.finish(ends=part.ends and content.unwrapped.error is None)


def _without_first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[count:]
        count -= min(count, len(piece))


def _status(content: Unwrapped, name: str) -> tuple[str, str | None]:
    """Return the status of an object that could be read, and why it is not `ok`."""
    if not content.head:
        return "empty", "no content"
    promised = kind_named(name)
    if not content.layers:
        return ("misnamed", f"not {promised.name}") if promised else ("ok", None)
    layer, *inner = content.layers
    if inner:
        return "double_gzip", f"{inner[0].kind.name} inside {layer.kind.name}, unwrapped twice"
    if layer.garbage:
        garbage = count_of(layer.garbage, "byte")
        return "trailing_garbage", f"{garbage} after the last {layer.kind.unit}"
    if promised is not layer.kind:
        return "misnamed", f"{layer.kind.name} without {layer.kind.suffixes[0]} in its name"
    return "ok", None


class _Books:
    """What was read so far."""

    def __init__(self) -> None:
        self._counts = LineCounts()
        self._times: list[datetime] = []
        self._codes: Counter[str] = Counter()

    @property
    def lines_read(self) -> int:
        return self._counts.lines_read

    def add(self, parsed: Parsed) -> None:
        self._counts = LineCounts(**add_counts([self._counts, parsed.line_counts]))
        self._codes.update(parsed.counts)
        times = [*self._times, *(parsed.times or ())]
        self._times = [min(times), max(times)] if times else []

    def verdict(
        self, *, source_format: str | None, file_status: str, file_reason: str | None, start: int
    ) -> ObjectVerdict:
        return ObjectVerdict(
            source_format=source_format,
            file_status=file_status,
            file_reason=file_reason,
            min_event_time=self._times[0] if self._times else None,
            max_event_time=self._times[-1] if self._times else None,
            counts=dict(self._codes),
            start=start,
            **add_counts([self._counts]),
        )
