"""Snowplow's enriched events: section 4.13 of the format specification, and its example."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import event, read, reason

from ingest.settings import ParseSettings

# Places of columns, counted from 1, as the specification and Snowplow's documents give them.
PLACES = {
    "app_id": 1, "etl_tstamp": 3, "collector_tstamp": 4, "event": 6, "event_id": 7, "user_id": 13,
    "user_ipaddress": 14, "domain_userid": 16, "network_userid": 18, "geo_country": 19,
    "page_url": 30, "page_referrer": 32, "mkt_medium": 48, "mkt_source": 49, "mkt_campaign": 52,
    "contexts": 53, "ti_sku": 69, "ti_name": 70, "ti_category": 71, "useragent": 78,
    "domain_sessionid": 124, "derived_tstamp": 125, "event_name": 127, "true_tstamp": 131,
}  # fmt: skip


def line(columns: dict[str, str], count: int = 131) -> str:
    filled = {PLACES[name]: text for name, text in columns.items()}
    return "\t".join(filled.get(place, "") for place in range(1, count + 1))


def snowplow(**columns: str) -> dict[str, Any]:
    return event(line(columns), format="snowplow")


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.get("extra", "{}"))
    return found


EXAMPLE = {
    "collector_tstamp": "2024-05-06 07:08:09.123",
    "event": "page_view",
    "page_url": "https://www.example.com/x",
}


def test_worked_example() -> None:
    """The example of section 6."""
    row = snowplow(**EXAMPLE)
    assert row["parse_status"] == "ok"
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    assert (row["event_type"], row["event_name"]) == ("page_view", "page_view")
    assert (row["url_path"], row["url_domain"]) == ("/x", "www.example.com")
    assert extra(row) == {}


@pytest.mark.parametrize("count", [2, 130, 132])
def test_another_number_of_columns(count: int) -> None:
    """4.13 and the example of section 6: exactly 131."""
    assert reason(line({"app_id": "shop"}, count), format="snowplow") == "wrong_field_count"


def test_other_lines() -> None:
    """1.1 and 1.3: `#` begins no comment in this format."""
    assert reason("# shop", format="snowplow") == "no_match"
    assert reason("\t" * 130, format="snowplow") == "blank"
    bad = line({"collector_tstamp": "2024-02-31 07:08:09.123"})
    assert reason(bad, format="snowplow") == "bad_timestamp"


def test_every_column_is_placed() -> None:
    """4.13: what has no column is kept as text."""
    row = snowplow(
        **{
            **EXAMPLE, "event": "unstruct", "event_name": "add_to_cart", "event_id": "e-1",
            "app_id": "shop", "user_ipaddress": "2001:DB8::7", "user_id": "ann",
            "domain_userid": "d-1", "network_userid": "n-1", "domain_sessionid": "S-1",
            "page_referrer": "https://A.example/?q", "useragent": "-", "mkt_source": "mail",
            "mkt_medium": "cpc", "mkt_campaign": "may", "ti_sku": "P-1", "ti_name": "Tripod",
            "ti_category": "tee", "contexts": '{"a":1}', "geo_country": "DE",
        }
    )  # fmt: skip
    assert extra(row) == {
        "app_id": "shop", "contexts": '{"a":1}', "event": "unstruct", "geo_country": "DE",
        "network_userid": "n-1",
    }  # fmt: skip
    expected = {
        "parse_status": "ok", "event_type": "track", "event_name": "add_to_cart",
        "native_id": "e-1", "client_ip": "2001:db8::7", "client_address": "2001:DB8::7",
        "user_id": "ann", "visitor_id": "d-1", "session_id": "S-1",
        "referrer": "https://A.example/?q", "referrer_domain": "a.example", "user_agent": "-",
        "campaign_source": "mail", "campaign_medium": "cpc", "campaign_name": "may",
        "product_id": "P-1", "item_name": "Tripod", "category": "tee",
    }  # fmt: skip
    assert {column: row[column] for column in expected} == expected
    assert "view_count" not in row


def test_the_first_time_that_is_logged_counts() -> None:
    """4.13: true, derived, collector; the others are kept."""
    times = {
        name: f"2024-05-06 07:08:0{number}.000"
        for number, name in enumerate(("collector_tstamp", "derived_tstamp", "true_tstamp"))
    }
    row = snowplow(**times)
    assert (row["event_time"].second, set(extra(row))) == (
        2,
        {"collector_tstamp", "derived_tstamp"},
    )
    del times["true_tstamp"]
    assert snowplow(**times)["event_time"].second == 1
    assert snowplow(event="struct", etl_tstamp=times["collector_tstamp"])["parse_warnings"] == (
        "no_timestamp"
    )


@pytest.mark.parametrize(
    ("kind", "expected", "purchases"),
    [
        ("page_view", "page_view", None),
        ("page_ping", "page_ping", None),
        ("transaction", "purchase", 1),
        ("transaction_item", "other", None),
        ("struct", "track", None),
        ("unstruct", "track", None),
        ("", "other", None),
    ],
)
def test_types(kind: str, expected: str, purchases: int | None) -> None:
    """4.13, and 2.4: the counts follow from the type alone."""
    row = snowplow(**{**EXAMPLE, "event": kind, "page_url": "/?itemId=1&productId=2"})
    assert (row["event_type"], row.get("purchase_count")) == (expected, purchases)
    assert row.get("view_count") == (None if purchases is None else 0)
    assert row.get("item_id") is None


def test_the_network_stands_for_the_domain() -> None:
    """4.13: network_userid where domain_userid is empty."""
    assert snowplow(**EXAMPLE, network_userid="n-1")["visitor_id"] == "n-1"


@pytest.mark.parametrize("text", ["1714979289", "06/May/2024:07:08:09 +0000", "soon"])
def test_times_have_one_form(text: str) -> None:
    """4.13: any other text is a column of another log."""
    assert reason(line({"true_tstamp": text}), format="snowplow") == "bad_timestamp"


def test_it_is_found_and_may_be_split() -> None:
    """3.10, signature 4."""
    data = f"{line(EXAMPLE)}\n".encode()
    assert read(data * 2, settings=ParseSettings()).verdict.source_format == "snowplow"
    outcome = read(data * 2, settings=ParseSettings(), start=len(data), first_line=None)
    assert [row["source_offset"] for row in outcome.events] == [len(data)]
