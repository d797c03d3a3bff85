"""What stands behind the last quote, many lines at once: nothing, an integer, or decimals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.fast.texts import DictionaryColumn, cut, dictionary_column, null_column, scatter
from ingest.parse.fast.words import Bytes, Mask, Positions, Words, byte, numbers

_BLANK = ord(" ")
# Times of nginx, such as `$request_time $upstream_response_time`: their meaning is not known.
_DECIMALS = r"^ [0-9]+\.[0-9]+( ([0-9]+\.[0-9]+|-))*$"


@dataclass(frozen=True, slots=True)
class Tails:
    """Integers where `has_other`, decimals as the JSON of `extra`; true only where `valid`."""

    other: Positions
    has_other: Mask
    extra: DictionaryColumn
    valid: Mask


def read_tails(buffer: Bytes, words: Words, quotes: Positions, line_ends: Positions) -> Tails:
    """Return what lines of a referrer and an agent have between the last quote and the end."""
    size = line_ends.size
    tails = Tails(
        other=np.zeros(size, dtype=np.int64),
        has_other=np.zeros(size, dtype=np.bool_),
        extra=null_column(size),
        valid=np.ones(size, dtype=np.bool_),
    )
    rows = np.flatnonzero((quotes[-1] + 1 != line_ends) & (len(quotes) > 2))
    if not rows.size:
        return tails
    last, stop = quotes[-1][rows], line_ends[rows]
    other, are_digits = numbers(words, np.minimum(last + 2, stop), stop)
    are_digits &= byte(words[last], 1) == _BLANK
    tails.other[rows], tails.has_other[rows] = other, are_digits
    rest, begin, end = rows[~are_digits], last[~are_digits] + 1, stop[~are_digits]
    if not rest.size:
        return tails
    extra, tails.valid[rest] = _decimals(dictionary_column(cut(buffer, begin, end)))
    return Tails(tails.other, tails.has_other, scatter(rest, extra, size), tails.valid)


def _decimals(texts: DictionaryColumn) -> tuple[DictionaryColumn, Mask]:
    """Return the JSON of each text, and which are decimals."""
    known = pc.match_substring_regex(texts.values, _DECIMALS).to_numpy(zero_copy_only=False)
    values = pc.utf8_slice_codeunits(texts.values, 1)
    json = pc.binary_join_element_wise(pa.scalar('{"tail":"'), values, pa.scalar('"}'), "")
    return DictionaryColumn(texts.codes, json), np.asarray(known[texts.codes], dtype=np.bool_)
