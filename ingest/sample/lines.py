"""What the lines of all formats share: sessions, referrers, and the facts that lines state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ingest.sample.truth import Facts
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import CAMPAIGNS, EXTERNAL_REFERRERS, PAGES, SITE, STATUSES, Page

_NAMES = [page.name for page in PAGES]
_PRODUCT, _OLDLINK = map(_NAMES.index, ("product", "oldlink"))
_IS_CART = np.array([page.path == "/cart.do" for page in PAGES])
PURCHASES = np.array([-1 if page.purchases is None else page.purchases for page in PAGES])
STATUS = np.array([code for code, _, _ in STATUSES])
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file's place and time: local day `day` at midnight, and its first session number."""

    day: datetime
    first_session: int

    @property
    def midnight(self) -> int:
        """Local midnight as if it were UTC, in epoch seconds."""
        return int(self.day.replace(tzinfo=UTC).timestamp())


class Writer(Protocol):
    """What a format knows: how its lines look and what a reader must make of them.

    `header_codes` are the verdicts on the lines of `header`, which are all skipped.
    """

    codes: tuple[str, ...]
    source_format: str
    events_only: bool
    header: str
    header_codes: tuple[str, ...]
    line_end: str

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one line per hit, line end included."""
        ...

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:
        """Return what these lines state."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a reader makes of a hit of a page; None where it is no action, or not a shop event."""

    action: str | None = None
    has_product: bool = False
    views: int | None = None
    purchases: int | None = None


def shop_meaning(page: Page) -> Meaning:
    """Return what a log says that has targets and referrers."""
    return Meaning(
        action=None if page.action is None else page.action.lower(),
        has_product=page.has_product,
        views=page.views,
        purchases=page.purchases,
    )


def facts_of(
    shop: Shop,
    hits: Hits,
    *,
    url: Ints,
    urls: Sequence[str],
    at: Ints,
    means: Callable[[Page], Meaning] = shop_meaning,
    lacks: Collection[str] = (),
) -> Facts:
    """Return what the lines of `hits` state; `at` is epoch seconds, -1 = none.

    `lacks` are the facts that the format has no place for.
    """
    page, none = hits["page"], np.full(len(hits), -1)
    meanings = [means(one) for one in PAGES]
    actions = sorted({meaning.action for meaning in meanings if meaning.action})
    stated = {
        "session": hits["session"].astype(np.int64),
        "client": hits["visitor"].astype(np.int64),
        "action": np.array([actions.index(m.action) if m.action else -1 for m in meanings])[page],
        "status": STATUS[hits["status"]],
        "brand": np.where(np.array([m.has_product for m in meanings])[page], hits["product"], -1),
        "campaign": hits["campaign"].astype(np.int64),
        "size": hits["size"].astype(np.int64),
    }
    return Facts(
        **{name: none if name in lacks else values for name, values in stated.items()},
        url=url.astype(np.int64),
        views=_counts([meaning.views for meaning in meanings])[page],
        purchases=_counts([meaning.purchases for meaning in meanings])[page],
        at=at,
        is_bot=(hits["visitor"] >= shop.people) & ("agent" not in lacks),
        clients=[visitor.ip for visitor in shop.visitors],
        urls=urls,
        actions=actions,
        brands=[brand for _, brand in shop.catalog.products],
        campaigns=["/".join(campaign) for campaign in CAMPAIGNS],
    )


def _counts(values: Sequence[int | None]) -> Ints:
    return np.array([-1 if value is None else value for value in values])


def text_array(texts: Sequence[str]) -> npt.NDArray[Any]:
    """Return an array of Python texts, to be picked from by index arrays."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def session_texts(hits: Hits, sheet: Sheet) -> list[str]:
    """Return the session id of each hit, empty for a bot."""
    sessions = int(hits["session"].max(initial=-1)) + 1
    ids = [
        f"SD{n % 10}SL{n * 7 % 10}FF{n * 3 % 11}ADFF{sheet.first_session + n}"
        for n in range(sessions)
    ]
    named: list[str] = text_array([*ids, ""])[hits["session"]].tolist()
    return named


def referrers(shop: Shop) -> list[str]:
    """Return all referrers, in the order that `referrer_index` counts on."""
    return [
        "-",
        *EXTERNAL_REFERRERS,
        *(f"{SITE}{page.path}" for page in PAGES),
        *(f"{SITE}/product.screen?productId={id_.upper()}" for id_, _ in shop.catalog.products),
    ]


def referrer_index(hits: Hits) -> Ints:
    """Return which referrer each hit has.

    A reader takes parameters that the URL lacks from the referrer's query, so only hits of the
    same product may have it: old links, and the cart when it is opened from the product's page.
    """
    pages = 1 + len(EXTERNAL_REFERRERS)
    external, came_from, page = hits["external"], hits["came_from"], hits["page"]
    index = np.where(external >= 0, 1 + external.astype(np.int64), 0)
    index = np.where(came_from >= 0, pages + came_from.astype(np.int64), index)
    named = (page == _OLDLINK) | (_IS_CART[page] & (came_from == _PRODUCT))
    return np.where(named, pages + len(PAGES) + hits["product"].astype(np.int64), index)
