"""Lines of logs in columns below a `#Fields:` line: CloudFront's standard log, and that of IIS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.sample.lines import (
    STATUS,
    Sheet,
    facts_of,
    referrer_index,
    referrers,
    session_texts,
    text_array,
)
from ingest.sample.lines_access import HMS, campaign_queries, goods_index, heads
from ingest.sample.truth import Facts
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import PAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a producer writes: name and usual text of each column in order, and what replaces what.

    `escapes` are pairs of a character in an agent or a URL and what is logged for it.
    """

    source_format: str
    head: tuple[str, ...]
    head_codes: tuple[str, ...]
    columns: dict[str, str]
    delimiter: str
    escapes: tuple[tuple[str, str], ...]
    url_escapes: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> str:
        """The line that names the columns."""
        return f"#Fields: {' '.join(self.columns)}"

    def agent(self, text: str) -> str:
        """Return a user agent as it is logged."""
        return _escaped(text, self.escapes)

    def url(self, text: str) -> str:
        """Return a referrer, or a part of a URL, as it is logged."""
        return _escaped(text, self.url_escapes)


CLOUDFRONT = Layout(
    source_format="cloudfront",
    head=("#Version: 1.0",),
    head_codes=("header", "header"),
    columns={
        "date": "-", "time": "-", "x-edge-location": "FRA56-P1", "sc-bytes": "120", "c-ip": "-",
        "cs-method": "GET", "cs(Host)": "d1example.cloudfront.net", "cs-uri-stem": "/odd",
        "sc-status": "200", "cs(Referer)": "-", "cs(User-Agent)": "odd", "cs-uri-query": "-",
        "cs(Cookie)": "-", "x-edge-result-type": "Miss", "x-edge-request-id": "-",
        "x-host-header": "shop.example", "cs-protocol": "https", "cs-bytes": "410",
        "time-taken": "0.012",
    },
    delimiter="\t",
    escapes=(("%", "%25"), (" ", "%20")),
    url_escapes=(("%", "%25"),),
)  # fmt: skip
IIS = Layout(
    source_format="w3c",
    head=(
        "#Software: Microsoft Internet Information Services 10.0",
        "#Version: 1.0",
        "#Date: 2025-03-03 00:00:00",
    ),
    head_codes=("comment", "header", "comment", "header"),
    columns={
        "date": "-", "time": "-", "s-ip": "192.0.2.5", "cs-method": "GET", "cs-uri-stem": "/odd",
        "cs-uri-query": "-", "s-port": "443", "cs-username": "-", "c-ip": "-",
        "cs(User-Agent)": "odd", "cs(Referer)": "-", "sc-status": "200", "sc-substatus": "0",
        "sc-win32-status": "0", "sc-bytes": "120", "cs-bytes": "410", "time-taken": "12",
    },
    delimiter=" ",
    escapes=((" ", "+"),),
)  # fmt: skip


class ColumnsWriter:
    """Logs of one layout, in UTC, which is the shop's local time here."""

    codes: tuple[str, ...] = ()
    events_only = False
    line_end = "\n"

    def __init__(self, shop: Shop, layout: Layout) -> None:
        """Prepare the texts that lines are made of."""
        self._shop = shop
        self._layout = layout
        self.source_format = layout.source_format
        self.header = "".join(f"{line}\n" for line in (*layout.head, layout.fields))
        self.header_codes = layout.head_codes
        self._referrers = text_array([layout.url(url) for url in referrers(shop)])
        self._agents = text_array([layout.agent(visitor.agent) for visitor in shop.visitors])
        self._heads = heads(shop.catalog)
        self._campaigns = campaign_queries()

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one line per hit."""
        usual = self._layout.columns
        clients = text_array([visitor.ip for visitor in self._shop.visitors])
        is_bot = (hits["session"] < 0).astype(int)
        texts = []
        for head, session, campaign, second, client, status, size, referrer, agent in zip(
            self._heads[is_bot, hits["page"], goods_index(self._shop, hits)].tolist(),
            session_texts(hits, sheet),
            self._campaigns[hits["campaign"] + 1].tolist(),
            hits["second"].tolist(),
            clients[hits["visitor"]].tolist(),
            STATUS[hits["status"]].tolist(),
            hits["size"].tolist(),
            self._referrers[referrer_index(hits)].tolist(),
            self._agents[hits["visitor"]].tolist(),
            strict=True,
        ):
            method, _, target = f"{head}{session}{campaign}".partition(" ")
            path, _, query = self._layout.url(target).partition("?")
            columns = {
                "date": f"{sheet.day:%Y-%m-%d}", "time": HMS[second], "c-ip": client,
                "cs-method": method, "cs-uri-stem": path, "cs-uri-query": query or "-",
                "sc-status": str(status), "sc-bytes": str(size), "cs(Referer)": referrer,
                "cs(User-Agent)": agent,
            }  # fmt: skip
            texts.append(f"{self._layout.delimiter.join({**usual, **columns}.values())}\n")
        return texts

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:
        """Return what these lines state; the page is the URL of the views mart."""
        return facts_of(
            self._shop,
            hits,
            url=hits["page"],
            urls=[page.path for page in PAGES],
            at=hits["second"].astype(np.int64) + sheet.midnight,
        )


def _escaped(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for character, logged in escapes:
        text = text.replace(character, logged)
    return text
