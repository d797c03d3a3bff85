"""Text for a terminal. Log content is hostile: none of it may move a cursor or set a title."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, TextIO

_COMMAND = re.compile(r" *\S+  +([A-Z][A-Z0-9_]*=\S.* )?(clickstream|curl) ")
# Between two columns of a table.
_GAP = "  "
# A text of which less than this is seen tells nothing.
_SHORTEST = 12


def printable(value: object) -> str:
    """Return `value` as one line of text in which every unprintable character is escaped.

    None becomes empty text.
    """
    if value is None:
        return ""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Return `text` with every unprintable character escaped, but for its line ends."""
    return "\n".join(map(printable, text.split("\n")))


def json_text(value: Any) -> str:
    """Return `value` as JSON in one line, with every unprintable character of a text escaped."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    # Not json.dumps: it leaves DEL as it is.
    return "".join(c if c.isprintable() else _json_escape(c) for c in text)


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class PrintableFormatter(logging.Formatter):
    """Formats log records for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with every unprintable character escaped."""
        return printable_lines(super().format(record))


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment: while there is a bar, that is above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`."""
        self.stream = sys.stderr
        super().emit(record)


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, as in `1 batch` or `1,200 lines`.

    `many` is the plural; None means `one` with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def terminal_width() -> int | None:
    """Return how many columns the terminal behind stdout has, None when it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, width: int | None) -> str:
    """Return `text` with lines over `width` columns broken at spaces; None = no line is broken.

    What follows a short first word, as in `ingest   1 batch`, stays below its beginning. Words are
    never broken, nor are commands behind such a word: they are there to be copied.
    """
    if width is None:
        return text
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width or _COMMAND.match(line):
        return line
    start = re.match(r" *(\S{1,12}  +)?", line)
    indent = " " * (start.end() if start else 0)
    words = textwrap.TextWrapper(
        width=width,
        subsequent_indent=indent or "  ",
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )
    return words.fill(line)


def fitted_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> str:
    """Return `rows` as text for a terminal of `width` columns.

    A table where one fits once long texts are cut, which ends them with an ellipsis; else one
    record after the other, with a line for each column and nothing cut.
    """
    needed = [
        max(map(len, [name, *map(_cell, cells)]))
        for name, *cells in zip(columns, *rows, strict=True)
    ]
    may_cut = [any(isinstance(row[i], str) for row in rows) for i in range(len(columns))]
    least = [
        max(len(name), _SHORTEST) if cut else need
        for name, need, cut in zip(columns, needed, may_cut, strict=True)
    ]
    gaps = len(_GAP) * (len(columns) - 1)
    for limit in range(width, _SHORTEST - 1, -1):
        widths = [min(need, max(low, limit)) for need, low in zip(needed, least, strict=True)]
        if sum(widths) + gaps <= width:
            return table_text(
                columns,
                [[_cut(v, limit) for v, limit in zip(row, widths, strict=True)] for row in rows],
            )
    return "\n".join(_record_text(columns, row, number) for number, row in enumerate(rows, 1))


def _cut(value: Any, limit: int) -> Any:
    return shortened(value, limit) if isinstance(value, str) else value


def shortened(value: str, limit: int) -> str:
    """Return `value` as one printable line of at most `limit` characters; a cut one ends with …."""
    text = printable(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _record_text(columns: Sequence[str], row: Sequence[Any], number: int) -> str:
    widest = max(map(len, columns), default=0)
    lines = [f"{name.ljust(widest)}  {_cell(v)}" for name, v in zip(columns, row, strict=True)]
    return "\n".join([f"-- row {number:,}", *map(str.rstrip, lines)])


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return `rows` as aligned lines under their column names; numbers are right-aligned."""
    cells = [[*map(printable, columns)], *[[_cell(value) for value in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    right = [
        bool(rows) and all(row[i] is None or isinstance(row[i], int | float) for row in rows)
        for i in range(len(columns))
    ]
    lines = [
        _GAP.join(
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, _GAP.join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return printable(value)
