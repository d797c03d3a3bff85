"""RFC 4180 records out of physical lines, with quoted line breaks (section 4.1).

A quote counts only at the start of a field; in an unquoted field it is an ordinary character.
Nothing can be matched in two ways, so reading is linear, except that the end of a quote which is
never closed is looked for in up to 100 lines after each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.possessive import P

MAX_LINE_BREAKS = 100
# A quote closes a field unless another one follows: two are one quote in the text.
_TO_CLOSING = rf'[^"]*{P}(?:""[^"]*{P})*{P}"(?!")'
_QUOTED_REST = re.compile(rf"{_TO_CLOSING}[^,]*".encode())
_QUOTED = re.compile(rf'"{_TO_CLOSING}'.encode())
_CLOSED_FIELDS = re.compile(rf'(?:(?:"{_TO_CLOSING}|(?!"))[^,]*{P},)*{P}'.encode())
_FIELD = re.compile(rf'(?:"({_TO_CLOSING})|(?!"))([^,]*)(?:,|\Z)')


class Physical(NamedTuple):
    """A physical line without its line end, at content `offset`, with so many NULs before it."""

    offset: int
    raw: bytes
    nuls: int = 0


class Record(NamedTuple):
    """Lines that belong together; `is_closed` is False when their quote is never closed."""

    lines: Sequence[Physical]
    is_closed: bool

    @property
    def offset(self) -> int:
        """Content offset of the record's first byte."""
        return self.lines[0].offset

    @property
    def has_hole(self) -> bool:
        """Whether NULs were passed over before one of its lines."""
        return any(line.nuls for line in self.lines)

    @property
    def content(self) -> bytes:
        """The record with each line break as LF."""
        return b"\n".join(line.raw for line in self.lines)

    @property
    def raw(self) -> bytes:
        """The record with its line breaks as they were stored, without the NULs behind them."""
        parts = [self.lines[0].raw]
        for before, line in zip(self.lines, self.lines[1:], strict=False):
            is_crlf = line.offset - line.nuls - before.offset - len(before.raw) > 1
            parts += [b"\r\n" if is_crlf else b"\n", line.raw]
        return b"".join(parts)


class RecordReader:
    """Joins physical lines into records; holds the lines of a record that is still open."""

    def __init__(self, *, max_bytes: int) -> None:
        """A quote that is open for more than `max_bytes` counts as never closed."""
        self._max_bytes = max_bytes
        self._waiting: list[Physical] = []

    @property
    def waits_from(self) -> int | None:
        """Where the record that is still open begins, with the NULs before it; None without one."""
        return self._waiting[0].offset - self._waiting[0].nuls if self._waiting else None

    def read(self, lines: Sequence[Physical], *, final: bool = False) -> Iterator[Record]:
        """Yield the records that `lines` complete; `final` says that no more can follow."""
        waiting = [*self._waiting, *lines]
        self._waiting = []
        at = 0
        while at < len(waiting):
            size = _closing(waiting, at, self._max_bytes)
            if size is None and not final:
                self._waiting = waiting[at:]
                return
            yield Record(waiting[at : at + (size or 1)], is_closed=bool(size))
            at += size or 1


def _closing(lines: Sequence[Physical], at: int, max_bytes: int) -> int | None:
    """Return how many lines the record at `at` has: 0 = never closed, None = too few lines here."""
    first = lines[at].raw
    if b'"' not in first or not _opens(first, 0):
        return 1
    total = len(first)
    for size in range(2, MAX_LINE_BREAKS + 2):
        if at + size > len(lines):
            return None
        raw = lines[at + size - 1].raw
        total += len(raw)
        if total > max_bytes:
            return 0
        rest = _QUOTED_REST.match(raw)
        if rest is not None and (rest.end() == len(raw) or not _opens(raw, rest.end() + 1)):
            return size
    return 0


def _opens(raw: bytes, at: int) -> bool:
    """Return whether the fields that start at `at` end inside a quoted one."""
    closed = _CLOSED_FIELDS.match(raw, at)
    last = at if closed is None else closed.end()
    return raw.startswith(b'"', last) and _QUOTED.match(raw, last) is None


def open_quote(raw: bytes) -> int:
    """Return which character of a record that is never closed is the quote that stays open."""
    closed = _CLOSED_FIELDS.match(raw)
    return 0 if closed is None else len(raw[: closed.end()].decode(errors="replace"))


def split_record(text: str, warnings: set[str], most: int = MOST_SURPLUS) -> list[str]:
    """Return the fields of a closed record; what is behind `most` of them is one more.

    Text after a closing quote belongs to the field, with `unterminated_quote`.
    """
    if '"' not in text:
        return text.split(",", most)
    fields: list[str] = []
    at = 0
    while len(fields) < most:
        field = _FIELD.match(text, at)
        assert field is not None  # noqa: S101  a closed record consists of such fields
        quoted, rest = field.groups()
        if quoted is not None and rest:
            warnings.add("unterminated_quote")
        fields.append((quoted or '"')[:-1].replace('""', '"') + rest)
        at = field.end()
        if at == len(text) and not field[0].endswith(","):
            return fields
    return [*fields, text[at:]]
