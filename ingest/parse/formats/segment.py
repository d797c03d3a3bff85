"""Segment's events as JSON lines: section 4.12 of the format specification."""

from __future__ import annotations

from typing import Any

from ingest.parse.fields.parameters import shop_counts
from ingest.parse.json_keys import Found, find, keys
from ingest.parse.json_lines import EMPTY, Shape, register_shape
from ingest.parse.json_object import Members, path_of
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

GRAMMAR = """\
timestamp                   event_time; else originalTimestamp, sentAt or receivedAt
type                        event_type
event, else name            event_name
messageId                   native_id
anonymousId, userId         visitor_id, user_id
context.ip                  client_ip, client_address
context.userAgent           user_agent
context.page.url            url_*; else properties.url
context.page.referrer       referrer
context.campaign            source, medium, name: campaign_*; else utm_* of the URL
context.sessionId           session_id
properties                  product_id, sku, name, brand, category; else of products[0]:
                            product_id, item_id, item_name, brand, category

All else is kept in extra. event_type is page_view for page, screen_view for screen; a track of
Product Viewed is view, of Product Added addtocart, of Product Removed remove, of Order Completed
purchase."""
_PRODUCTS = ("properties", "properties.products.0")
_KEYS = keys(
    event_time="timestamp originalTimestamp sentAt receivedAt",
    event_name="event name",
    native_id="messageId",
    visitor_id="anonymousId",
    user_id="userId",
    client="context.ip",
    user_agent="context.userAgent",
    campaign_source="context.campaign.source",
    campaign_medium="context.campaign.medium",
    campaign_name="context.campaign.name",
    session_id="context.sessionId",
    brand=" ".join(f"{place}.brand" for place in _PRODUCTS),
    category=" ".join(f"{place}.category" for place in _PRODUCTS),
)
_URLS = (path_of("context.page.url"), path_of("properties.url"))
_REFERRER = path_of("context.page.referrer")
_TYPES = {
    "identify": "identify",
    "track": "track",
    "page": "page_view",
    "screen": "screen_view",
    "group": "group",
    "alias": "alias",
}
_ACTIONS = {
    "product viewed": "view",
    "product added": "addtocart",
    "product removed": "remove",
    "order completed": "purchase",
}
_IDS = ("messageId", "anonymousId", "userId")


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object is a call of Segment's API."""
    kind = value.get("type")
    return isinstance(kind, str) and kind in _TYPES and any(name in value for name in _IDS)


def take(event: Event, members: Members, _settings: ParseSettings) -> dict[str, Found]:
    """Take the parts of one call."""
    event.values["event_type"] = _TYPES[members.take(("type",)) or ""]
    found = find(members, _KEYS)
    texts = _product(members)
    texts |= {"url": members.take(*_URLS), "referrer": members.take(_REFERRER)}
    return found | {target: Found(text) for target, text in texts.items() if text is not None}


def finish(event: Event) -> None:
    """Store which type of event the name of a track says."""
    event_type = event.values["event_type"]
    if event_type == "track":
        event_type = _ACTIONS.get((event.values.get("event_name") or "").lower(), event_type)
    event.values |= {"event_type": event_type, **shop_counts(event_type)}


def _product(members: Members) -> dict[str, str | None]:
    """Take the ids and the name of the first product; without an id a name is not its name."""
    for place in _PRODUCTS:
        at = path_of(place)
        product, sku = members.take((*at, "product_id")), members.take((*at, "sku"))
        if product is not None or sku is not None:
            name = members.take((*at, "name"))
            return {"product_id": product, "item_id": sku, "item_name": name}
    return {}


register_shape(
    Shape(
        name="segment",
        rank=3,
        fits=fits,
        needs=f"type ({', '.join(_TYPES)}) and one of {', '.join(_IDS)}",
        take=take,
        finish=finish,
        reads_campaign=True,
        nulls=EMPTY,
        told_by=("type",),
    ),
    description="Segment's events, as JSON lines",
    grammar=GRAMMAR,
)
