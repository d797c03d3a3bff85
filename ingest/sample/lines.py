"""Turns drawn hits into the lines of each format, and into the facts that they state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ingest.sample.truth import Facts
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import (
    CAMPAIGNS,
    CATEGORIES,
    EXTERNAL_REFERRERS,
    PAGES,
    SITE,
    STATUSES,
    ZONE,
    ZONE_SECONDS,
    Page,
)

CSV_HEADER = (
    "Action,Bytes,Item ,# Of Purchases,Response,Pct_Purchase,# Of Views,Brand,Clickhere,"
    "Category,ClientIP,ItemID,Msg,Number of Records,ProductID,Rbytes,Rstat,ServerIp,SessionID,"
    "TimeStamp,URL"
)

_HMS = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400)]
_NAMES = [page.name for page in PAGES]
_CATEGORY, _PRODUCT, _OLDLINK = map(_NAMES.index, ("category", "product", "oldlink"))
_IS_CART = np.array([page.path == "/cart.do" for page in PAGES])
_ACTIONS = tuple(sorted({page.action.lower() for page in PAGES if page.action}))
_ACTION = np.array([_ACTIONS.index(p.action.lower()) if p.action else -1 for p in PAGES])
_VIEWS = np.array([-1 if page.views is None else page.views for page in PAGES])
_PURCHASES = np.array([-1 if page.purchases is None else page.purchases for page in PAGES])
_HAS_PRODUCT = np.array([page.has_product for page in PAGES])
_STATUS = np.array([code for code, _, _ in STATUSES])
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
    """What a format knows: how its lines look and what a reader must make of them."""

    codes: tuple[str, ...]
    source_format: str
    events_only: bool
    header: str
    line_end: str

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one line per hit, line end included."""
        ...

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:
        """Return what these lines state."""
        ...


class AccessWriter:
    """Combined logs with a zone, or (`splunk`) those of the reference file's upstream."""

    source_format = "access"
    events_only = False
    header = ""
    line_end = "\n"

    def __init__(self, shop: Shop, *, splunk: bool) -> None:
        """Prepare the texts that lines are made of."""
        self._shop = shop
        self._splunk = splunk
        self.codes: tuple[str, ...] = ("no_timezone",) if splunk else ()
        self._referrers = _texts(_referrers(shop))
        self._heads = _heads(shop)
        self._campaigns = _texts(["", *(_campaign_query(c) for c in CAMPAIGNS)])

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one line per hit."""
        visitors = self._shop.visitors
        day = f"{sheet.day:%d/%b/%Y}"
        who = _texts([f"{visitor.ip} - {visitor.user} [{day}:" for visitor in visitors])
        agents = _texts([visitor.agent for visitor in visitors])
        after_time = '] "' if self._splunk else f' {ZONE}] "'
        after_target = ' HTTP 1.1" ' if self._splunk else ' HTTP/1.1" '
        tails = (
            [f'" {n}\n' for n in hits["other"].tolist()] if self._splunk else ['"\n'] * len(hits)
        )
        is_bot = (hits["session"] < 0).astype(int)
        return [
            f"{client}{_HMS[second]}{after_time}{head}{session}{campaign}{after_target}"
            f'{status} {size} "{referrer}" "{agent}{tail}'
            for client, second, head, session, campaign, status, size, referrer, agent, tail in zip(
                who[hits["visitor"]].tolist(),
                hits["second"].tolist(),
                self._heads[is_bot, hits["page"], _goods_index(self._shop, hits)].tolist(),
                _session_texts(hits, sheet),
                self._campaigns[hits["campaign"] + 1].tolist(),
                _STATUS[hits["status"]].tolist(),
                hits["size"].tolist(),
                self._referrers[_referrer_index(hits)].tolist(),
                agents[hits["visitor"]].tolist(),
                tails,
                strict=True,
            )
        ]

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:
        """Return what these lines state; the page is the URL of the views mart."""
        zone = 0 if self._splunk else ZONE_SECONDS
        return _facts(
            self._shop,
            hits,
            url=hits["page"],
            urls=[page.path for page in PAGES],
            at=hits["second"].astype(np.int64) + sheet.midnight - zone,
        )


class CsvWriter:
    """The columns of the reference file, with its spelling: BOM, CRLF, ids in lower case."""

    source_format = "schematic-csv"
    codes: tuple[str, ...] = ("no_timestamp",)
    events_only = True
    header = f"\ufeff{CSV_HEADER}\r\n"
    line_end = "\r\n"

    def __init__(self, shop: Shop) -> None:
        """Prepare the texts that lines are made of."""
        self._shop = shop
        # As in the reference file: the referrer without its query, and never empty.
        self._bare = [SITE, *(url.split("?")[0] for url in _referrers(shop)[1:])]
        # Several referrers differ in their queries only.
        self._urls = sorted(set(self._bare))

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one record per hit."""
        catalog = self._shop.catalog
        clients = _texts([visitor.ip for visitor in self._shop.visitors])
        brands = _texts([brand for _, brand in catalog.products])
        products = _texts([product for product, _ in catalog.products])
        items = _texts([f"{item},,1" for item, _ in catalog.items])
        names = _texts([name for _, name in catalog.items])
        actions = _texts([page.action or "" for page in PAGES])
        labels = _texts([label for _, label, _ in STATUSES])
        # A category was sent by every third visitor only.
        categories = _texts([*(name.lower() for name in CATEGORIES), *[""] * 14])
        return [
            f"{action},{other},{name},{bought},{label},{100 * bought},{1 - bought},{brand},"
            f"Click Here,{category},{client},{item},{product},{size},{status},-,{session},,{url}"
            "\r\n"
            for (
                action, other, name, bought, label, brand, category, client, item, product, size,
                status, session, url,
            ) in zip(
                actions[hits["page"]].tolist(),
                hits["other"].tolist(),
                names[hits["item"]].tolist(),
                _PURCHASES[hits["page"]].tolist(),
                labels[hits["status"]].tolist(),
                brands[hits["product"]].tolist(),
                categories[(hits["category"] + 7 * (hits["visitor"] % 3))].tolist(),
                clients[hits["visitor"]].tolist(),
                items[hits["item"]].tolist(),
                products[hits["product"]].tolist(),
                hits["size"].tolist(),
                _STATUS[hits["status"]].tolist(),
                [text.lower() for text in _session_texts(hits, sheet)],
                _texts(self._bare)[_referrer_index(hits)].tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:  # noqa: ARG002 - records have no time
        """Return what these records state: the referrer is the URL of the views mart."""
        return _facts(
            self._shop,
            hits,
            url=np.array([self._urls.index(url) for url in self._bare])[_referrer_index(hits)],
            urls=self._urls,
            at=np.full(len(hits), -1),
            has_campaign=False,
        )


def writers(shop: Shop) -> dict[str, Writer]:
    """Return the formats that can be written, by name."""
    return {
        "combined": AccessWriter(shop, splunk=False),
        "schematic-csv": CsvWriter(shop),
        "splunk_tutorial": AccessWriter(shop, splunk=True),
    }


def _facts(
    shop: Shop, hits: Hits, *, url: Ints, urls: Sequence[str], at: Ints, has_campaign: bool = True
) -> Facts:
    page = hits["page"]
    return Facts(
        session=hits["session"].astype(np.int64),
        client=hits["visitor"].astype(np.int64),
        url=url.astype(np.int64),
        action=_ACTION[page],
        status=_STATUS[hits["status"]],
        brand=np.where(_HAS_PRODUCT[page], hits["product"], -1).astype(np.int64),
        views=_VIEWS[page],
        purchases=_PURCHASES[page],
        at=at,
        campaign=hits["campaign"].astype(np.int64) if has_campaign else np.full(len(hits), -1),
        is_bot=hits["visitor"] >= shop.people,
        clients=[visitor.ip for visitor in shop.visitors],
        urls=urls,
        actions=_ACTIONS,
        brands=[brand for _, brand in shop.catalog.products],
        campaigns=["/".join(campaign) for campaign in CAMPAIGNS],
    )


def _texts(texts: Sequence[str]) -> npt.NDArray[Any]:
    """Return an array of Python texts, to be picked from by index arrays."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _session_texts(hits: Hits, sheet: Sheet) -> list[str]:
    """Return the session id of each hit, empty for a bot."""
    sessions = int(hits["session"].max(initial=-1)) + 1
    texts = [
        f"SD{n % 10}SL{n * 7 % 10}FF{n * 3 % 11}ADFF{sheet.first_session + n}"
        for n in range(sessions)
    ]
    return _texts([*texts, ""])[hits["session"]].tolist()  # type: ignore[no-any-return]


def _heads(shop: Shop) -> npt.NDArray[Any]:
    """Return method and target by (is bot, page, goods); see `_goods_index`.

    People's targets end where the session id follows. Ids are in upper case, as shops log them.
    """
    goods = [
        (item, product) for item, _ in shop.catalog.items for product, _ in shop.catalog.products
    ]
    heads = [
        _head(page, item.upper(), product.upper(), CATEGORIES[n % len(CATEGORIES)], ends=ends)
        for ends in ("JSESSIONID=", "")
        for page in PAGES
        for n, (item, product) in enumerate(goods)
    ]
    return _texts(heads).reshape(2, len(PAGES), len(goods))


def _goods_index(shop: Shop, hits: Hits) -> Ints:
    """Return which pair of item and product each hit names, or which category."""
    pairs = hits["item"].astype(np.int64) * len(shop.catalog.products) + hits["product"]
    return np.where(hits["page"] == _CATEGORY, hits["category"], pairs)


def _head(page: Page, item: str, product: str, category: str, *, ends: str) -> str:
    query = page.query.format(item=item, product=product, category=category)
    parameters = "&".join(part for part in (query, ends) if part)
    return f"{page.method} {page.path}" + (f"?{parameters}" if parameters else "")


def _referrers(shop: Shop) -> list[str]:
    """Return all referrers, in the order that `_referrer_index` counts on."""
    return [
        "-",
        *EXTERNAL_REFERRERS,
        *(f"{SITE}{page.path}" for page in PAGES),
        *(f"{SITE}/product.screen?productId={id_.upper()}" for id_, _ in shop.catalog.products),
    ]


def _referrer_index(hits: Hits) -> Ints:
    """Return which referrer each hit has.

    A reader takes parameters that the URL lacks from the referrer's query, so only hits of the
    same product may bring it: old links, and the cart when it is opened from the product's page.
    """
    pages = 1 + len(EXTERNAL_REFERRERS)
    external, came_from, page = hits["external"], hits["came_from"], hits["page"]
    index = np.where(external >= 0, 1 + external.astype(np.int64), 0)
    index = np.where(came_from >= 0, pages + came_from.astype(np.int64), index)
    named = (page == _OLDLINK) | (_IS_CART[page] & (came_from == _PRODUCT))
    return np.where(named, pages + len(PAGES) + hits["product"].astype(np.int64), index)


def _campaign_query(campaign: tuple[str, str, str]) -> str:
    source, medium, name = campaign
    return f"&utm_source={source}&utm_medium={medium}&utm_campaign={name}"
