"""Parameters of URLs and referrers, many lines at once: section 2.4 of the specification.

Finds each parameter by its name after `?` or `&`. A line is left to the reference parser where a
wanted parameter repeats, is encoded, or is longer than its column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.parse.fast.scan import AMPERSAND, QUESTION, QUOTE, Candidates, Marks
from ingest.parse.fast.texts import Codes, DictionaryColumn, cut, dictionary_column, holds, scatter
from ingest.parse.fast.words import WORD, Bytes, Mask, Positions, following, low_bytes, word
from ingest.parse.fields.parameters import CAMPAIGN, SHOP_ACTIONS
from ingest.settings import ParseSettings

# A name with its `=` is compared as two words.
_LONGEST_NAME = 2 * WORD - 1
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# Columns that the referrer's parameters fill where the URL has none.
_FROM_REFERRER = frozenset(("event_name", "item_id", "product_id", "category"))


@dataclass(frozen=True, slots=True)
class _Parameters:
    """All parameters of the candidates in order; `name` is the position of the first character.

    `text` is 2 x candidate for its request, 2 x candidate + 1 for its referrer. `closed` is False
    where a character that may be encoded comes before the end of the value.
    """

    name: Positions
    end: Positions
    text: Positions
    closed: Mask


@dataclass(frozen=True, slots=True)
class Shop:
    """What parameters say, a row per candidate.

    `query` is the position of the `?` of each request, its end where there is none. Only rows
    that are `clear` can be trusted.
    """

    query: Positions
    columns: dict[str, DictionaryColumn]
    clear: Mask


def wanted_names(settings: ParseSettings) -> dict[str, str] | None:
    """Return column -> parameter name, None when a name is not one that this module can find."""
    names = {
        "event_name": settings.action_parameter,
        "item_id": settings.item_parameter,
        "product_id": settings.product_parameter,
        "category": settings.category_parameter,
        "session_id": settings.session_parameter,
    } | {column: name for name, column in CAMPAIGN.items()}
    can_be_found = all(_NAME.fullmatch(n) and len(n) <= _LONGEST_NAME for n in names.values())
    return names if can_be_found else None


def read_shop(
    buffer: Bytes,
    marks: Marks,
    *,
    found: Candidates,
    target_ends: Positions,
    absolute: Mask,
    names: dict[str, str],
) -> Shop:
    """Return what the parameters named by `names` say about each candidate.

    `target_ends` are the positions after the targets of the requests; `absolute` says which
    referrers are http or https URLs, the only ones that are searched.
    """
    query, parameters = _parameters(marks, found, target_ends)
    finder = _Finder(buffer, parameters, absolute)
    columns = {
        column: finder.column(column, name, with_referrer=column in _FROM_REFERRER)
        for column, name in names.items()
    }
    return Shop(query, columns, finder.clear)


def _parameters(
    marks: Marks, found: Candidates, target_ends: Positions
) -> tuple[Positions, _Parameters]:
    index = np.flatnonzero((marks.kind == QUESTION) | (marks.kind == AMPERSAND))
    # Before the first quote this reads the last slot, which is that of no quote.
    text = found.slots[np.cumsum(marks.kind == QUOTE, dtype=np.int32)[index] - 1]
    inside = text >= 0
    index, text = index.compress(inside), text.compress(inside)
    at, is_question = marks.at[index], marks.kind[index] == QUESTION
    first = np.full(2 * target_ends.size, np.iinfo(np.int64).max)
    # Backwards, so that of several the first is what stays.
    first[text[is_question][::-1]] = at[is_question][::-1]
    starts = np.where(is_question, at == first[text], at > first[text])
    index, text, at = (each.compress(starts) for each in (index, text, at))
    following_kind = marks.kind[index + 1]
    in_request = (text & 1) == 0
    end = np.where(
        (following_kind == QUOTE) & in_request, target_ends[text >> 1], marks.at[index + 1]
    )
    closed = (following_kind == QUOTE) | (following_kind == AMPERSAND)
    return np.minimum(first[::2], target_ends), _Parameters(at + 1, end, text, closed)


class _Finder:
    """Finds parameters by name; rows that it cannot decide are taken out of `clear`."""

    def __init__(self, buffer: Bytes, parameters: _Parameters, absolute: Mask) -> None:
        self.clear = np.ones(absolute.size, dtype=np.bool_)
        self._buffer = buffer
        self._parameters = parameters
        self._first, self._second = following(buffer, parameters.name, 2)
        self._absolute = absolute

    def column(self, column: str, name: str, *, with_referrer: bool) -> DictionaryColumn:
        """Return the values of parameter `name`; those of the URL win over the referrer's."""
        hits = np.flatnonzero(self._named(name.encode() + b"="))
        if not with_referrer:
            hits = hits[(self._parameters.text[hits] & 1) == 0]
        text = self._parameters.text[hits]
        row, is_own = text >> 1, (text & 1) == 0
        begin = self._parameters.name[hits] + len(name) + 1
        end = self._parameters.end[hits]
        self._doubt(hits, row, (end - begin) > (EVENTS.column(column).width or 0))
        self._doubt_bare(name.encode(), with_referrer=with_referrer)
        own = np.zeros(self.clear.size, dtype=np.bool_)
        filled = end > begin
        own[row[is_own & filled]] = True
        chosen = filled & (is_own | ~own[row]) & self.clear[row]
        row = row[chosen]
        values = cut(self._buffer, begin[chosen], end[chosen])
        if holds(values, b"+"):
            self.clear[row[pc.match_substring(values, "+").to_numpy(zero_copy_only=False)]] = False
        if column == "session_id":  # hardly repeats, so looking for equal ones would not pay
            return scatter(
                row, DictionaryColumn(np.arange(row.size, dtype=np.int32), values), self.clear.size
            )
        return scatter(row, dictionary_column(values), self.clear.size)

    def _named(self, key: bytes) -> Mask:
        hit = (self._first & low_bytes(len(key))) == word(key[:WORD])
        if len(key) > WORD:
            hit &= (self._second & low_bytes(len(key) - WORD)) == word(key[WORD:])
        return np.asarray(hit)

    def _doubt_bare(self, name: bytes, *, with_referrer: bool) -> None:
        """Give up rows with a parameter `name` without `=`: it counts, and may be the first."""
        bare = (self._parameters.end - self._parameters.name == len(name)) & self._named(name)
        text = self._parameters.text[bare]
        self.clear[(text if with_referrer else text[(text & 1) == 0]) >> 1] = False

    def _doubt(self, hits: Positions, row: Positions, too_long: Mask) -> None:
        text = self._parameters.text[hits]
        in_doubt = too_long | ~self._parameters.closed[hits]
        in_doubt[1:] |= text[1:] == text[:-1]
        in_doubt |= ((text & 1) == 1) & ~self._absolute[row]
        self.clear[row[in_doubt]] = False


@dataclass(frozen=True, slots=True)
class Actions:
    """Event columns that follow from the parameters; both counts are null unless `is_product`."""

    name: DictionaryColumn
    type: DictionaryColumn
    is_product: Mask
    is_purchase: Mask


_TYPES = ("request", *sorted(SHOP_ACTIONS))
_TYPE_NAMES = pa.array(_TYPES)
_IMPLIED = "View"


def read_actions(columns: dict[str, DictionaryColumn]) -> Actions:
    """Return the event of each row, by its parameters `event_name`, `item_id`, `product_id`."""
    is_product = (columns["item_id"].codes >= 0) & (columns["product_id"].codes >= 0)
    name = _implied(columns["event_name"], is_product)
    type_codes = _type_codes(name.values.to_pylist())[name.codes]
    return Actions(
        name=name,
        type=DictionaryColumn(type_codes, _TYPE_NAMES),
        is_product=is_product,
        is_purchase=type_codes == _TYPES.index("purchase"),
    )


def _implied(name: DictionaryColumn, is_product: Mask) -> DictionaryColumn:
    """Return `name` with `View` for the rows of a product that have none."""
    names = name.values.to_pylist()
    if _IMPLIED not in names:
        names.append(_IMPLIED)
    implied = (name.codes < 0) & is_product
    codes = np.where(implied, names.index(_IMPLIED), name.codes).astype(np.int32)
    return DictionaryColumn(codes, pa.array(names, pa.string()))


def _type_codes(names: Sequence[str]) -> Codes:
    """Return the code of the event_type of each name, and last that of no name."""
    types = [name.lower() if name.lower() in SHOP_ACTIONS else "request" for name in names]
    return np.array([_TYPES.index(kind) for kind in [*types, "request"]], dtype=np.int32)
