"""Records of the reference CSV."""

from __future__ import annotations

import numpy as np

from ingest.sample.lines import (
    PURCHASES,
    STATUS,
    Sheet,
    facts_of,
    referrer_index,
    referrers,
    session_texts,
    text_array,
)
from ingest.sample.truth import Facts
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import CATEGORIES, PAGES, SITE, STATUSES

CSV_HEADER = (
    "Action,Bytes,Item ,# Of Purchases,Response,Pct_Purchase,# Of Views,Brand,Clickhere,"
    "Category,ClientIP,ItemID,Msg,Number of Records,ProductID,Rbytes,Rstat,ServerIp,SessionID,"
    "TimeStamp,URL"
)


class CsvWriter:
    """The columns of the reference file, with its spelling: BOM, CRLF, ids in lower case."""

    source_format = "schematic-csv"
    codes: tuple[str, ...] = ("no_timestamp",)
    events_only = True
    header = f"\ufeff{CSV_HEADER}\r\n"
    header_codes: tuple[str, ...] = ("header",)
    line_end = "\r\n"

    def __init__(self, shop: Shop) -> None:
        """Prepare the texts that lines are made of."""
        self._shop = shop
        # As in the reference file: the referrer without its query, and never empty.
        self._bare = [SITE, *(url.split("?")[0] for url in referrers(shop)[1:])]
        # Several referrers differ in their queries only.
        self._urls = sorted(set(self._bare))

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one record per hit."""
        catalog = self._shop.catalog
        clients = text_array([visitor.ip for visitor in self._shop.visitors])
        brands = text_array([brand for _, brand in catalog.products])
        products = text_array([product for product, _ in catalog.products])
        items = text_array([f"{item},,1" for item, _ in catalog.items])
        names = text_array([name for _, name in catalog.items])
        actions = text_array([page.action or "" for page in PAGES])
        labels = text_array([label for _, label, _ in STATUSES])
        # Only every third visitor sent a category.
        sent, not_sent = [name.lower() for name in CATEGORIES], [""] * len(CATEGORIES)
        categories = text_array(sent + 2 * not_sent)
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
                PURCHASES[hits["page"]].tolist(),
                labels[hits["status"]].tolist(),
                brands[hits["product"]].tolist(),
                categories[(hits["category"] + len(CATEGORIES) * (hits["visitor"] % 3))].tolist(),
                clients[hits["visitor"]].tolist(),
                items[hits["item"]].tolist(),
                products[hits["product"]].tolist(),
                hits["size"].tolist(),
                STATUS[hits["status"]].tolist(),
                [text.lower() for text in session_texts(hits, sheet)],
                text_array(self._bare)[referrer_index(hits)].tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:  # noqa: ARG002 - records have no time
        """Return what these records state: the referrer is the URL of the views mart."""
        return facts_of(
            self._shop,
            hits,
            url=np.array([self._urls.index(url) for url in self._bare])[referrer_index(hits)],
            urls=self._urls,
            at=np.full(len(hits), -1),
            lacks={"campaign"},
        )
