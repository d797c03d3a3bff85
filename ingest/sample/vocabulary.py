"""The words of the shop: products, pages, addresses, agents, referrers, campaigns, statuses.

Addresses and host names are reserved ones (RFC 2544, 3849, 5737, 2606): nobody owns them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SettingsError

# The dbt seed is the one truth about products: raw logs hold only ids, dbt adds brands from it.
PRODUCTS = Path(__file__).parents[2] / "seeds" / "products.csv"

SITE = "https://shop.example"
ZONE = "+0100"
ZONE_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the shop. `action` None = no shop action is named in the URL.

    `views` and `purchases` are None when the hit is not a shop event.
    """

    name: str
    method: str
    path: str
    query: str = ""
    action: str | None = None
    has_product: bool = False
    views: int | None = None
    purchases: int | None = None


def _cart(name: str, method: str) -> Page:
    bought = int(name == "purchase")
    return Page(
        name=name,
        method=method,
        path="/cart.do",
        query=f"action={name}&itemId={{item}}&productId={{product}}",
        action=name,
        has_product=True,
        views=1 - bought,
        purchases=bought,
    )


PAGES = (
    Page(name="home", method="GET", path="/"),
    Page(name="category", method="GET", path="/category.screen", query="categoryId={category}"),
    Page(
        name="product",
        method="GET",
        path="/product.screen",
        query="productId={product}",
        has_product=True,
    ),
    # An item without an action is a `View` when the referrer names the product.
    Page(
        name="oldlink",
        method="GET",
        path="/oldlink",
        query="itemId={item}",
        action="View",
        has_product=True,
        views=1,
        purchases=0,
    ),
    _cart("view", "GET"),
    _cart("addtocart", "POST"),
    _cart("remove", "POST"),
    _cart("changequantity", "POST"),
    _cart("purchase", "POST"),
    Page(name="success", method="GET", path="/cart/success.do"),
    # For bots only; they also take the first three pages.
    Page(name="robots", method="GET", path="/robots.txt"),
)
BOT_PAGES = (10, 10, 0, 1, 1, 2, 2, 2, 2, 2)

# Chance of the first page, then of the next page or of leaving (last column), by page.
FIRST = (0.34, 0.16, 0.30, 0.06, 0.14, 0.0, 0.0, 0.0, 0.0, 0.0)
NEXT = (
    (0.02, 0.33, 0.33, 0.02, 0.12, 0.00, 0.00, 0.00, 0.00, 0.00, 0.18),
    (0.03, 0.14, 0.46, 0.04, 0.15, 0.02, 0.00, 0.00, 0.00, 0.00, 0.16),
    (0.02, 0.10, 0.16, 0.06, 0.28, 0.18, 0.00, 0.00, 0.00, 0.00, 0.20),
    (0.01, 0.05, 0.20, 0.02, 0.25, 0.22, 0.00, 0.00, 0.00, 0.00, 0.25),
    (0.01, 0.06, 0.20, 0.02, 0.16, 0.35, 0.02, 0.02, 0.00, 0.00, 0.16),
    (0.00, 0.04, 0.10, 0.00, 0.12, 0.08, 0.10, 0.10, 0.34, 0.00, 0.12),
    (0.01, 0.10, 0.20, 0.00, 0.15, 0.14, 0.05, 0.05, 0.05, 0.00, 0.25),
    (0.00, 0.04, 0.08, 0.00, 0.08, 0.10, 0.05, 0.10, 0.45, 0.00, 0.10),
    (0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.80, 0.20),
    (0.10, 0.05, 0.10, 0.00, 0.02, 0.00, 0.00, 0.00, 0.00, 0.00, 0.73),
)

CATEGORIES = ("STRATEGY", "ARCADE", "TEE", "ACCESSORIES", "SIMULATION", "SHOOTER", "SPORTS")

# Code, label in the reference CSV, weight.
STATUSES = (
    (200, "Successfull", 9240),
    (503, "Error response", 235),
    (408, "Request lost", 107),
    (406, "No Response", 95),
    (400, "Item not found", 94),
    (500, "Error resolving Query", 90),
    (505, "Error", 68),
    (404, "Page not exist", 43),
    (403, "No response from server", 28),
)

EXTERNAL_REFERRERS = (
    "https://www.google.com/search?q=cheap+tablets",
    "https://www.bing.com/search?q=headphones",
    "https://www.yahoo.com/",
    "https://mail.example/inbox",
    "https://news.example/spring-sale?page=2",
)

# utm_source, utm_medium, utm_campaign.
CAMPAIGNS = (
    ("newsletter", "email", "spring-sale"),
    ("google", "cpc", "brands"),
    ("partner", "affiliate", "tablets"),
    ("social", "post", "spring-sale"),
)

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/135.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/133.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.3 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/133.0.0.0 Mobile Safari/537.36",
)

BOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
)

USERS = ("ann", "bob", "eve.adams")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What the shop sells: (product id, brand) and (item id, item name), ids in lower case."""

    products: tuple[tuple[str, str], ...]
    items: tuple[tuple[str, str], ...]


def load_catalog(path: Path = PRODUCTS) -> Catalog:
    """Return the catalogue of the seed file; raises SettingsError when it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        products = {row["product_id"]: row["brand"] for row in rows if row["product_id"]}
        items = {row["item_id"]: row["item_name"] for row in rows if row["item_id"]}
    except (OSError, KeyError) as error:
        raise SettingsError(
            f"the product seed {path} cannot be read ({error!r}): restore it from git"
        ) from error
    return Catalog(products=tuple(sorted(products.items())), items=tuple(sorted(items.items())))
