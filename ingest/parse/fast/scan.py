"""Where the delimiters of a chunk are, and which of its lines may have the usual shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.fast.words import Bytes, Mask, Positions
from ingest.parse.lines import READ_AHEAD, where
from ingest.parse.model import Lines

# Small enough for the temporaries of one block to stay in the second-level cache.
_BLOCK = 1 << 18
# A line up to this long overflows no column, except those that are checked one by one.
LONGEST_LINE = 4096

_QUOTES = (6, 8, 2)

NONE: Final = 0
QUOTE: Final = 1
QUESTION: Final = 2
AMPERSAND: Final = 3
PERCENT: Final = 4
BAD: Final = 5


def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.full(256, NONE, dtype=np.uint8)
    kinds[0x7F:] = BAD
    kinds[:0x20] = BAD
    kinds[ord("\n")] = NONE
    for character, kind in {
        '"': QUOTE, "?": QUESTION, "&": AMPERSAND, "%": PERCENT, "$": PERCENT, "#": BAD, "\\": BAD
    }.items():  # fmt: skip
        kinds[ord(character)] = kind
    return kinds


_KINDS = _kinds()


@dataclass(frozen=True, slots=True)
class Marks:
    """All delimiters of a chunk in order: positions in the buffer, and the kind of each.

    BAD is what the fast path leaves alone: a control character, a byte that is not ASCII, a
    backslash (escapes) or `#` (fragments). The last mark, at the buffer's end, is of that kind.
    """

    at: Positions
    kind: npt.NDArray[np.uint8]


def scan(buffer: Bytes) -> Marks:
    """Return the marks of `buffer`; line feeds are left out."""
    at = np.concatenate([*_hits(buffer), np.array([buffer.size], dtype=np.int64)])
    kind = np.empty(at.size, dtype=np.uint8)
    _KINDS.take(buffer.take(at[:-1]), out=kind[:-1], mode="clip")
    kind[-1] = BAD
    return Marks(at, kind)


def _hits(buffer: Bytes) -> list[Positions]:
    shifted = np.empty(_BLOCK, dtype=np.uint8)
    hit, other = np.empty((2, _BLOCK), dtype=np.bool_)
    found = []
    for first in range(0, buffer.size, _BLOCK):
        block = buffer[first : first + _BLOCK]
        s, h, o = shifted[: block.size], hit[: block.size], other[: block.size]
        np.subtract(block, ord('"'), out=s)  # wraps: the quote and the four bytes after it
        np.less_equal(s, ord("&") - ord('"'), out=h)
        np.subtract(block, 0x20, out=s)  # wraps: controls, DEL and what is not ASCII
        np.greater(s, 0x7E - 0x20, out=o)
        np.logical_or(h, o, out=h)
        for character in b"?\\":
            np.equal(block, character, out=o)
            np.logical_or(h, o, out=h)
        hit[block.size :] = False
        found.append(where(hit) + first)
    return found


@dataclass(frozen=True, slots=True)
class Candidates:
    """The lines that have the quotes of the usual shape and nothing BAD, by their number.

    `quotes` holds a row of positions per quote of a line: as many rows as most lines have, of 6
    (request, referrer, agent), 8 (one more text) and 2 (request only). `slots` says for each
    quote of the chunk which text it opens: 2 x candidate for a request, 2 x candidate + 1 for a
    referrer, -1 for anything else; a last item means no quote.
    """

    line: Positions
    start: Positions
    end: Positions
    quotes: Positions
    slots: Positions


def candidates(lines: Lines, marks: Marks, *, longest: int) -> Candidates:
    """Return the lines of at most `longest` bytes that may have the usual shape."""
    quotes = marks.at.compress(marks.kind == QUOTE)
    first = np.searchsorted(quotes, lines.starts)
    after = np.searchsorted(quotes, lines.ends[-1:])
    count = np.diff(first, append=after)  # there is no quote between two lines
    wanted = max(_QUOTES, key=lambda quotes: np.count_nonzero(count == quotes))
    lengths = lines.ends - lines.starts
    fits = (count == wanted) & (lengths <= longest)
    fits &= lines.ends + READ_AHEAD <= lines.buffer.size
    fits &= ~_holds_bad(lines, marks)
    line = np.flatnonzero(fits)
    opening = first[line]
    slots = np.full(quotes.size + 1, -1, dtype=np.int64)
    slots[opening] = np.arange(0, 2 * line.size, 2)
    if wanted > 2:
        slots[opening + 2] = np.arange(1, 2 * line.size, 2)
    return Candidates(
        line=line,
        start=lines.starts[line],
        end=lines.ends[line],
        quotes=np.stack([quotes[opening + i] for i in range(wanted)]),
        slots=slots,
    )


def _holds_bad(lines: Lines, marks: Marks) -> Mask:
    bad = marks.at[:-1].compress(marks.kind[:-1] == BAD)
    line = np.searchsorted(lines.starts, bad, side="right") - 1
    inside = (line >= 0) & (bad < lines.ends[line])  # not the CR of a line end
    holds = np.zeros(lines.starts.size, dtype=np.bool_)
    holds[line[inside]] = True
    return holds
