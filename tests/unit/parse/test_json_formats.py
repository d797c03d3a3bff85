"""What the JSON formats say: sections 4.3, 4.10, 4.11, 4.12 and 4.14, and the examples of 6."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.outcome import read
from support.json_lines import JSONL, check, reason_of, row_of

from ingest.settings import ParseSettings

NGINX = {
    "time_iso8601": "2024-05-06T09:08:09+02:00", "remote_addr": "192.0.2.14",
    "request": "GET /a?b=1 HTTP/1.1", "status": "404", "body_bytes_sent": "0",
    "request_time": "0.012", "pid": "7",
}  # fmt: skip
WAF = {
    "timestamp": 1714979289123, "webaclId": "acl-1", "action": "BLOCK",
    "httpRequest": {
        "clientIp": "192.0.2.50", "country": "-", "uri": "/login", "args": "u=1",
        "httpMethod": "POST", "httpVersion": "HTTP/2.0", "requestId": "rq-1",
        "headers": [{"name": "host", "value": "www.example.com"}],
    },
}  # fmt: skip
SEGMENT = {
    "type": "page", "messageId": "msg-7", "anonymousId": "anon-3", "name": "Home",
    "timestamp": "2024-05-06T09:08:09.5+02:00",
    "context": {
        "ip": "198.51.100.14", "page": {"url": "https://www.example.com/?utm_source=news#top"},
    },
}  # fmt: skip
GA4 = {
    "event_timestamp": "1714979289123456", "event_name": "purchase", "user_pseudo_id": "8.9",
    "event_params": [{"key": "ga_session_id", "value": {"int_value": "1714979000"}}],
    "items": [{"item_id": "P9"}],
}  # fmt: skip
APIGW = {
    "requestId": "rq-2", "ip": "198.51.100.15", "requestTime": "06/May/2024:07:08:09 +0000",
    "httpMethod": "GET", "routeKey": "GET /pets", "path": "/v1/pets", "status": "200",
    "protocol": "HTTP/1.1", "responseLength": "88",
}  # fmt: skip
CADDY = {
    "level": "info", "ts": 1714979289.1234567, "logger": "http.log.access",
    "msg": "handled request", "bytes_read": 3, "user_id": "", "duration": 0.000929675,
    "size": 10900, "status": 200, "resp_headers": {"Server": ["Caddy"]},
    "request": {
        "remote_ip": "192.0.2.60", "remote_port": "51234", "client_ip": "192.0.2.60",
        "proto": "HTTP/2.0", "method": "GET", "host": "www.example.com:8443", "uri": "/a?b=1",
        "headers": {"User-Agent": ["agent/1"], "Accept": ["*/*"], "Cookie": ["REDACTED"]},
    },
}  # fmt: skip
TRAEFIK = {
    "ClientAddr": "192.0.2.70:51235", "ClientHost": "192.0.2.70", "ClientPort": "51235",
    "ClientUsername": "-", "DownstreamContentSize": 5120, "DownstreamStatus": 200,
    "Duration": 1234567, "OriginDuration": 1200000, "OriginStatus": 201,
    "RequestContentSize": 7, "RequestHost": "www.example.com", "RequestMethod": "GET",
    "RequestPath": "/a?b=1", "RequestPort": "-", "RequestProtocol": "HTTP/1.1",
    "RequestScheme": "HTTPS", "ServiceAddr": "192.0.2.71:80", "entryPointName": "web",
    "StartLocal": "2024-05-06T09:08:09.123456789+02:00",
    "StartUTC": "2024-05-06T07:08:09.123456789Z", "request_User-Agent": "agent/2",
    "request_Authorization": "Basic x", "origin_Set-Cookie": "a=b",
    "downstream_Content-Type": "text/html",
}  # fmt: skip
LINES = {
    "nginx_json": NGINX, "waf": WAF, "segment": SEGMENT, "ga4": GA4, "apigw_json": APIGW,
    "caddy_json": CADDY, "traefik_json": TRAEFIK,
}  # fmt: skip


def changed(line: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return `line` with other `members`, without those that are `...`."""
    return {name: value for name, value in {**line, **members}.items() if value is not ...}


@pytest.mark.parametrize("name", LINES)
def test_jsonl_chooses_and_a_configured_format_takes_only_its_own(name: str) -> None:
    """4.3."""
    own = ParseSettings(format=name)
    assert row_of(LINES[name]) == row_of(LINES[name], own)
    assert row_of(LINES[name])["source_format"] == name
    others = [line for other, line in LINES.items() if other != name]
    assert [reason_of(line, own) for line in others] == ["no_match"] * len(others)


def test_the_rest_of_jsonl_is_no_match() -> None:
    """4.3; the detail names the keys, but not all of a long list."""
    outcome = read(b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', settings=JSONL)
    (reject,) = outcome.rejects
    assert (reject["reason"], reject["source_format"]) == ("no_match", "jsonl")
    assert reject["detail"] == "no known object has the keys a, b, c, d, e, ..."


def test_the_first_format_of_the_table_wins() -> None:
    """4.3."""
    assert row_of({**NGINX, **GA4, **WAF})["source_format"] == "waf"
    assert row_of({**NGINX, **APIGW})["source_format"] == "apigw_json"
    assert row_of({**SEGMENT, **GA4})["source_format"] == "ga4"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b" \t", "blank"),
        (b"# a comment", "bad_json"),
        (b'{"type":"identify","userId":"u9"} // note', "trailing_data"),
        (b"[]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b'[{"type":"identify","userId":"u9"}, 1]', "not_an_object"),
        ([SEGMENT, {"a": 1}], "no_match"),
        ([changed(SEGMENT, timestamp="2024-02-31T00:00:00Z"), {"a": 1}], "no_match"),
        ([SEGMENT, changed(SEGMENT, timestamp="2024-02-31T00:00:00Z")], "bad_timestamp"),
    ],
)
def test_lines_without_events(line: Any, reason: str) -> None:
    """1.1, 1.3: one bad element rejects the whole line; shape comes before time."""
    assert reason_of(line) == reason


def test_an_array_is_an_event_for_each_element() -> None:
    """1.2, 2.1: json_array; element i has the offset of the line plus i."""
    line = b'[{"type":"identify","userId":"a"},{"type":"alias","userId":"b","userId":"c"}]'
    outcome = read(b"\n" + line, settings=JSONL)
    assert [(row["source_offset"], row["user_id"]) for row in outcome.events] == [
        (1, "a"),
        (2, "c"),
    ]
    codes = "duplicate_key,json_array,no_timestamp"
    assert [row["parse_warnings"] for row in outcome.events] == [codes, codes]
    assert outcome.verdict.events == 2


def test_nginx() -> None:
    """6."""
    check(
        row_of(NGINX),
        {
            "event_time": "2024-05-06T07:08:09.000000Z", "status_code": 404, "response_bytes": 0,
            "bytes_scope": "body", "duration_ms": 12.0, "url_path": "/a", "url_query": "b=1",
            "client_ip": "192.0.2.14", "event_type": "request", "warnings": [],
        },
        {"pid": "7"},
    )  # fmt: skip


def test_nginx_with_the_request_in_parts() -> None:
    """4.3 and the table of 4.2: lists of upstreams, bytes of both kinds, a port of the host."""
    line = {
        "msec": 1714979289.123, "ip": "192.0.2.15", "method": "POST", "uri": "/cart.do",
        "args": "action=purchase&itemId=I1&productId=P1", "protocol": "HTTP/2.0", "status": 200,
        "bytes": 10, "bytes_sent": 300, "request_length": 77, "remote_user": "-",
        "upstream_addr": "192.0.2.1:80, 192.0.2.2:80", "upstream_status": "502, 200 : -",
        "upstream_response_time": "0.010, 0.025 : -", "referer": "", "host": "www.example.com:81",
        "user_agent": "agent", "request_id": "r1", "scheme": "HTTPS", "http_cookie": "JSESSIONID=S",
        "x_forwarded_for": "192.0.2.99", "agent": "second", "null": None,
    }  # fmt: skip
    check(
        row_of(line),
        {
            "event_time": "2024-05-06T07:08:09.123000Z", "http_method": "POST",
            "http_version": "2.0", "url_original": f"/cart.do?{line['args']}",
            "url_path": "/cart.do", "url_scheme": "https", "event_type": "purchase",
            "item_id": "I1", "purchase_count": 1, "session_id": "S", "cookie": "JSESSIONID=S",
            "response_bytes": 10, "request_bytes": 77, "user_name": None, "referrer": None,
            "native_id": "r1", "server_name": "www.example.com", "user_agent": "agent",
            "forwarded_for": "192.0.2.99", "warnings": [],
        },
        {
            "target": "192.0.2.1:80, 192.0.2.2:80", "backend_status": 200, "agent": "second",
            "target_duration_ms": 35.0, "bytes_out_total": 300, "server_port": 81,
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected", "codes"),
    [
        ({"request": ""}, {"http_method": None, "url_path": None}, ["bad_request_line"]),
        ({"request": "\x16\x03"}, {"http_method": None}, ["bad_request_line"]),
        ({"request": ..., "uri": "-"}, {"url_path": None}, ["bad_request_line"]),
        ({"request": ..., "uri": "/a", "method": "a b"}, {"url_path": None}, ["bad_request_line"]),
        ({"request": ..., "uri": "/a"}, {"url_path": "/a", "http_method": None}, []),
        ({"status": "000"}, {"status_code": 0}, []),
        ({"status": "2xx"}, {"status_code": None}, ["invalid_status"]),
        ({"status": 200.0}, {"status_code": None}, ["invalid_status"]),
        ({"status": 777}, {"status_code": 777}, ["invalid_status"]),
        ({"status": {"code": 200}}, {"status_code": None}, []),
        ({"body_bytes_sent": "-"}, {"response_bytes": None}, []),
        ({"body_bytes_sent": -1}, {"response_bytes": None}, ["invalid_number"]),
        ({"body_bytes_sent": 2**63}, {"response_bytes": None}, ["bytes_overflow"]),
        ({"body_bytes_sent": 10**30}, {"response_bytes": None}, ["bytes_overflow"]),
        ({"request_time": 1.5e-5}, {"duration_ms": 0.015}, []),
        ({"request_time": "soon"}, {"duration_ms": None}, ["invalid_number"]),
        ({"request_time": "-1"}, {"duration_ms": None}, []),
        ({"time_iso8601": "06/May/2024 07:08:09"}, {}, ["no_timezone"]),
        ({"time_iso8601": None}, {"event_time": None}, ["no_timestamp"]),
        ({"time_iso8601": 1.714979289e9}, {"event_time": "2024-05-06T07:08:09.000000Z"}, []),
        ({"remote_addr": "unix:"}, {"client_ip": None, "client_address": "unix:"}, []),
        ({"remote_addr": "a b"}, {"client_address": "a b"}, ["invalid_client_ip"]),
        (
            {"remote_addr": "10.0.0.1, 198.51.100.8"},
            {"client_ip": "198.51.100.8", "forwarded_for": "10.0.0.1, 198.51.100.8"},
            [],
        ),
        ({"request_line": "x", "request": ""}, {}, ["bad_request_line"]),
        ({"server_port": "x"}, {}, []),
        ({"remote_addr": "192.0.2.1:80", "client_port": 9}, {}, ["unplaced_text"]),
    ],
)
def test_values_of_nginx(
    changes: dict[str, Any], expected: dict[str, Any], codes: list[str]
) -> None:
    """3.4 to 3.8: null, times, numbers, clients, requests."""
    row = row_of(changed(NGINX, **changes))
    assert row["warnings"] == codes
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("uri", "args", "original", "extra"),
    [
        ("/a?b", "b", "/a?b", {}),
        ("/a?b#c", "b", "/a?b#c", {}),
        ("/a?b", "c", "/a?b", {"args": "c"}),
        ("/a", "c", "/a?c", {}),
        ("https://www.example.com/a", "-", "https://www.example.com/a", {}),
    ],
)
def test_a_query_beside_the_url(uri: str, args: str, original: str, extra: dict[str, str]) -> None:
    """The table of 4.2; what an absolute URL says of its scheme wins."""
    line = changed(NGINX, request=..., pid=..., method="GET", uri=uri, args=args, scheme="HTTP")
    row = row_of(line)
    assert (row["url_original"], row["extra"]) == (original, extra)
    assert row["url_scheme"] == ("https" if "://" in uri else "http")


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [("2001:db8::1", "2001:db8::1", None), ("[2001:db8::1]:81", "2001:db8::1", 81),
     ("a:81", "a", 81), ("[2001:db8::1]", "2001:db8::1", None)],
)  # fmt: skip
def test_a_host_and_its_port(host: str, name: str, port: int | None) -> None:
    """7.3."""
    row = row_of(changed(NGINX, host=host))
    assert (row["server_name"], row["extra"].get("server_port")) == (name, port)


def test_an_object_is_no_request_of_nginx() -> None:
    """4.3."""
    assert reason_of(changed(NGINX, request={"method": "GET"})) == "no_match"


def test_total_bytes_of_nginx_where_the_body_is_not_logged() -> None:
    """The table of 4.2."""
    row = row_of(changed(NGINX, body_bytes_sent=..., bytes_sent=400))
    assert (row["response_bytes"], row["bytes_scope"]) == (400, "total")


def test_credentials_of_nginx_are_where_the_export_looks_for_them() -> None:
    """2.2: personal data."""
    secrets = {"http_authorization": "a", "sent_http_set_cookie": "b", "http_x_api_key": "c"}
    assert row_of(changed(NGINX, pid=..., **secrets))["extra"] == {
        "header_authorization": "a",
        "resp_header_set_cookie": "b",
        "header_x_api_key": "c",
    }


def test_a_key_of_ours_does_not_hide_what_was_logged() -> None:
    """7: every byte is placed."""
    row = row_of(changed(NGINX, remote_addr="192.0.2.1:80", client_port=9))
    assert row["extra"] == {"client_port": 80, "pid": "7", "unplaced": {"client_port": 9}}


def test_client_from_and_keep_cookie() -> None:
    """The settings of the specification's head."""
    line = changed(NGINX, pid=..., http_cookie="a=b", http_x_forwarded_for="198.51.100.3")
    row = row_of(line, client_from="forwarded_for", keep_cookie=False)
    assert (row["client_ip"], row.get("cookie")) == ("198.51.100.3", None)
    assert row["extra"] == {"peer_address": "192.0.2.14"}


def test_waf() -> None:
    """6."""
    check(
        row_of(WAF),
        {
            "event_time": "2024-05-06T07:08:09.123000Z", "event_type": "firewall",
            "event_name": "BLOCK", "url_original": "/login?u=1", "url_path": "/login",
            "server_name": "www.example.com", "native_id": "rq-1", "http_version": "2.0",
            "client_ip": "192.0.2.50", "bytes_scope": None, "warnings": [],
        },
        {"webaclId": "acl-1"},
    )  # fmt: skip


def test_waf_headers_and_parameters() -> None:
    """4.10, 2.3, 2.4: the first header wins, and no parameter makes it a shop event."""
    names = ["Cookie", "USER-AGENT", "user-agent", "Referer", "X-Forwarded-For", "X-Other"]
    request = {
        **WAF["httpRequest"],  # type: ignore[dict-item]
        "args": "action=view&itemId=I&productId=P", "country": "DE", "ja3Fingerprint": "f",
        "headers": [{"name": name, "value": f"{name} 1"} for name in names],
    }  # fmt: skip
    check(
        row_of({**WAF, "httpRequest": request, "responseCodeSent": 403, "labels": []}),
        {
            "event_type": "firewall", "event_name": "BLOCK", "view_count": None, "item_id": "I",
            "cookie": "Cookie 1", "user_agent": "USER-AGENT 1", "referrer": "Referer 1",
            "forwarded_for": "X-Forwarded-For 1", "status_code": 403, "warnings": [],
        },
        {
            "webaclId": "acl-1", "country": "DE",
            "httpRequest": {
                "ja3Fingerprint": "f",
                "headers": [
                    {"name": "user-agent", "value": "user-agent 1"},
                    {"name": "X-Other", "value": "X-Other 1"},
                ],
            },
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (changed(WAF, timestamp=5), "1970-01-01T00:00:00.005000Z"),
        (changed(GA4, event_timestamp=5), "1970-01-01T00:00:00.000005Z"),
        (
            changed(APIGW, requestTime="-", requestTimeEpoch="5"),
            "1970-01-01T00:00:00.005000Z",
        ),
    ],
)
def test_a_format_that_names_its_unit_does_not_guess(line: Any, time: str) -> None:
    """3.5."""
    row = row_of(line)
    assert (row["event_time"], row["warnings"]) == (time, ["stale_timestamp"])


def test_api_gateway() -> None:
    """4.11."""
    latencies = {"responseLatency": "7", "integrationLatency": 5, "user": "ann", "userAgent": "ua"}
    check(
        row_of({**APIGW, **latencies, "domainName": "api.example.com", "resourcePath": "/pets"}),
        {
            "event_time": "2024-05-06T07:08:09.000000Z", "native_id": "rq-2",
            "client_ip": "198.51.100.15", "http_method": "GET", "http_version": "1.1",
            "url_path": "/v1/pets", "url_original": "/v1/pets", "status_code": 200,
            "response_bytes": 88, "bytes_scope": "body", "duration_ms": 7.0, "user_name": "ann",
            "user_agent": "ua", "server_name": "api.example.com", "warnings": [],
        },
        {"routeKey": "GET /pets", "resourcePath": "/pets", "target_duration_ms": 5.0},
    )  # fmt: skip
    assert row_of(changed(APIGW, path="-", resourcePath="/pets"))["url_path"] == "/pets"


def test_segment() -> None:
    """6."""
    check(
        row_of(SEGMENT),
        {
            "event_type": "page_view", "event_name": "Home", "native_id": "msg-7",
            "event_time": "2024-05-06T07:08:09.500000Z", "url_path": "/", "http_method": None,
            "url_query": "utm_source=news", "campaign_source": "news", "visitor_id": "anon-3",
            "client_ip": "198.51.100.14", "purchase_count": None, "warnings": [],
        },
        {},
    )  # fmt: skip


def test_segment_order() -> None:
    """4.12: products, campaign, session; `-` is a text here (3.4)."""
    line = {
        "type": "track", "event": "order COMPLETED", "userId": 7, "sentAt": 1714979289,
        "receivedAt": "2024-05-06T07:08:10Z",
        "context": {
            "userAgent": "agent", "sessionId": "s1", "campaign": {"source": "a", "name": "b"},
            "page": {"referrer": "https://Www.example.org/x",
                     "url": "/p?utm_source=c&utm_medium=d"},
        },
        "properties": {
            "name": "-", "order_id": "o1",
            "products": [
                {"product_id": "P1", "sku": "K1", "name": "Shoe", "brand": "B", "category": "-"},
                {"product_id": "P2"},
            ],
        },
    }  # fmt: skip
    check(
        row_of(line),
        {
            "event_type": "purchase", "event_name": "order COMPLETED", "user_id": "7",
            "event_time": "2024-05-06T07:08:09.000000Z", "purchase_count": 1, "view_count": 0,
            "product_id": "P1", "item_id": "K1", "item_name": "Shoe", "brand": "B",
            "category": "-", "campaign_source": "a", "campaign_medium": "d", "campaign_name": "b",
            "session_id": "s1", "user_agent": "agent", "referrer_domain": "www.example.org",
        },
        {
            "receivedAt": "2024-05-06T07:08:10Z",
            "properties": {"name": "-", "order_id": "o1", "products": [None, {"product_id": "P2"}]},
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "event", "expected"),
    [
        ("identify", None, "identify"), ("screen", None, "screen_view"), ("group", None, "group"),
        ("alias", None, "alias"), ("track", "Clicked", "track"),
        ("track", "Product Viewed", "view"), ("track", "product added", "addtocart"),
        ("track", "Product Removed", "remove"), ("page", "Product Viewed", "page_view"),
    ],
)  # fmt: skip
def test_segment_types(kind: str, event: str | None, expected: str) -> None:
    """4.12."""
    row = row_of({"type": kind, "event": event, "userId": "u"})
    assert (row["event_type"], row["warnings"]) == (expected, ["no_timestamp"])
    is_view = expected in ("view", "addtocart", "remove")
    assert row.get("view_count") == (1 if is_view else None)


@pytest.mark.parametrize("line", [{"type": "page"}, {"type": "x", "userId": "u"}, {"userId": "u"}])
def test_objects_that_are_not_segment(line: dict[str, str]) -> None:
    """4.3."""
    assert reason_of(line) == "no_match"


def test_ga4() -> None:
    """6."""
    check(
        row_of(GA4),
        {
            "event_time": "2024-05-06T07:08:09.123456Z", "event_type": "purchase",
            "visitor_id": "8.9", "session_id": "8.9.1714979000", "product_id": "P9",
            "purchase_count": 1, "view_count": 0, "native_id": None, "warnings": [],
        },
        {},
    )  # fmt: skip


def test_ga4_parameters() -> None:
    """4.14."""
    texts = {
        "page_location": "https://www.example.com/p?utm_source=x", "source": "s", "medium": "m",
        "page_referrer": "https://www.example.org/", "campaign": "c", "page_title": "P",
    }  # fmt: skip
    params = [{"key": k, "value": {"int_value": None, "string_value": v}} for k, v in texts.items()]
    line = {
        "event_timestamp": 1714979289123456, "event_name": "add_to_cart", "user_id": "u",
        "collected_traffic_source": {"manual_source": "t"}, "event_params": params,
        "items": [{"item_id": "1", "item_name": "n", "item_brand": "b", "item_category": "c"}],
    }  # fmt: skip
    check(
        row_of(line),
        {
            "event_type": "addtocart", "view_count": 1, "url_path": "/p", "user_id": "u",
            "url_domain": "www.example.com", "referrer_domain": "www.example.org",
            "campaign_source": "t", "campaign_medium": "m", "campaign_name": "c",
            "item_name": "n", "brand": "b", "category": "c", "session_id": None,
        },
        {
            "event_params": [
                {"key": "source", "value": {"string_value": "s"}},
                {"key": "page_title", "value": {"string_value": "P"}},
            ]
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [("page_view", "page_view"), ("screen_view", "screen_view"), ("view_item", "view"),
     ("remove_from_cart", "remove"), ("scroll", "track"), (None, "track")],
)  # fmt: skip
def test_ga4_types(name: str | None, expected: str) -> None:
    """4.14."""
    assert row_of(changed(GA4, event_name=name))["event_type"] == expected


def test_caddy() -> None:
    """Issue 12."""
    check(
        row_of(CADDY),
        {
            "event_time": "2024-05-06T07:08:09.123456Z", "client_ip": "192.0.2.60",
            "http_method": "GET", "http_version": "2.0", "url_path": "/a", "url_query": "b=1",
            "server_name": "www.example.com", "user_agent": "agent/1", "cookie": "REDACTED",
            "status_code": 200, "response_bytes": 10900, "request_bytes": 3, "user_name": None,
            "bytes_scope": "body", "duration_ms": 0.929675, "warnings": [],
        },
        {
            "client_port": 51234, "server_port": 8443, "level": "info", "msg": "handled request",
            "logger": "http.log.access", "request": {"headers": {"Accept": ["*/*"]}},
            "resp_headers": {"Server": ["Caddy"]},
        },
    )  # fmt: skip


def test_caddy_behind_a_proxy_and_its_messages() -> None:
    """Issue 12: the port is that of the peer; a message without a request is another thing."""
    request = {**CADDY["request"], "client_ip": "198.51.100.9", "host": "[2001:db8::1]:443"}  # type: ignore[dict-item]
    row = row_of(changed(CADDY, request=request, ts="2024-05-06T07:08:09.5Z", duration="1.5ms"))
    assert (row["client_ip"], row["server_name"]) == ("198.51.100.9", "2001:db8::1")
    assert row["extra"]["peer_address"] == "192.0.2.60"
    assert (row["extra"]["peer_port"], row["extra"].get("client_port")) == (51234, None)
    assert row["warnings"] == ["invalid_number"]
    assert reason_of(changed(CADDY, request=...)) == "no_match"


@pytest.mark.parametrize("port", ["x", "40\ufffd01", "\u0665", "-1", "99999"])
def test_caddy_with_a_port_that_is_none(port: str) -> None:
    """3.6: the rest of the line is kept."""
    row = row_of(changed(CADDY, request={**CADDY["request"], "remote_port": port}))  # type: ignore[dict-item]
    assert (row["url_path"], row["warnings"]) == ("/a", ["invalid_number"])
    assert "client_port" not in row["extra"]


def test_traefik() -> None:
    """Issue 12; 2.2 for the names of headers."""
    check(
        row_of(TRAEFIK),
        {
            "event_time": "2024-05-06T07:08:09.123456Z", "client_ip": "192.0.2.70",
            "user_name": None, "http_method": "GET", "http_version": "1.1", "url_path": "/a",
            "url_scheme": "https", "server_name": "www.example.com", "status_code": 200,
            "response_bytes": 5120, "request_bytes": 7, "duration_ms": 1.234567,
            "user_agent": "agent/2", "warnings": [],
        },
        {
            "client_port": 51235, "target_duration_ms": 1.2, "backend_status": 201,
            "target": "192.0.2.71:80", "header_authorization": "Basic x",
            "origin": {"Set-Cookie": "a=b"}, "resp_header_content_type": "text/html",
            "entryPointName": "web", "ClientAddr": "192.0.2.70:51235",
            "StartLocal": "2024-05-06T09:08:09.123456789+02:00",
        },
    )  # fmt: skip


@pytest.mark.parametrize("status", [0, "0", "000", -1])
def test_traefik_without_a_response(status: Any) -> None:
    """7.7."""
    row = row_of(changed(TRAEFIK, DownstreamStatus=status))
    assert (row["status_code"], row["warnings"]) == (0, [])
