"""What a format is, and what the parser of an object does. Nothing here knows any format.

A new format is one module in `ingest.parse.formats` that registers what is defined here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.collector import NOTHING, Collector
from ingest.parse.guard import guarded
from ingest.parse.lines import LongLine
from ingest.parse.merge import with_fast
from ingest.parse.model import Identity, Lines, Parsed
from ingest.parse.rows import NO_EVENTS
from ingest.parse.verdict import Verdict, warn
from ingest.settings import ParseSettings

# The fast path takes as long for one line as the line parser does for about twenty.
FEW_LINES = 32


class Parser(Protocol):
    """Turns the lines of one object, chunk after chunk in their order, into verdicts.

    Each method may raise `Refused`: the object is not what its format needs.
    """

    def begin(self, resume: int, first_line: int | None) -> None:
        """Prepare for content of which the records that start before `resume` are known already.

        Called once, before all others. No verdict on those records is wanted; `first_line` is the
        number of the first one from `resume` on, None when it is unknown.
        """
        ...

    @property
    def waits_from(self) -> int | None:
        """Content offset of the first line that waits for more lines, None when none does."""
        ...

    def parse(self, lines: Lines) -> Parsed:
        """Return the verdicts that `lines` complete."""
        ...

    def reject_long(self, line: LongLine) -> Parsed:
        """Return the verdicts that a line over the limit completes, its own among them."""
        ...

    def finish(self) -> Parsed:
        """Return the verdicts on what was still waiting for more lines."""
        ...


class LineParser(Protocol):
    """Gives the verdict on one line; it may remember what earlier lines said, such as a header."""

    def __call__(self, raw: bytes) -> Verdict:
        """Return the verdict on the line `raw`, which has no line end."""
        ...


# (lines, identity, settings) -> (the events of some lines, one per line and in order; a mask of
# the lines: True = handled here, exactly as the LineParser would have).
# It imports kernels when it is called: machine code is loaded, or compiled, where lines are parsed
# only, never for --help.
FastPath = Callable[[Lines, Identity, ParseSettings], tuple[pa.Table, npt.NDArray[np.bool_]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is seen of a content before its format is known, as lines without their ends.

    `lines` are all complete lines of the first bytes. `sample` holds the first of these (100 at
    most) that are neither blank nor start with `#`. `first` is the first line that is not blank.
    """

    lines: tuple[bytes, ...]
    sample: tuple[bytes, ...]
    first: bytes


def _no_refusal(_head: Head) -> None:
    return None


def _no_problems(_settings: ParseSettings) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format: how its content is recognised, described and parsed.

    `parser` makes the parser of one object from settings that name this format, never `auto`.
    `score` returns how many lines of the sample fit; None = the format is never guessed. Of
    equal scores the lowest `rank` wins: the place in the table of section 3.10 of the format
    specification. `refusal` returns why content is refused as a whole, when this format is to
    read it, or none can and this one knows better than `unknown_format`. `is_fallback` marks the
    one format that reads content of which nothing but blank lines and comments was seen.

    `grammar` explains what a line is; a function where that depends on other formats.
    `splittable`: an object that is not compressed may be read in byte ranges. `reads` names the
    settings among `BY_FORMAT` that the format takes; `problems` returns what is wrong with their
    values: a sentence each. `named_by` is the one that describes lines of a user's own: together
    with it `format` may be a name that the user chose. `layout` is the log format string of its
    lines. `usual_header` is what most objects begin with, where no line can be read without it.
    `remedies` says what to do about an object that is refused as a whole: file_reason -> remedy.
    """

    name: str
    description: str
    parser: Callable[[Identity, ParseSettings], Parser]
    grammar: str | Callable[[], str] = ""
    splittable: bool = False
    score: Callable[[Head, ParseSettings], int] | None = None
    rank: int = 0
    refusal: Callable[[Head], str | None] = _no_refusal
    is_fallback: bool = False
    reads: frozenset[str] = frozenset()
    problems: Callable[[ParseSettings], Sequence[str]] = _no_problems
    named_by: str | None = None
    layout: str | None = None
    usual_header: bytes = b""
    remedies: Mapping[str, str] = field(default_factory=dict)

    @property
    def explanation(self) -> str:
        """The grammar as a text."""
        return self.grammar if isinstance(self.grammar, str) else self.grammar()

    def open(self, identity: Identity, settings: ParseSettings) -> Parser:
        """Return the parser of one object."""
        return self.parser(identity, replace(settings, format=self.name))


def try_fast(
    fast_path: FastPath | None, lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return what `fast_path` makes of `lines`: nothing where they are few, or it is off."""
    if fast_path is None or not settings.fast or len(lines.starts) <= FEW_LINES:
        return NO_EVENTS, np.zeros(len(lines.starts), dtype=np.bool_)
    events, handled = fast_path(lines, identity, settings)
    if lines.nuls is not None:  # a warning that the fast path does not know
        plain = lines.nuls == 0
        events, handled = events.filter(pa.array(plain[handled])), handled & plain
    return events, handled


class ParserOfLines:
    """The parser of a format in which each line is a record, or an array of records."""

    def __init__(
        self,
        identity: Identity,
        settings: ParseSettings,
        line_parser: LineParser,
        *,
        fast_path: FastPath | None = None,
    ) -> None:
        """`fast_path` gets the lines first unless there are few; `line_parser` gets the rest."""
        self._identity = identity
        self._settings = settings
        self._line_parser = line_parser
        self._fast_path = fast_path

    def begin(self, resume: int, first_line: int | None) -> None:
        """Do nothing: lines come with their numbers."""

    @property
    def waits_from(self) -> int | None:
        """None: no line waits for another."""
        return None

    def parse(self, lines: Lines) -> Parsed:
        """Return the verdicts on `lines`."""
        events, handled = try_fast(self._fast_path, lines, self._identity, self._settings)
        return with_fast(events, self._parse_each(lines, np.flatnonzero(~handled).tolist()))

    def reject_long(self, line: LongLine) -> Parsed:
        """Return the verdict on a line over the limit."""
        collector = self._collector()
        collector.reject_long(line)
        return collector.parsed()

    def finish(self) -> Parsed:
        """Return nothing: no line waits for another."""
        return NOTHING

    def _parse_each(self, lines: Lines, indexes: Iterable[int]) -> Parsed:
        collector = self._collector()
        buffer = lines.buffer.data
        for index in indexes:
            start, end = int(lines.starts[index]), int(lines.ends[index])
            raw = bytes(buffer[start:end])
            number = None if lines.first_line is None else lines.first_line + index
            offset = lines.offset + start
            verdict = guarded(self._line_parser, raw, offset=offset, line=number)
            if lines.nuls is not None and lines.nuls[index]:
                warn(verdict, "nul_byte")
            collector.add(verdict, offset=offset, line=number, raw=raw)
        return collector.parsed()

    def _collector(self) -> Collector:
        return Collector(self._identity, self._settings)
