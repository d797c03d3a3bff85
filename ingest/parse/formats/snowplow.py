"""Snowplow's enriched events, `snowplow`: section 4.13 of the format specification."""

from __future__ import annotations

from functools import partial

from ingest.parse.fields.parameters import shop_counts
from ingest.parse.fields.text import is_blank, repair
from ingest.parse.fields.times import BadTime, is_iso_time, read_utc
from ingest.parse.fields.urls import domain_of
from ingest.parse.format import Format, Head, ParserOfLines
from ingest.parse.model import Identity
from ingest.parse.place import Misfit, no_match
from ingest.parse.registry import register
from ingest.parse.verdict import BLANK, Event, Reject, Verdict
from ingest.parse.web import put_logged_client, put_url
from ingest.settings import ParseSettings

GRAMMAR = """\
131 TAB-separated columns without a header; an empty one is null.

true_tstamp             event_time, in UTC; else derived_tstamp, else collector_tstamp
event                   event_type: page_view and page_ping as they are, transaction: purchase,
                        struct and unstruct: track; other
event_name              event_name; else event
event_id                native_id
user_ipaddress          client_ip, client_address
user_id                 user_id
domain_userid           visitor_id; else network_userid
domain_sessionid        session_id
page_url                url_*
page_referrer           referrer, referrer_domain
useragent               user_agent
mkt_source, mkt_medium, mkt_campaign
                        campaign_source, campaign_medium, campaign_name
ti_sku, ti_name, ti_category
                        product_id, item_name, category
all others              extra"""
_FIELDS = """
    app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id
    name_tracker v_tracker v_collector v_etl user_id user_ipaddress user_fingerprint domain_userid
    domain_sessionidx network_userid geo_country geo_region geo_city geo_zipcode geo_latitude
    geo_longitude geo_region_name ip_isp ip_organization ip_domain ip_netspeed page_url page_title
    page_referrer page_urlscheme page_urlhost page_urlport page_urlpath page_urlquery
    page_urlfragment refr_urlscheme refr_urlhost refr_urlport refr_urlpath refr_urlquery
    refr_urlfragment refr_medium refr_source refr_term mkt_medium mkt_source mkt_term mkt_content
    mkt_campaign contexts se_category se_action se_label se_property se_value unstruct_event
    tr_orderid tr_affiliation tr_total tr_tax tr_shipping tr_city tr_state tr_country ti_orderid
    ti_sku ti_name ti_category ti_price ti_quantity pp_xoffset_min pp_xoffset_max pp_yoffset_min
    pp_yoffset_max useragent br_name br_family br_version br_type br_renderengine br_lang
    br_features_pdf br_features_flash br_features_java br_features_director br_features_quicktime
    br_features_realplayer br_features_windowsmedia br_features_gears br_features_silverlight
    br_cookies br_colordepth br_viewwidth br_viewheight os_name os_family os_manufacturer
    os_timezone dvce_type dvce_ismobile dvce_screenwidth dvce_screenheight doc_charset doc_width
    doc_height tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency ti_price_base
    base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp
    refr_domain_userid refr_dvce_tstamp derived_contexts domain_sessionid derived_tstamp
    event_vendor event_name event_format event_version event_fingerprint true_tstamp
"""
_NAMES = tuple(_FIELDS.split())
_TEXTS = {
    "event_id": "native_id",
    "user_id": "user_id",
    "domain_sessionid": "session_id",
    "page_referrer": "referrer",
    "useragent": "user_agent",
    "mkt_source": "campaign_source",
    "mkt_medium": "campaign_medium",
    "mkt_campaign": "campaign_name",
    "ti_sku": "product_id",
    "ti_name": "item_name",
    "ti_category": "category",
}
_TIMES = ("true_tstamp", "derived_tstamp", "collector_tstamp")
_VISITORS = ("domain_userid", "network_userid")
_TYPES = {
    "page_view": "page_view",
    "page_ping": "page_ping",
    "transaction": "purchase",
    "struct": "track",
    "unstruct": "track",
}


def snowplow_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object."""
    return ParserOfLines(identity, settings, partial(parse_line, settings=settings))


def score(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample have as many columns, and times where times belong."""
    return sum(line.count(b"\t") == len(_NAMES) - 1 and _is_timed(line) for line in head.sample)


def _is_timed(line: bytes) -> bool:
    columns = line.decode(errors="replace").split("\t")
    times = (columns[_NAMES.index(name)] for name in _TIMES)
    return all(is_iso_time(text) for text in times if text)


def parse_line(raw: bytes, settings: ParseSettings) -> Verdict:
    """Return the verdict on one line, given without its line end."""
    if is_blank(raw):
        return BLANK
    event = Event()
    count = raw.count(b"\t") + 1
    if count not in (1, len(_NAMES)):
        return Reject("wrong_field_count", f"{count} columns, not {len(_NAMES)}")
    line = repair(raw, event.warnings)
    if count == 1:
        return no_match(Misfit(len(line), f"{len(_NAMES)} columns between TABs"))
    columns = line.split("\t")
    fields = {name: text for name, text in zip(_NAMES, columns, strict=True) if text}
    try:
        _put(event, fields, settings)
    except BadTime as error:
        return Reject("bad_timestamp", str(error))
    return event


def _put(event: Event, fields: dict[str, str], settings: ParseSettings) -> None:
    _put_time(event, fields)
    _put_type(event, fields)
    for name, column in _TEXTS.items():
        event.values[column] = fields.pop(name, None)
    event.values["visitor_id"] = _first(fields, _VISITORS)
    put_logged_client(event, fields.pop("user_ipaddress", None), settings)
    event.values["referrer_domain"] = domain_of(event.values["referrer"])
    page = fields.pop("page_url", None)
    if page is not None:
        put_url(event, page)
    event.extra |= fields


def _first(fields: dict[str, str], names: tuple[str, ...]) -> str | None:
    """Take the first of `names` that is filled, None when none is."""
    return next((fields.pop(name) for name in names if name in fields), None)


def _put_time(event: Event, fields: dict[str, str]) -> None:
    name = next((name for name in _TIMES if name in fields), None)
    if name is None:
        event.warnings.add("no_timestamp")
        return
    text = fields.pop(name)
    try:
        if not is_iso_time(text):
            raise BadTime(text)
        event.values["event_time"] = read_utc(text, event.warnings)
    except BadTime as error:
        raise BadTime(text, name) from error


def _put_type(event: Event, fields: dict[str, str]) -> None:
    """Store type and name; the kind of event is kept where its name does not say it."""
    kind = fields.pop("event", None)
    name = fields.pop("event_name", kind)
    event_type = _TYPES.get(kind or "", "other")
    event.values |= {"event_type": event_type, "event_name": name, **shop_counts(event_type)}
    if kind != name:
        event.put_extra("event", kind)


register(
    Format(
        name="snowplow",
        description="Snowplow's enriched events",
        grammar=GRAMMAR,
        splittable=True,
        parser=snowplow_parser,
        score=score,
        rank=4,
    )
)
