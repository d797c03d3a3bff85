"""A compiled log format string as an array, which the kernel `follow` follows: a row per value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.formatted import items_of
from ingest.parse.kernels.words import WORD, Bytes, mask, word
from ingest.parse.layout import meanings
from ingest.parse.layout.compiled import Ends, Layout, Step
from ingest.parse.layout.meanings import CLF_ITEMS, Meaning
from ingest.parse.layout.times import time_format

# Columns of a row. Of a step of several values, the last row says where it ends: how, what
# encloses it, and the text that follows, with its first byte, word and mask. LAST is the number of
# that row. BEGINS is the first byte of the next value of the step.
(
    ENDS, CLOSING, FITS, LAST, BEGINS, OPTIONAL, TEXT, TEXT_STOP, FIRST_BYTE, FIRST_WORD, MASK,
    ITEM, ITEM_STOP,
) = map(np.uint64, range(13))  # fmt: skip
_COLUMNS: Final = 13
# How a value ends.
CLOSED, AT_TEXT, AT_BLANK, AT_END, LIST, UPSTREAM_LIST, CLF, FORMATTED = map(np.uint64, range(8))
_ENDS: Final = {
    Ends.QUOTE: CLOSED,
    Ends.BRACKET: CLOSED,
    Ends.LITERAL: AT_TEXT,
    Ends.WORD: AT_BLANK,
    Ends.LINE: AT_END,
}
# What a value looks like.
ANYTHING, NO_BLANK, COUNT, STATUS, NUMBER, ADDRESSES, UPSTREAMS = map(np.uint64, range(7))
_FITS: Final = (
    (meanings.WORD, NO_BLANK),
    (meanings.COUNT, COUNT),
    (meanings.STATUS, STATUS),
    (meanings.NUMBER, NUMBER),
    (meanings.ADDRESSES.fullmatch, ADDRESSES),
    (meanings.UPSTREAMS.fullmatch, UPSTREAMS),
)


_CLF_TIME: Final = time_format(CLF_ITEMS[1:-1])


class Program(NamedTuple):
    """Rows, the texts and the items of times that they point to, and whether lines have TABs."""

    rows: npt.NDArray[np.uint64]
    texts: Bytes
    items: npt.NDArray[np.uint64]
    has_tabs: bool


@lru_cache(maxsize=16)
def program_of(layout: Layout) -> Program:
    """Return the program of `layout`: its first text, then a row for each of its directives."""
    directives = layout.directives
    rows = np.zeros((1 + len(directives), _COLUMNS), dtype=np.uint64)
    texts = _put_text(rows, 0, layout.first.text, b"")
    items = [np.empty((0, 3), dtype=np.uint64)]
    number = 1
    for step in layout.steps:
        last = number + len(step.directives) - 1
        for row, values in zip(rows[number:], _values(step), strict=False):
            row[FITS], row[BEGINS], row[OPTIONAL] = values
            row[LAST] = last
        number = last + 1
        rows[last, ENDS], rows[last, CLOSING] = _ends(step), ord(step.closing or "\0")
        texts = _put_text(rows, last, step.gap.text, texts)
    for number, directive in enumerate(directives, 1):
        form = directive.meaning.time or (_CLF_TIME if rows[number, ENDS] == CLF else None)
        if form is not None:
            rows[number, ITEM] = sum(map(len, items))
            items.append(items_of(form))
            rows[number, ITEM_STOP] = sum(map(len, items))
    return Program(
        rows,
        np.frombuffer(texts + bytes(WORD), dtype=np.uint8),
        np.concatenate(items),
        b"\t" in texts,
    )


def _put_text(rows: npt.NDArray[np.uint64], number: int, text: str, texts: bytes) -> bytes:
    """Note the text behind a value, of which runs of blanks are one; return it behind `texts`."""
    written = re.sub(b" +", b" ", text.encode())
    row = rows[number]
    row[TEXT], row[TEXT_STOP] = len(texts), len(texts) + len(written)
    row[FIRST_BYTE] = written[0] if written else 0
    row[FIRST_WORD], row[MASK] = word(written[:WORD]), mask(len(written))
    return texts + written


def _values(step: Step) -> Iterator[tuple[int, int, int]]:
    """Yield what each value of `step` looks like, and what the next one begins with."""
    is_word = len(step.directives) == 1 and (step.ends is Ends.WORD or step.gap.text == " ")
    for index, directive in enumerate(step.directives):
        following = step.directives[index + 1 : index + 2]
        begins = ord(following[0].meaning.begins) if following else 0
        fits = _fits(directive.meaning)
        is_found = is_word and fits == NO_BLANK and step.ends in (Ends.WORD, Ends.LITERAL)
        is_optional = bool(following) and following[0].meaning.optional
        yield int(ANYTHING if is_found else fits), begins, int(is_optional)


def _fits(meaning: Meaning) -> np.uint64:
    return next((fits for rule, fits in _FITS if meaning.fits == rule), ANYTHING)


def _ends(step: Step) -> np.uint64:
    meaning = step.directives[-1].meaning
    if step.ends is Ends.LIST:
        return UPSTREAM_LIST if meaning.list_shape is meanings.UPSTREAMS else LIST
    if step.ends is Ends.TIME:
        return CLF if meaning.time is None else FORMATTED
    return _ENDS[step.ends]
