"""Google Analytics 4, exported from BigQuery as JSON lines: section 4.14 of the specification."""

from __future__ import annotations

from typing import Any

from ingest.parse.fields.parameters import shop_counts
from ingest.parse.json_keys import Found, find, key, keys
from ingest.parse.json_lines import EMPTY, Shape, register_shape
from ingest.parse.json_object import Members, path_of
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

GRAMMAR = """\
event_timestamp (us)        event_time
event_name                  event_name, event_type
user_id                     user_id
user_pseudo_id              visitor_id
event_params                page_location: url_*; page_referrer: referrer;
                            ga_session_id: session_id, behind user_pseudo_id and a dot;
                            source, medium, campaign: campaign_*
collected_traffic_source    manual_source, manual_medium, manual_campaign_name: campaign_*
items[0]                    item_id: product_id; item_name; item_brand: brand;
                            item_category: category

All else is kept in extra. event_type is view for view_item, addtocart for add_to_cart, remove for
remove_from_cart, purchase, page_view and screen_view for themselves, track for all else."""
_KEYS = keys(
    event_time=key("event_timestamp", unit="us"),
    event_name="event_name",
    user_id="user_id",
    visitor_id="user_pseudo_id",
    campaign_source="collected_traffic_source.manual_source",
    campaign_medium="collected_traffic_source.manual_medium",
    campaign_name="collected_traffic_source.manual_campaign_name",
    product_id="items.0.item_id",
    item_name="items.0.item_name",
    brand="items.0.item_brand",
    category="items.0.item_category",
)
_CAMPAIGN = {
    "campaign_source": "source",
    "campaign_medium": "medium",
    "campaign_name": "campaign",
}
_PAGE = {"url": "page_location", "referrer": "page_referrer"}
_SESSION = {"session_of_visitor": "ga_session_id"}
_TYPES = {
    "page_view": "page_view",
    "screen_view": "screen_view",
    "view_item": "view",
    "add_to_cart": "addtocart",
    "remove_from_cart": "remove",
    "purchase": "purchase",
}
_PLACE = path_of("event_params")
_VALUES = tuple(path_of(f"value.{kind}_value") for kind in ("string", "int", "float", "double"))


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object is a row of the export."""
    return "event_timestamp" in value and "event_name" in value


def take(_event: Event, members: Members, _settings: ParseSettings) -> dict[str, Found]:
    """Take the parts of one event of an app or a site."""
    found = find(members, _KEYS)
    wanted = _PAGE | {column: name for column, name in _CAMPAIGN.items() if column not in found}
    if "visitor_id" in found:
        wanted |= _SESSION
    for target, name in wanted.items():
        text = _parameter(members, name)
        if text is not None:
            found[target] = Found(text)
    return found


def finish(event: Event) -> None:
    """Store which type of event its name says."""
    event_type = _TYPES.get(event.values.get("event_name") or "", "track")
    event.values |= {"event_type": event_type, **shop_counts(event_type)}


def _parameter(members: Members, name: str) -> str | None:
    return members.take_entry(_PLACE, ("key", name), _VALUES)


register_shape(
    Shape(
        name="ga4",
        rank=2,
        fits=fits,
        needs="event_timestamp and event_name",
        take=take,
        finish=finish,
        nulls=EMPTY,
        told_inside=("key",),
    ),
    description="Google Analytics 4, exported from BigQuery as JSON lines",
    grammar=GRAMMAR,
)
