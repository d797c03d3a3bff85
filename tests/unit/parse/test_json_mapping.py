"""JSON lines by the user's own table: section 4.3 of the format specification, `json_mapping`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fixtures.outcome import read
from support.json_lines import check, reason_of, row_of

from ingest.errors import SettingsError
from ingest.parse.registry import check_settings
from ingest.settings import ParseSettings


def by(unit: str | None = None, **mapping: str) -> ParseSettings:
    """Return the settings with `mapping`; `__` in a target stands for a dot."""
    pairs = tuple((name.replace("__", "."), path) for name, path in mapping.items())
    return ParseSettings(format="json_mapping", mapping=pairs, time_unit=unit)


def test_paths_and_columns() -> None:
    line = {
        "a.b": {"0": "zero", "list": [{"ip": "192.0.2.1:81"}, 5]}, "ms": "1.5", "size": 9, "ts": 5,
        "left": {"x": [None, "-", ""], "y": None}, "user": "-", "name": "",
    }  # fmt: skip
    settings = by(
        client_ip=r"a\.b.list.0.ip", response_bytes="size", duration_ms="ms", user_name="user",
        event_time="ts", item_name="name", extra__zero=r"a\.b.0", extra__five=r"a\.b.list.1",
    )  # fmt: skip
    check(
        row_of(line, settings),
        {
            "client_ip": "192.0.2.1", "client_address": "192.0.2.1:81", "response_bytes": 9,
            "bytes_scope": "body", "duration_ms": 1.5, "user_name": "-", "item_name": None,
            "event_time": "1970-01-01T00:00:05.000000Z", "event_type": "other",
            "source_format": "json_mapping", "warnings": ["stale_timestamp"],
        },
        {"client_port": 81, "five": 5, "zero": "zero", "left": {"x": [None, "-", ""]}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "sent", "time"),
    [
        (None, 1714979289, "2024-05-06T07:08:09.000000Z"),
        ("auto", 1714979289123, "2024-05-06T07:08:09.123000Z"),
        ("s", "1714979289.25", "2024-05-06T07:08:09.250000Z"),
        ("ms", 820454400000, "1996-01-01T00:00:00.000000Z"),
        ("us", 820454400000000, "1996-01-01T00:00:00.000000Z"),
        ("s", 1e11, "5138-11-16T09:46:40.000000Z"),
        ("ms", 1714979289123.5, "2024-05-06T07:08:09.123500Z"),
        ("us", 1714979289123456, "2024-05-06T07:08:09.123456Z"),
        ("us", "2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000000Z"),
    ],
)
def test_time_unit(unit: str | None, sent: Any, time: str) -> None:
    assert row_of({"t": sent}, by(unit, event_time="t"))["event_time"] == time


@pytest.mark.parametrize("sent", ["1e9", "soon", "2024-02-31T00:00:00Z", 10**25, True])
def test_times_that_are_none(sent: Any) -> None:
    assert reason_of({"t": sent}, by("s", event_time="t")) == "bad_timestamp"


def test_a_request_is_read_like_that_of_any_log() -> None:
    """2.4, 3.8; what is mapped wins over the parameters."""
    line = {"r": "GET /a?action=purchase&itemId=I&productId=P&utm_source=s HTTP/1.1", "p": "Q"}
    check(
        row_of(line, by(request="r", product_id="p")),
        {
            "http_method": "GET", "event_type": "purchase", "item_id": "I", "product_id": "Q",
            "purchase_count": 1, "campaign_source": "s",
        },
        {},
    )  # fmt: skip
    row = row_of({"r": "-"}, by(request="r"))
    assert row["warnings"] == ["bad_request_line", "no_timestamp"]


def test_a_request_in_parts() -> None:
    mapping = by(http_method="m", url="u", server_name="h", url_scheme="s", http_version="v")
    line = {"m": "PUT", "u": "/a?b", "h": "www.example.com:8080", "s": "HTTPS", "v": "HTTP/3"}
    row = row_of(line, mapping)
    assert (row["url_path"], row["url_query"], row["url_scheme"]) == ("/a", "b", "https")
    assert (row["server_name"], row["http_version"]) == ("www.example.com", "3")
    assert row["event_type"] == "request"
    row = row_of(
        {"m": "GET", "p": "/a", "q": "action=view"},
        by(http_method="m", url_path="p", url_query="q"),
    )
    assert (row["url_path"], row["event_type"]) == ("/a", "view")


def test_a_page_without_a_method_is_no_request() -> None:
    row = row_of(
        {"u": "https://www.example.com/?action=view", "r": "http://Example.org"},
        by(url="u", referrer="r"),
    )
    assert (row["url_domain"], row["event_type"]) == ("www.example.com", "other")
    assert row["referrer_domain"] == "example.org"
    assert row["warnings"] == ["no_timestamp"]


@pytest.mark.parametrize(
    ("sent", "method", "expected", "count"),
    [
        ("purchase", None, "purchase", 1),
        ("purchase", "GET", "purchase", 1),
        ("page_view", "GET", "page_view", None),
        ("odd", None, "other", None),
        ("odd", "GET", "request", None),
    ],
)
def test_event_type(sent: str, method: str | None, expected: str, count: int | None) -> None:
    """The mapped value if it is in 2.3, else `request` with a method, else `other`."""
    row = row_of({"t": sent, "m": method}, by(event_type="t", http_method="m"))
    assert (row["event_type"], row.get("purchase_count")) == (expected, count)
    assert row["extra"] == ({"event_type": "odd"} if sent == "odd" else {})


def test_counts_that_were_mapped() -> None:
    mapping = by(event_type="t", purchase_count="p", view_count="v")
    row = row_of({"t": "purchase", "p": "0", "v": 2}, mapping)
    assert (row["purchase_count"], row.get("view_count")) == (0, 0)
    assert row["warnings"] == ["invalid_number", "no_timestamp"]


def test_cookies_are_not_kept_where_the_settings_say_so() -> None:
    settings = replace(by(cookie="c"), keep_cookie=False)
    assert row_of({"c": "a=b"}, settings).get("cookie") is None
    assert row_of({"c": "a=b"}, by(cookie="c"))["cookie"] == "a=b"


def test_two_columns_may_be_at_one_place() -> None:
    mapping = by(user_id="u", visitor_id="u", extra__a="o", extra__b="o.p")
    row = row_of({"u": "x", "o": {"p": 1}}, mapping)
    assert (row["user_id"], row["visitor_id"]) == ("x", "x")
    assert row["extra"] == {"a": {"p": 1}, "b": 1}


@pytest.mark.parametrize(
    "name", ["event_id", "source_file", "extra", "extra.", "nonsense", "client"]
)
def test_targets_that_cannot_be_mapped(name: str) -> None:
    settings = ParseSettings(format="json_mapping", mapping=((name, "a"),))
    with pytest.raises(
        SettingsError, match=f"mapping: '{name}' cannot be mapped; use request, url"
    ):
        check_settings(settings)


def test_the_names_that_can_be_mapped_are_listed_once() -> None:
    settings = ParseSettings(format="json_mapping", mapping=(("a", "x"), ("b", "y")))
    with pytest.raises(SettingsError) as caught:
        check_settings(settings)
    assert str(caught.value).startswith("mapping: 'a', 'b' cannot be mapped; use request, url, ")
    assert str(caught.value).count("user_agent") == 1


def test_a_mapping_is_needed_and_no_other_format_takes_it() -> None:
    with pytest.raises(SettingsError, match="json_mapping needs `mapping`"):
        check_settings(ParseSettings(format="json_mapping"))
    with pytest.raises(SettingsError, match="mapping needs a format that reads it"):
        check_settings(ParseSettings(format="jsonl", mapping=(("url", "u"),)))


@pytest.mark.parametrize(("format_name", "named"), [("shop", "shop"), ("auto", "json_mapping")])
def test_lines_of_an_own_mapping_may_have_a_name_of_the_users_own(
    format_name: str, named: str
) -> None:
    """Section 4: names that the user gives to own strings and mappings."""
    settings = ParseSettings(format=format_name, mapping=(("user_id", "u"),))
    (event,) = read(b'{"u": "x"}\n', settings=settings).events
    assert (event["source_format"], event["user_id"]) == (named, "x")
