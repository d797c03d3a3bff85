"""A request to the shop, as every format that has one a line writes it down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ingest.sample.lines import STATUS, Sheet, referrer_index, referrers, session_texts, text_array
from ingest.sample.lines_access import campaign_queries, goods_index, heads
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import CAMPAIGNS, PAGES, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `at` is epoch seconds, UTC; `number` is unique in the sample, for ids.

    Numbers are texts, so that odd ones can be written. "" is a session or a campaign that is not
    there, `-` a user or a referrer. `item` is (id, name), `product` (id, brand), `campaign`
    (source, medium, name).
    """

    at: int
    number: int
    client: str
    user: str
    agent: str
    method: str
    target: str
    status: str
    size: str
    referrer: str
    page: Page
    session: str
    item: tuple[str, str]
    product: tuple[str, str]
    campaign: tuple[str, str, str]

    @property
    def path(self) -> str:
        """The target up to its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What is behind the path, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def iso(self) -> str:
        """Date and time, without a zone."""
        return f"{self._time:%Y-%m-%dT%H:%M:%S}"

    @property
    def clf(self) -> str:
        """The time as in common logs."""
        return f"{self._time:%d/%b/%Y:%H:%M:%S} +0000"

    @property
    def _time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def requests(shop: Shop, hits: Hits, sheet: Sheet) -> Iterator[Request]:
    """Yield the request of each hit; UTC is the shop's local time here."""
    pages, visitors = list(PAGES), shop.visitors
    items, products = shop.catalog.items, shop.catalog.products
    is_bot = (hits["session"] < 0).astype(int)
    queries, campaigns = campaign_queries().tolist(), (("", "", ""), *CAMPAIGNS)
    for (
        number,
        head,
        session,
        campaign,
        at,
        visitor,
        page,
        item,
        product,
        status,
        size,
        came,
    ) in zip(
        range(sheet.first_session, sheet.first_session + len(hits)),
        heads(shop.catalog)[is_bot, hits["page"], goods_index(shop, hits)].tolist(),
        session_texts(hits, sheet),
        (hits["campaign"] + 1).tolist(),
        (hits["second"].astype(np.int64) + sheet.midnight).tolist(),
        hits["visitor"].tolist(),
        hits["page"].tolist(),
        hits["item"].tolist(),
        hits["product"].tolist(),
        STATUS[hits["status"]].tolist(),
        hits["size"].tolist(),
        text_array(referrers(shop))[referrer_index(hits)].tolist(),
        strict=True,
    ):
        method, _, target = f"{head}{session}{queries[campaign]}".partition(" ")
        yield Request(
            at=at,
            number=number,
            client=visitors[visitor].ip,
            user=visitors[visitor].user,
            agent=visitors[visitor].agent,
            method=method,
            target=target,
            status=str(status),
            size=str(size),
            referrer=came,
            page=pages[page],
            session=session,
            item=items[item],
            product=products[product],
            campaign=campaigns[campaign],
        )
