"""Logs of event trackers: what people did in the shop, not what a server was asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.sample.kind import Kind, Style
from ingest.sample.kinds.json_logs import odd_objects, to_line
from ingest.sample.lines import Meaning
from ingest.sample.odd import OddLine, rejected
from ingest.sample.requests import Request
from ingest.sample.vocabulary import SITE, Page

_NO_ANSWER = frozenset({"status", "size"})
_SNOWPLOW_COLUMNS = 131
# Of these columns the positions are known, from 1: section 4.13.
_SNOWPLOW = {
    "app_id": 1, "platform": 2, "collector_tstamp": 4, "event": 6, "event_id": 7,
    "user_ipaddress": 14, "domain_userid": 16, "page_url": 30, "page_referrer": 32,
    "mkt_medium": 48, "mkt_source": 49, "mkt_campaign": 52, "ti_orderid": 68, "ti_sku": 69,
    "ti_name": 70, "useragent": 78, "domain_sessionid": 124, "event_name": 127,
}  # fmt: skip
# The action of a page of the cart -> the names of its event. Others are views of pages.
_SEGMENT = {
    "view": "Product Viewed",
    "addtocart": "Product Added",
    "remove": "Product Removed",
    "changequantity": "Quantity Changed",
    "purchase": "Order Completed",
}
_GA4 = {
    "view": "view_item",
    "addtocart": "add_to_cart",
    "remove": "remove_from_cart",
    "changequantity": "change_quantity",
    "purchase": "purchase",
}


def _cart_action(page: Page) -> str | None:
    """Return what is done in the cart, None on other pages."""
    return page.action if page.path == "/cart.do" else None


def _meaning(page: Page, name: str, *, counts: bool) -> Meaning:
    """Return that of an event of the cart, called `name`."""
    bought = int(page.action == "purchase")
    if not counts:
        return Meaning(action=name.lower(), has_product=True)
    return Meaning(action=name.lower(), has_product=True, views=1 - bought, purchases=bought)


def _means_to_segment(page: Page) -> Meaning:
    action = _cart_action(page)
    if action is None:
        return Meaning(action=page.name)
    return _meaning(page, _SEGMENT[action], counts=action != "changequantity")


def _means_to_ga4(page: Page) -> Meaning:
    action = _cart_action(page)
    if action is None:
        return Meaning(action="page_view")
    return _meaning(page, _GA4[action], counts=action != "changequantity")


def _means_to_snowplow(page: Page) -> Meaning:
    """Only a transaction has a type of its own."""
    action = _cart_action(page)
    if action == "purchase":
        return _meaning(page, "transaction", counts=True)
    return Meaning(action="page_view" if action is None else _GA4[action])


def _url(request: Request) -> str:
    return f"{SITE}{request.target}"


def _referrer(request: Request) -> str | None:
    return None if request.referrer == "-" else request.referrer


def _without_nothing(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "")}


def _segment(request: Request) -> str:
    action = _cart_action(request.page)
    context = {
        "ip": request.client, "userAgent": request.agent, "sessionId": request.session,
        "page": _without_nothing({"url": _url(request), "referrer": _referrer(request)}),
    }  # fmt: skip
    call: dict[str, Any] = {"type": "page", "name": request.page.name, "properties": {}}
    if action is not None:
        (item, name), (product, _) = request.item, request.product
        goods = {"product_id": product, "sku": item, "name": name, "quantity": 1}
        call = {"type": "track", "event": _SEGMENT[action], "properties": goods}
    return to_line(
        **call,
        messageId=f"msg-{request.number}",
        anonymousId=f"anon-{request.client}",
        timestamp=f"{request.iso}.000Z",
        context=_without_nothing(context),
    )


def _ga4(request: Request) -> str:
    action = _cart_action(request.page)
    source, medium, campaign = request.campaign
    parameters = _without_nothing(
        {
            "page_location": _url(request), "page_referrer": _referrer(request),
            "ga_session_id": request.session, "source": source, "medium": medium,
            "campaign": campaign,
        }
    )  # fmt: skip
    (_, name), (product, brand) = request.item, request.product
    items = [{"item_id": product, "item_name": name, "item_brand": brand, "quantity": "1"}]
    return to_line(
        event_date=request.iso[:10].replace("-", ""),
        event_timestamp=f"{request.at}000000",
        event_name="page_view" if action is None else _GA4[action],
        user_pseudo_id=f"8.{request.client}",
        event_params=[
            {"key": key, "value": {"string_value": value}} for key, value in parameters.items()
        ],
        items=[] if action is None else items,
    )


def _snowplow(request: Request) -> str:
    action = _cart_action(request.page)
    source, medium, campaign = request.campaign
    texts = {
        "app_id": "shop", "platform": "web", "event": "page_view",
        "collector_tstamp": f"{request.iso.replace('T', ' ')}.000",
        "event_id": f"{request.number:032x}", "user_ipaddress": request.client,
        "domain_userid": f"u-{request.client}", "page_url": _url(request),
        "page_referrer": _referrer(request) or "", "mkt_medium": medium, "mkt_source": source,
        "mkt_campaign": campaign, "useragent": request.agent, "domain_sessionid": request.session,
    }  # fmt: skip
    if action == "purchase":
        (_, name), (product, _) = request.item, request.product
        goods = {"ti_orderid": f"o-{request.number}", "ti_sku": product, "ti_name": name}
        texts |= {"event": "transaction", **goods}
    elif action is not None:
        texts |= {"event": "unstruct", "event_name": _GA4[action]}
    columns = [""] * _SNOWPLOW_COLUMNS
    for name, text in texts.items():
        columns[_SNOWPLOW[name] - 1] = text
    return "\t".join(columns)


def _odd_snowplow(style: Style) -> Iterator[OddLine]:
    """Section 4.13: a line has all columns or is none."""
    time = f"{style.request.iso.replace('T', ' ')}.000"
    yield style.swap(time, "", "no_timestamp", at=None)
    yield style.swap("\tpage_view\t", "\tmystery\t", action="mystery")
    yield style.swap("\todd\t", "\tbell\x07\t", "control_char")
    yield rejected(f"{style.text}\t", "wrong_field_count")
    yield rejected("no columns at all", "no_match")
    yield rejected(style.swapped(style.request.iso[:10], "2025-02-31"), "bad_timestamp")


KINDS = (
    Kind(
        name="segment", write=_segment, odd=odd_objects, found_as="jsonl",
        means=_means_to_segment, lacks=_NO_ANSWER,
    ),
    Kind(
        name="ga4", write=_ga4, odd=odd_objects, found_as="jsonl", means=_means_to_ga4,
        lacks=_NO_ANSWER | {"client", "agent"},
    ),
    Kind(
        name="snowplow", write=_snowplow, odd=_odd_snowplow, found_as="snowplow",
        means=_means_to_snowplow, lacks=_NO_ANSWER,
    ),
)  # fmt: skip
