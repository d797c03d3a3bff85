"""Lines below a `#Fields:` header, W3C's extended log format: section 4.6 of the specification.

Each header says what the columns of the lines after it are, so that an object has to be read from
its beginning. The same reader serves logs whose columns are known without a header.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.parse.collector import NOTHING
from ingest.parse.fields.addresses import read_address
from ingest.parse.fields.extra import MOST_NAMES, MOST_SURPLUS
from ingest.parse.fields.text import is_blank, repair, value
from ingest.parse.fields.times import BadTime
from ingest.parse.flat import FlatObjects
from ingest.parse.format import FEW_LINES, FastPath, Head, LineParser, ParserOfLines
from ingest.parse.json_lines import is_json
from ingest.parse.lines import LongLine, part_of
from ingest.parse.merge import joined
from ingest.parse.model import Identity, Lines, Parsed
from ingest.parse.place import Misfit, no_match, placed
from ingest.parse.separated import Separated
from ingest.parse.verdict import BLANK, COMMENT, HEADER, Event, Reject, Skip, Verdict
from ingest.parse.w3c_fields import Dialect, put_fields
from ingest.parse.w3c_layout import fast_layout
from ingest.settings import ParseSettings

TAB, SPACE = "\t", " "
_FIELDS, _VERSION, _SOFTWARE = b"#fields", b"#version", b"#software"
# Others may be part of a text that kernels look for.
_FAST_DELIMITERS = frozenset((TAB, SPACE, ",", ";", "|"))
_MARK = ord("#")
_OBJECT = ord("{")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_TIME_PATTERNS = {
    "date": _DATE,
    "time": re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"),
    "timestamp": _EPOCH,
    "timestamp(ms)": _EPOCH,
}
# Fields that hold nothing but numbers: where one does not, columns are shifted.
_NUMBERS = (
    "sc-status", "sc-substatus", "sc-win32-status", "sc-bytes", "cs-bytes", "s-port", "c-port",
    "time-taken", "time-to-first-byte",
)  # fmt: skip
# A number, or the beginning of one where a line is cut.
_NUMBER = re.compile(r"-?[0-9]*(?:\.[0-9]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of records: their names, in lower case and each but once.

    `widths` are the numbers of columns that a log without a header has had, none for one with.
    """

    names: tuple[str, ...]
    widths: frozenset[int] = frozenset()


def columns_of(names: Sequence[str], *, widths: frozenset[int] = frozenset()) -> Columns:
    """Return the columns with these `names`; a repeated one is no name, but a number."""
    unique: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        lower = name.lower()
        if lower in unique:
            lower = f"column_{number}"
        while lower in unique:
            lower += "_"
        unique[lower] = None
    return Columns(names=tuple(unique), widths=widths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the lines at the head of an object declare; `names` are empty without a header."""

    names: tuple[str, ...] = ()
    software: bytes = b""
    has_version: bool = False


def header_of(head: Head) -> Header:
    """Return the header of an object whose first lines are seen."""
    said: dict[bytes, bytes] = {}
    for line in head.lines:
        if line.startswith(b"#"):
            name, text = _directive(line)
            said.setdefault(name, text)
    return Header(
        names=_names(said.get(_FIELDS, b"")),
        software=said.get(_SOFTWARE, b"").strip(),
        has_version=_VERSION in said,
    )


def _directive(line: bytes) -> tuple[bytes, bytes]:
    name, _, text = line.partition(b":")
    return name.rstrip().lower(), text


def _names(text: bytes) -> tuple[str, ...]:
    if len(text) > MOST_NAMES:
        return ()
    between_blanks = text.decode(errors="replace").replace("\t", " ").split(" ")
    return tuple(name.lower() for name in between_blanks if name)


class W3cLines:
    """Gives the verdict on each line of one object; its headers change what follows."""

    def __init__(
        self,
        settings: ParseSettings,
        *,
        dialect: Dialect,
        delimiter: str = TAB,
        usual: Columns | None = None,
        json: LineParser | None = None,
        fits: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        """`usual` are the columns before the first header; None = there are no records there.

        `json` reads the lines that are JSON, None = there are none; `fits` tells by their keys
        which of its objects are records.
        """
        self._settings = settings
        self._dialect = dialect
        self._split = _splitter(delimiter)
        self._delimiter = delimiter
        self._columns = usual
        self._laid_out: Columns | None = None
        self._layout: Separated | None = None
        self._json = json
        self._objects = None if fits is None else FlatObjects(fits, self._layout_of_names)

    def __call__(self, raw: bytes) -> Verdict:
        """Return the verdict on one line, given without its line end."""
        if is_blank(raw):
            return BLANK
        if raw.startswith(b"#"):
            return self.see(raw)
        if self._json is not None and is_json(raw):
            return self._json(raw)
        return self._read(raw)

    def see(self, raw: bytes) -> Skip:
        """Take in a line that begins with `#`."""
        name, text = _directive(raw)
        if name == _FIELDS:
            names = _names(text)
            self._columns = columns_of(names) if names else None
        return HEADER if name in (_FIELDS, _VERSION) else COMMENT

    def fast_path(self, lines: Lines) -> FastPath | None:
        """Return what reads `lines`, which are all below the last header; None when nothing can."""
        filled = lines.starts[lines.starts < lines.ends]
        objects = np.count_nonzero(lines.buffer[filled] == _OBJECT)
        if self._objects is not None and 2 * objects > filled.size:
            return self._objects.parse
        layout = self.layout()
        return None if layout is None else layout.parse

    def layout(self) -> Separated | None:
        """Return how kernels read the records below the last header, None when they cannot."""
        if self._columns != self._laid_out:
            self._laid_out, self._layout = self._columns, self._layout_of(self._columns)
        return self._layout

    def _layout_of(self, columns: Columns | None) -> Separated | None:
        if columns is None or self._delimiter not in _FAST_DELIMITERS:
            return None
        layout = self._layout_of_names(columns.names, columns.widths)
        # A line of JSON does not begin with a time.
        is_timed = layout is not None and layout.begins_with_time()
        if layout is None or not (self._json is None or is_timed):
            return None
        return replace(layout, delimiter=self._delimiter, merges=self._delimiter == SPACE)

    def _layout_of_names(
        self, names: tuple[str, ...], widths: frozenset[int] = frozenset()
    ) -> Separated | None:
        return fast_layout(names, widths, self._settings, self._dialect)

    def forget(self) -> None:
        """Know no columns any more: their header could not be read."""
        self._columns = None

    def _read(self, raw: bytes) -> Event | Reject:
        if self._columns is None:
            return Reject("no_match", "no #Fields line before it names its columns")
        event = Event()
        line = repair(raw, event.warnings)
        texts = self._split(line, len(self._columns.names) + MOST_SURPLUS)
        fields = dict(zip(self._columns.names, texts, strict=False))
        reject = self._refused(fields, line, texts)
        if reject is not None:
            return reject
        _put_width(event, texts, self._columns)
        try:
            put_fields(event, fields, self._settings, self._dialect)
        except BadTime as error:
            index = self._columns.names.index(error.field)
            return Reject("bad_timestamp", placed(str(error), _begin_of(index, line, texts)))
        return event

    def _refused(self, fields: dict[str, str], line: str, texts: Sequence[str]) -> Reject | None:
        """Return why the line of the columns `texts` is refused, None when its shape is right."""
        assert self._columns is not None  # noqa: S101  without a header no line is read
        names, count = self._columns.names, len(texts)
        if count == 1 < len(names):
            return no_match(Misfit(len(line), "more than a single column"))
        wrong = _misplaced(fields, count, self._columns)
        if wrong is not None:
            name, expected = wrong
            at = _begin_of(names.index(name), line, texts)
            return no_match(Misfit(at, f"{expected} in the column {name}"))
        least = min(self._columns.widths, default=0)
        if count < least:
            detail = placed(f"{count} of at least {least} columns", len(line))
            return Reject("wrong_field_count", detail)
        return None


def _misplaced(fields: dict[str, str], count: int, columns: Columns) -> tuple[str, str] | None:
    """Return (column, what it should hold) of one that is not at its place, None without any."""
    odd = next((name for name in _TIME_PATTERNS if not _fits(name, fields)), None)
    if odd is None and columns.widths and not _DATE.fullmatch(fields.get("date", "")):
        odd = "date"
    if odd is not None:
        return odd, f"a {odd.partition('(')[0]}"
    if count < min(columns.widths, default=0):
        return None
    foreign = _foreign(fields) if columns.widths else None
    return foreign if foreign or _width_code(count, columns) is None else _shift(fields)


def _begin_of(index: int, line: str, texts: Sequence[str]) -> int:
    """Return where the column `index` begins, the end of a `line` that has fewer."""
    at = start = 0
    for text in texts[: index + 1]:
        start = line.index(text, at)
        at = start + len(text) + 1
    return start if index < len(texts) else len(line)


def _fits(name: str, fields: dict[str, str]) -> bool:
    text = value(fields.get(name))
    return text is None or _TIME_PATTERNS[name].fullmatch(text) is not None


def _foreign(fields: dict[str, str]) -> tuple[str, str] | None:
    """Return, as `_misplaced` does, the first of several columns that hold something else.

    For columns that no header names. A single one is a wrong value: that is a warning.
    """
    odd = [(name, "a number") for name in _NUMBERS if not _NUMBER.fullmatch(fields.get(name, ""))]
    client = value(fields.get("c-ip"))
    if client is not None and read_address(client) is None:
        odd.append(("c-ip", "an address"))
    return odd[0] if odd[1:] else None


def _shift(fields: dict[str, str]) -> tuple[str, str] | None:
    """Return what `_misplaced` does, for a line with an unusual number of columns.

    A delimiter was lost, or is part of a text before the column that is not a number. An answer
    without a status is rarer than a text at its place.
    """
    if fields.get("sc-status") == "-":
        return "sc-status", "a status (columns are missing or shifted)"
    shifted = (name for name in _NUMBERS if not _NUMBER.fullmatch(fields.get(name, "")))
    return next(((name, "a number (columns are missing or shifted)") for name in shifted), None)


def _width_code(count: int, columns: Columns) -> str | None:
    """Return the warning about a line of `count` columns, None when that is usual."""
    known = len(columns.names)
    if count > known:
        return "extra_fields"
    return "missing_fields" if count < known and count not in columns.widths else None


def _splitter(delimiter: str) -> Callable[[str, int], list[str]]:
    """Return what cuts a line at so many delimiters; a run of blanks is one."""
    if delimiter == SPACE:
        return lambda text, most: re.split(" +", text.strip(" "), maxsplit=most)
    return lambda text, most: text.split(delimiter, most)


def _put_width(event: Event, texts: list[str], columns: Columns) -> None:
    code = _width_code(len(texts), columns)
    if code is not None:
        event.warnings.add(code)
    event.put_extra("extra_fields", texts[len(columns.names) :] or None)


def _marked(lines: Lines) -> npt.NDArray[np.int64]:
    """Return the numbers of the lines that begin with `#`."""
    filled = np.flatnonzero(lines.starts < lines.ends)
    marked: npt.NDArray[np.int64] = filled[lines.buffer[lines.starts[filled]] == _MARK]
    return marked


def _runs(lines: Lines) -> Iterator[tuple[int, int, bool]]:
    """Yield runs of lines, [first, after), and whether all of a run have the same columns.

    Few lines between two headers are no run of their own.
    """
    size = lines.starts.size
    begin = before = 0
    for mark in [*_marked(lines).tolist(), size]:
        if mark - before > FEW_LINES:
            if begin < before:
                yield begin, before, False
            yield before, mark, True
            begin = mark
        before = mark + 1
    if begin < size:
        yield begin, size, False


class W3cParser(ParserOfLines):
    """Parses the lines of one object; of those that are known already, the headers count."""

    def __init__(self, identity: Identity, settings: ParseSettings, lines: W3cLines) -> None:
        """`lines` gives the verdicts."""
        super().__init__(identity, settings, lines)
        self._lines = lines
        self._resume = 0

    def begin(self, resume: int, first_line: int | None) -> None:
        """Pass over the lines before `resume`, but for headers."""
        super().begin(resume, first_line)
        self._resume = resume

    def parse(self, lines: Lines) -> Parsed:
        """Return the verdicts on `lines`."""
        if lines.offset >= self._resume:
            return joined([self._parse_run(lines, *run) for run in _runs(lines)])
        for index in _marked(lines):
            self._lines.see(lines.buffer[lines.starts[index] : lines.ends[index]].tobytes())
        return NOTHING

    def _parse_run(self, lines: Lines, first: int, after: int, is_fast: bool) -> Parsed:
        part = part_of(lines, first, after)
        self._fast_path = self._lines.fast_path(part) if is_fast else None
        return super().parse(part)

    def reject_long(self, line: LongLine) -> Parsed:
        """Return the verdict on a line over the limit: the columns of a long header are unknown."""
        if _directive(line.head)[0] == _FIELDS:
            self._lines.forget()
        return super().reject_long(line)
