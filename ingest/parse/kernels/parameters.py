"""Parameters of URLs and referrers as columns: section 2.4 of the specification."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.contract import EVENTS, SHOP_ACTIONS
from ingest.parse.fields.parameters import CAMPAIGN
from ingest.parse.fields.text import unescape
from ingest.parse.fields.urls import decode
from ingest.parse.kernels.columns import Codes, DictionaryColumn, Mask
from ingest.parse.kernels.words import WORD, mask, word
from ingest.settings import ParseSettings

# A name is compared as two words.
_LONGEST_NAME: Final = 2 * WORD
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# Columns that the referrer's parameters fill where the URL has none.
_FROM_REFERRER = frozenset(("event_name", "item_id", "product_id", "category"))
# Hardly repeats, so that its values are not decoded one by one.
SESSION: Final = "session_id"
_ENCODED = re.compile(r"[%+\\]")


def wanted_names(settings: ParseSettings) -> dict[str, str] | None:
    """Return column -> parameter name, None when a name is not one that kernels can find."""
    names = {
        "event_name": settings.action_parameter,
        "item_id": settings.item_parameter,
        "product_id": settings.product_parameter,
        "category": settings.category_parameter,
        SESSION: settings.session_parameter,
    } | {column: name for name, column in CAMPAIGN.items()}
    can_be_found = all(_NAME.fullmatch(n) and len(n) <= _LONGEST_NAME for n in names.values())
    return names if can_be_found else None


@lru_cache(maxsize=64)
def as_words(*names: tuple[str, str]) -> npt.NDArray[np.uint64]:
    """Return `names` (column, parameter name) as `read_parameters` takes them."""
    rows = [_as_words(column, name.encode()) for column, name in names]
    return np.array(rows, dtype=np.uint64)


def _as_words(column: str, name: bytes) -> tuple[int, ...]:
    width = EVENTS.column(column).width or 0
    first, second = int(word(name[:WORD])), int(word(name[WORD:]))
    masks = int(mask(len(name))), int(mask(max(len(name) - WORD, 0)))
    is_shared, is_bare = int(column in _FROM_REFERRER), int(column == SESSION)
    return (first, masks[0], second, masks[1], len(name), is_shared, width, is_bare)


def decoded(values: DictionaryColumn, *, escapes: bool = True) -> DictionaryColumn:
    """Return the `values` of a parameter as the reference parser decodes them.

    `escapes` says that the log has those of the CLF family.
    """
    if not any(map(_ENCODED.search, texts := values.values.to_pylist())):
        return values
    sent = map(unescape, texts) if escapes else texts
    return values.map(lambda _: list(map(decode, sent)))


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
