"""Opens an object: which content bytes will be read, in which format, and what was consumed.

Rules: section 3.1 of the format specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from ingest.lake.identity import FINGERPRINT_BYTES, content_hash
from ingest.parse.content import BOM
from ingest.parse.fingerprint import Fingerprint, Watched, fingerprint
from ingest.parse.format import Format
from ingest.parse.guard import guarded
from ingest.parse.model import ObjectVerdict
from ingest.parse.ranges import owned
from ingest.parse.registry import AUTO, configured, fallback, lookup
from ingest.parse.sniff import SNIFF_BYTES, Sniffed, find_format
from ingest.parse.stored import Stored
from ingest.parse.verdict import Refused
from ingest.settings import ParseSettings
from ingest.unpack.layers import Unwrapped, kind_of, most_content, unwrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Consecutive content bytes from `offset` on, where the line numbered `first_line` begins.

    `has_bom`: a BOM comes before it. `ends`: what follows the last LF is a line too.
    """

    offset: int
    first_line: int | None
    pieces: Iterator[bytes]
    has_bom: bool
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The content of an object, ready to be read.

    `found` is the name of its format, None when it needs none; `format` is what reads it. `known`
    only prepares the parser for `wanted`, which is read after it.
    """

    unwrapped: Unwrapped
    found: str | None
    format: Format
    known: Part
    wanted: Part
    stored: Stored
    watched: Watched | None

    def with_consumed(self, verdict: ObjectVerdict, waits_from: int) -> ObjectVerdict:
        """Return `verdict` and, after all was read, what it says of the bytes consumed.

        `waits_from` is the offset behind the last complete line or record. Raises ValueError when
        the content ends before `resume`, and what reading raises.
        """
        stored, watched = self.stored, self.watched
        # The hole before a line that waits may begin in an earlier range, which consumed its part.
        waits_from = max(waits_from, stored.start)
        end = self._end(waits_from)
        digests = stored.digests_to(end) if watched is None else watched.digests
        verdict = replace(
            verdict,
            end=end,
            waiting_bytes=stored.limit - waits_from if self._may_wait else 0,
            range_digests=digests,
        )
        if stored.is_cut or end == 0:
            return verdict
        marks = self._fingerprint(end)
        return replace(
            verdict,
            opening=marks.opening,
            head=marks.head,
            tail=marks.tail,
            range_hash=content_hash(digests),
        )

    @property
    def _may_wait(self) -> bool:
        """Whether bytes may be left for later: a last line without LF reaches to the limit.

        What is left at the end of another range are NULs, before a line of a later one.
        """
        return not self.wanted.ends and self.stored.reached == self.stored.limit

    def _end(self, waits_from: int) -> int:
        if self.watched is None:
            return min(waits_from, self.stored.end) if self._may_wait else self.stored.end
        _check_resume(self.stored, self.watched.size)
        return self.watched.size

    def _fingerprint(self, end: int) -> Fingerprint:
        if self.watched is not None:
            return fingerprint(self.watched.first, self.watched.last, end)
        last = self.stored.read(max(0, end - FINGERPRINT_BYTES), end)
        return fingerprint(self.unwrapped.head, last, end)


def open_content(stored: Stored, settings: ParseSettings) -> Opened:
    """Return the content of `stored`.

    Raises Refused when it is none that can be read, ValueError for bytes that it does not have or
    that cannot be read alone, and what reading raises.
    """
    unwrapped = _unwrapped(stored, settings)
    ends = bool(unwrapped.layers) or stored.extent.final or stored.limit < stored.size
    sniffed = _sniffed(unwrapped, settings, ends=ends)
    if stored.is_cut and (unwrapped.layers or not sniffed.splittable):
        raise ValueError(
            "only an uncompressed object of a splittable format is read in byte ranges"
        )
    form = configured(settings) or (lookup(sniffed.format) if sniffed.format else fallback())
    has_bom = unwrapped.head.startswith(BOM)
    watched, before, (offset, pieces) = _places(stored, unwrapped, needs_all=not form.splittable)
    return Opened(
        unwrapped=unwrapped,
        found=sniffed.format,
        format=form,
        known=Part(offset=0, first_line=None, pieces=before, has_bom=has_bom, ends=True),
        wanted=Part(
            offset=offset,
            first_line=None if stored.is_cut else stored.extent.first_line,
            pieces=pieces,
            has_bom=has_bom and offset == 0,
            ends=ends,
        ),
        stored=stored,
        watched=watched,
    )


def _places(
    stored: Stored, unwrapped: Unwrapped, *, needs_all: bool
) -> tuple[Watched | None, Iterator[bytes], tuple[int, Iterator[bytes]]]:
    """Return (what watches layers, the bytes before `resume`, offset and bytes of what is wanted).

    The bytes before `resume` are none unless the parser of the format `needs_all`.
    """
    resume = stored.extent.resume
    if not unwrapped.layers:
        _check_resume(stored, stored.limit)
        before = stored.before(resume) if needs_all else iter(())
        return None, before, owned(stored, unwrapped.pieces)
    watched = Watched(unwrapped.pieces, resume=resume, stop=stored.extent.stop)
    before, pieces = _split(watched.pieces, resume)
    if not needs_all:
        for _ in before:
            pass
    return watched, before, (resume, pieces)


def _unwrapped(stored: Stored, settings: ParseSettings) -> Unwrapped:
    if not stored.is_all:
        size = SNIFF_BYTES if settings.format == AUTO else FINGERPRINT_BYTES
        head = stored.read(0, min(size, stored.size))
        if kind_of(head) is None:
            return Unwrapped(head, stored.blocks, len(head) == stored.size)
        stored.want_all()
    most = most_content(stored.size, settings.max_expansion_ratio)
    return unwrap(stored.blocks, SNIFF_BYTES, most=most)


def _sniffed(unwrapped: Unwrapped, settings: ParseSettings, *, ends: bool) -> Sniffed:
    head = unwrapped.head
    if kind_of(head) is not None:
        raise Refused("nested_gzip")
    if unwrapped.error is not None or (unwrapped.is_all and not ends):
        head = head[: head.rfind(b"\n") + 1]
    find = partial(find_format, whole=unwrapped.is_all, settings=settings)
    sniffed = guarded(find, head, offset=0, line=1)
    if sniffed.reason is not None:
        raise Refused(sniffed.reason)
    return sniffed


def _check_resume(stored: Stored, size: int) -> None:
    if size < stored.extent.resume:
        raise ValueError(f"the content ends at {size}, before {stored.extent.resume}")


def _split(pieces: Iterator[bytes], at: int) -> tuple[Iterator[bytes], Iterator[bytes]]:
    """Return the pieces before byte `at`, and those from it on, to be read in this order."""
    rest: list[bytes] = []

    def before() -> Iterator[bytes]:
        left = at
        while left and (piece := next(pieces, None)) is not None:
            if len(piece) > left:
                rest.append(piece[left:])
            yield piece[:left]
            left -= min(left, len(piece))

    return before(), chain(rest, pieces)
