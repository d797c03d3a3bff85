"""Lines of combined logs, and of the layout that the reference file was made from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.sample.lines import (
    STATUS,
    Ints,
    Sheet,
    facts_of,
    referrer_index,
    referrers,
    session_texts,
    text_array,
)
from ingest.sample.truth import Facts
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import (
    CAMPAIGNS,
    CATEGORIES,
    PAGES,
    ZONE,
    ZONE_SECONDS,
    Catalog,
    Page,
)

HMS = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400)]
_CATEGORY = [page.name for page in PAGES].index("category")


class AccessWriter:
    """Combined logs with a zone, or (`splunk`) those of the reference file's upstream."""

    source_format = "access"
    events_only = False
    header = ""
    header_codes: tuple[str, ...] = ()
    line_end = "\n"

    def __init__(self, shop: Shop, *, splunk: bool) -> None:
        """Prepare the texts that lines are made of."""
        self._shop = shop
        self._splunk = splunk
        self.codes: tuple[str, ...] = ("no_timezone",) if splunk else ()
        self._referrers = text_array(referrers(shop))
        self._heads = heads(shop.catalog)
        self._campaigns = campaign_queries()

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one line per hit."""
        visitors = self._shop.visitors
        day = f"{sheet.day:%d/%b/%Y}"
        who = text_array([f"{visitor.ip} - {visitor.user} [{day}:" for visitor in visitors])
        agents = text_array([visitor.agent for visitor in visitors])
        after_time = '] "' if self._splunk else f' {ZONE}] "'
        after_target = ' HTTP 1.1" ' if self._splunk else ' HTTP/1.1" '
        tails = (
            [f'" {n}\n' for n in hits["other"].tolist()] if self._splunk else ['"\n'] * len(hits)
        )
        is_bot = (hits["session"] < 0).astype(int)
        return [
            f"{client}{HMS[second]}{after_time}{head}{session}{campaign}{after_target}"
            f'{status} {size} "{referrer}" "{agent}{tail}'
            for client, second, head, session, campaign, status, size, referrer, agent, tail in zip(
                who[hits["visitor"]].tolist(),
                hits["second"].tolist(),
                self._heads[is_bot, hits["page"], goods_index(self._shop, hits)].tolist(),
                session_texts(hits, sheet),
                self._campaigns[hits["campaign"] + 1].tolist(),
                STATUS[hits["status"]].tolist(),
                hits["size"].tolist(),
                self._referrers[referrer_index(hits)].tolist(),
                agents[hits["visitor"]].tolist(),
                tails,
                strict=True,
            )
        ]

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:
        """Return what these lines state; the page is the URL of the views mart."""
        zone = 0 if self._splunk else ZONE_SECONDS
        return facts_of(
            self._shop,
            hits,
            url=hits["page"],
            urls=[page.path for page in PAGES],
            at=hits["second"].astype(np.int64) + sheet.midnight - zone,
        )


@lru_cache(maxsize=1)  # every file of a sample asks for the same
def heads(catalog: Catalog) -> npt.NDArray[Any]:
    """Return method and target by (is bot, page, goods); see `goods_index`.

    People's targets end where the session id follows. Ids are in upper case, as shops log them.
    """
    goods = [(item, product) for item, _ in catalog.items for product, _ in catalog.products]
    heads = [
        _head(page, item.upper(), product.upper(), CATEGORIES[n % len(CATEGORIES)], ends=ends)
        for ends in ("JSESSIONID=", "")
        for page in PAGES
        for n, (item, product) in enumerate(goods)
    ]
    return text_array(heads).reshape(2, len(PAGES), len(goods))


def goods_index(shop: Shop, hits: Hits) -> Ints:
    """Return which pair of item and product each hit names, or which category."""
    pairs = hits["item"].astype(np.int64) * len(shop.catalog.products) + hits["product"]
    return np.where(hits["page"] == _CATEGORY, hits["category"], pairs)


def _head(page: Page, item: str, product: str, category: str, *, ends: str) -> str:
    query = page.query.format(item=item, product=product, category=category)
    parameters = "&".join(part for part in (query, ends) if part)
    return f"{page.method} {page.path}" + (f"?{parameters}" if parameters else "")


def campaign_queries() -> npt.NDArray[Any]:
    """Return what each campaign adds to a query, after nothing for none."""
    queries = (f"&utm_source={s}&utm_medium={m}&utm_campaign={n}" for s, m, n in CAMPAIGNS)
    return text_array(["", *queries])
