"""Reads one raw object, or a byte range of it, to verdicts on its lines and one on itself.

Statuses and their precedence: section 1.4 of the format specification. The status `failed` is
given by the caller: errors of storage pass through here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow.compute as pc

from ingest.lake.counts import LineCounts, add_counts
from ingest.parse.content import BOM, GZIP_MAGIC, Gunzip, Stored, owned, peek
from ingest.parse.format import Parser
from ingest.parse.lines import Cutter, LongLine
from ingest.parse.model import Identity, Lines, ObjectVerdict, Parsed, ReadRange
from ingest.parse.registry import check_settings, fallback, lookup
from ingest.parse.sniff import SNIFF_BYTES, find_format
from ingest.parse.verdict import Refused
from ingest.settings import ParseSettings
from ingest.terminal.text import count_of

_GZIP_SUFFIXES = (".gz", ".gzip")
_MAX_LAYERS = 2


def parse_object(
    read: ReadRange,
    size: int,
    *,
    name: str,
    identity: Identity,
    settings: ParseSettings,
    start: int = 0,
    end: int | None = None,
) -> Iterator[Parsed | ObjectVerdict]:
    """Yield the verdicts on the lines that start in [start, end), then one ObjectVerdict.

    `size` counts the stored bytes, `name` is the object's key; `end` None is the end of the
    object. Raises SettingsError for a format that is not supported or does not read the settings
    given for it, ValueError for a range of an object that `sniff` does not call splittable, and
    what `read` raises.
    """
    check_settings(settings)
    stored = Stored(read, size, start=start, end=end)
    try:
        verdict = yield from _read(_opened(stored, settings), name, identity, settings)
    except Refused as refused:
        verdict = ObjectVerdict(
            source_format=None, file_status="rejected", file_reason=refused.reason
        )
    stored.drain()
    yield replace(verdict, chunk_digests=tuple(stored.digests))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """The content of an object inside all its gzip layers, from `offset` on.

    `pieces` are all its bytes, the first ones being `head`; `format` is None when the content
    needs none. `first_line` is None in a byte range.
    """

    offset: int
    first_line: int | None
    head: bytes
    pieces: Iterator[bytes]
    format: str | None
    layers: tuple[Gunzip, ...]

    @property
    def error(self) -> str | None:
        """What is damaged in a gzip layer, as far as it was read."""
        return next((layer.error for layer in self.layers if layer.error), None)


def _opened(stored: Stored, settings: ParseSettings) -> _Content:
    """Return the content of `stored`; raises Refused when it cannot be read."""
    if stored.is_whole:
        head, pieces, is_all = peek(stored.blocks, SNIFF_BYTES)
    else:
        head = stored.read(0, min(SNIFF_BYTES, stored.size))
        pieces, is_all = iter(()), len(head) == stored.size
    layers: list[Gunzip] = []
    while head.startswith(GZIP_MAGIC):
        if len(layers) == _MAX_LAYERS:
            raise Refused("nested_gzip")
        layers.append(Gunzip(pieces))
        head, pieces, is_all = peek(layers[-1].pieces, SNIFF_BYTES)
    if any(layer.error for layer in layers):
        head = head[: head.rfind(b"\n") + 1]
    sniffed = find_format(head, whole=is_all, settings=settings)
    if sniffed.reason is not None:
        raise Refused(sniffed.reason)
    if not stored.is_whole and (layers or not sniffed.splittable):
        raise ValueError(
            "only an uncompressed object of a splittable format can be read in byte ranges"
        )
    offset, pieces = (0, pieces) if stored.is_whole else owned(stored)
    return _Content(
        offset=offset,
        first_line=1 if stored.is_whole else None,
        head=head,
        pieces=pieces,
        format=sniffed.format,
        layers=tuple(layers),
    )


def _read(
    content: _Content, name: str, identity: Identity, settings: ParseSettings
) -> Generator[Parsed, None, ObjectVerdict]:
    """Yield the verdicts on the lines of `content`; return the one on the object."""
    form = lookup(content.format) if content.format else fallback()
    parser = form.open(identity, settings)
    books = _Books()
    for lines in _cut(content, settings):
        books.add(parsed := _parsed(parser, lines))
        yield parsed
    books.add(parsed := parser.finish())
    yield parsed
    if content.error is not None:
        readable = _readable(content.layers[-1].size, books.lines_read)
        return ObjectVerdict(
            source_format=content.format,
            file_status="corrupt_gzip",
            file_reason=f"{content.error}: {readable}",
        )
    status, reason = _status(content, name)
    return books.verdict(source_format=content.format, file_status=status, file_reason=reason)


def _readable(size: int, lines: int) -> str:
    return f"{count_of(size, 'byte')} and {count_of(lines, 'line')} could be read"


def _cut(content: _Content, settings: ParseSettings) -> Iterator[Lines | LongLine]:
    has_bom = content.offset == 0 and content.head.startswith(BOM)
    cutter = Cutter(
        offset=len(BOM) if has_bom else content.offset,
        first_line=content.first_line,
        max_line_bytes=settings.max_line_bytes,
        after_bom=has_bom,
    )
    for piece in _without_first(content.pieces, len(BOM) if has_bom else 0):
        yield from cutter.feed(piece)
    yield from cutter.finish(broken_off=content.error is not None)


def _without_first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[count:]
        count -= min(count, len(piece))


def _parsed(parser: Parser, lines: Lines | LongLine) -> Parsed:
    return parser.reject_long(lines) if isinstance(lines, LongLine) else parser.parse(lines)


def _status(content: _Content, name: str) -> tuple[str, str | None]:
    """Return the status of an object that could be read, and why it is not `ok`."""
    if not content.head:
        return "empty", "no content"
    if len(content.layers) > 1:
        return "double_gzip", "gzip inside gzip, unwrapped twice"
    garbage = sum(layer.garbage for layer in content.layers)
    if garbage:
        return "trailing_garbage", f"{count_of(garbage, 'byte')} after the last gzip member"
    if bool(content.layers) != name.lower().endswith(_GZIP_SUFFIXES):
        return "misnamed", "gzip without .gz in its name" if content.layers else "not gzip"
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
        ends = pc.min_max(parsed.events["event_time"]).as_py()
        times = [*self._times, *(time for time in ends.values() if time is not None)]
        self._times = [min(times), max(times)] if times else []

    def verdict(
        self, *, source_format: str | None, file_status: str, file_reason: str | None
    ) -> ObjectVerdict:
        return ObjectVerdict(
            source_format=source_format,
            file_status=file_status,
            file_reason=file_reason,
            min_event_time=self._times[0] if self._times else None,
            max_event_time=self._times[-1] if self._times else None,
            counts=dict(self._codes),
            chunk_digests=(),
            **add_counts([self._counts]),
        )
