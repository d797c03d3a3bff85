"""What a web request says about the shop, the session and the campaign: section 2.4."""

from __future__ import annotations

from typing import Any

from ingest.contract import SHOP_ACTIONS
from ingest.parse.fields.urls import MOST_PARAMETERS, Url, parameters, split_target
from ingest.settings import ParseSettings

CAMPAIGN = {
    "utm_source": "campaign_source",
    "utm_medium": "campaign_medium",
    "utm_campaign": "campaign_name",
}


def read_shop(
    url: Url, settings: ParseSettings, *, referrer: str | None, cookie: str | None
) -> dict[str, Any]:
    """Return the columns that the parameters of a request fill; `event_type` is always there."""
    own = parameters(url.query)
    columns: dict[str, Any] = {c: own[name] for name, c in CAMPAIGN.items() if name in own}
    columns["session_id"] = (
        own.get(settings.session_parameter)
        or _path_session(url.path, settings.session_parameter)
        or _cookie_session(cookie, settings.session_parameter)
    )
    theirs = parameters(split_target(referrer).query) if referrer else {}
    columns |= {
        "event_name": _either(own, theirs, settings.action_parameter),
        "item_id": _either(own, theirs, settings.item_parameter),
        "product_id": _either(own, theirs, settings.product_parameter),
        "category": _either(own, theirs, settings.category_parameter),
    }
    add_action(columns)
    return columns


def _either(own: dict[str, str], theirs: dict[str, str], name: str) -> str | None:
    return own.get(name) or theirs.get(name)


def _path_session(path: str | None, name: str) -> str | None:
    """Return the value of `;jsessionid=` in a path, as servlet containers write it."""
    if path is None:
        return None
    session = path.partition(f";{name.lower()}=")[2]
    return session.partition(";")[0].partition("/")[0] or None


def _cookie_session(cookie: str | None, name: str) -> str | None:
    for pair in (cookie or "").split(";", MOST_PARAMETERS)[:MOST_PARAMETERS]:
        key, _, session = pair.strip(" ").partition("=")
        if key == name:
            return session or None
    return None


def shop_counts(event_type: str) -> dict[str, int]:
    """Return the columns that count a purchase or a view, none unless it is a shop action."""
    if event_type not in SHOP_ACTIONS:
        return {}
    purchases = int(event_type == "purchase")
    return {"purchase_count": purchases, "view_count": 1 - purchases}


def add_action(columns: dict[str, Any]) -> None:
    """Add what follows from event_name, item_id and product_id, which are there or None."""
    is_product = columns["item_id"] is not None and columns["product_id"] is not None
    if columns["event_name"] is None and is_product:
        columns["event_name"] = "View"
    action = (columns["event_name"] or "").lower()
    columns["event_type"] = action if action in SHOP_ACTIONS else "request"
    if is_product:
        columns["purchase_count"] = int(action == "purchase")
        columns["view_count"] = 1 - columns["purchase_count"]
