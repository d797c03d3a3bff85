"""What the URL, the referrer and the cookie say about shop, session and campaign."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.parse.fields.parameters import read_shop
from ingest.parse.fields.urls import split_target
from ingest.settings import ParseSettings

SETTINGS = ParseSettings()


def shop(
    target: str,
    *,
    referrer: str | None = None,
    cookie: str | None = None,
    settings: ParseSettings = SETTINGS,
) -> dict[str, Any]:
    columns = read_shop(split_target(target), settings, referrer=referrer, cookie=cookie)
    return {name: value for name, value in columns.items() if value is not None}


def test_a_plain_request() -> None:
    assert shop("/a?b=1") == {"event_type": "request"}


@pytest.mark.parametrize("action", ["view", "AddToCart", "remove", "changequantity"])
def test_actions(action: str) -> None:
    assert shop(f"/?action={action}&itemId=i&productId=p") == {
        "event_name": action,
        "event_type": action.lower(),
        "item_id": "i",
        "product_id": "p",
        "purchase_count": 0,
        "view_count": 1,
    }


def test_purchase() -> None:
    columns = shop("/?action=purchase&itemId=i&productId=p")
    assert (columns["purchase_count"], columns["view_count"]) == (1, 0)


def test_counts_need_both_ids() -> None:
    assert shop("/?action=purchase&itemId=i") == {
        "event_name": "purchase",
        "event_type": "purchase",
        "item_id": "i",
    }


def test_an_unknown_action_is_a_request() -> None:
    assert shop("/?action=login") == {"event_name": "login", "event_type": "request"}


def test_both_ids_without_an_action_are_a_view() -> None:
    columns = shop("/?itemId=i&productId=p")
    assert (columns["event_name"], columns["event_type"]) == ("View", "view")


def test_each_parameter_may_come_from_the_referrer() -> None:
    referrer = "http://a/?itemId=theirs&productId=p&categoryId=c&utm_source=x&JSESSIONID=s#f"
    assert shop("/?itemId=own&productId=", referrer=referrer) == {
        "event_name": "View",
        "event_type": "view",
        "item_id": "own",
        "product_id": "p",
        "category": "c",
        "purchase_count": 0,
        "view_count": 1,
    }


@pytest.mark.parametrize(
    ("target", "cookie", "session"),
    [
        ("/a;jsessionid=P?JSESSIONID=Q", "JSESSIONID=C", "Q"),
        ("/a;jsessionid=P;x=1/b", "JSESSIONID=C", "P"),
        ("/a", "x=1; JSESSIONID=C; JSESSIONID=D", "C"),
        ("/a?jsessionid=q", "jsessionid=c", None),
        ("/a", "JSESSIONID=", None),
    ],
)
def test_session(target: str, cookie: str, session: str | None) -> None:
    assert shop(target, cookie=cookie).get("session_id") == session


def test_campaign_comes_from_the_url_only() -> None:
    query = "utm_source=s&utm_medium=m&utm_campaign=c+d"
    assert shop(f"/?{query}") == {
        "event_type": "request",
        "campaign_source": "s",
        "campaign_medium": "m",
        "campaign_name": "c d",
    }
    assert shop("/", referrer=f"http://a/?{query}") == {"event_type": "request"}


def test_names_are_settings() -> None:
    settings = ParseSettings(
        action_parameter="do", item_parameter="i", product_parameter="p", session_parameter="SID"
    )
    assert shop("/x;sid=S?do=remove&i=1&p=2", settings=settings) == {
        "event_name": "remove",
        "event_type": "remove",
        "item_id": "1",
        "product_id": "2",
        "session_id": "S",
        "purchase_count": 0,
        "view_count": 1,
    }
