"""Kernels of JSON lines, and that the reference parser agrees: sections 3 and 4.3 to 4.11."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from fixtures.outcome import IDENTITY, Outcome, read
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse.model import Parsed
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings

NGINX = {
    "time_iso8601": "2024-05-06T09:08:09+02:00", "remote_addr": "192.0.2.14", "remote_user": "ann",
    "request": "GET /caf%C3%A9?a=1&action=view&itemId=I&productId=P HTTP/1.1", "status": "404",
    "body_bytes_sent": "0", "bytes_sent": "150", "request_time": "0.012",
    "upstream_response_time": "0.010", "upstream_status": "502", "upstream_addr": "10.0.0.7:80",
    "http_referer": "https://www.example.org:8080/?utm_source=x&categoryId=tents",
    "http_user_agent": 'M "5" \\ (X11)', "http_cookie": "a=b", "http_x_api_key": "s3cret",
    "host": "shop.example:8443", "request_id": "r-1", "scheme": "HTTPS", "pid": "7",
}  # fmt: skip
PARTS = {
    "msec": 1714979289.12, "client_ip": "2001:db8::1", "request_method": "POST",
    "request_uri": "/a?x=1", "args": "x=1", "server_protocol": "HTTP/2.0", "status": 200,
    "bytes": 5, "request_time": 0.010, "geo": {"lat": -1.5, "b": None, "a": [1, "", {"c": "-"}]},
    "ok": True, "long": 0.12345678901234566,
}  # fmt: skip
TRAEFIK = {
    "ClientAddr": "192.0.2.1:40001", "ClientHost": "192.0.2.1", "ClientPort": "40001",
    "ClientUsername": "-", "DownstreamContentSize": 512, "DownstreamStatus": 200,
    "Duration": 12_345_678, "OriginDuration": 11_000_000, "OriginStatus": 200,
    "RequestHost": "www.example.org", "RequestMethod": "GET", "RequestPath": "/a?b=1&c=2",
    "RequestPort": "8080", "RequestProtocol": "HTTP/2.0", "RequestScheme": "https",
    "ServiceAddr": "172.18.0.3:80", "StartUTC": "2024-05-06T07:08:09.123456789Z",
    "downstream_Set-Cookie": "x=y", "origin_Server": "nginx", "request_Referer": "/from?a=1",
    "request_User-Agent": "curl/8", "request_X-Forwarded-For": "198.51.100.2", "msg": "",
}  # fmt: skip
CADDY: dict[str, Any] = {
    "level": "info", "ts": 1646861401.5241024, "logger": "http.log.access", "msg": "handled",
    "request": {
        "remote_ip": "192.0.2.7", "remote_port": "41342", "client_ip": "192.0.2.7",
        "proto": "HTTP/2.0", "method": "GET", "host": "localhost:8080", "uri": "/a?b=1",
        "headers": {"User-Agent": ["curl/7.82.0"], "Accept-Encoding": ["gzip", "br"]},
        "tls": {"resumed": False, "version": 772},
    },
    "bytes_read": 0, "user_id": "", "duration": 0.000929675, "size": 10900, "status": 200,
    "resp_headers": {"Server": ["Caddy"], "Content-Encoding": ["gzip"]},
}  # fmt: skip
APIGW = {
    "requestId": "c6af9ac6", "ip": "192.0.2.9", "requestTime": "06/May/2024:07:08:09 +0000",
    "httpMethod": "GET", "routeKey": "GET /pets", "path": "/pets", "status": "200",
    "protocol": "HTTP/1.1", "responseLength": "34", "responseLatency": "12",
    "integrationLatency": "9", "domainName": "api.example.org", "userAgent": "-",
}  # fmt: skip
WAF = {
    "timestamp": 1714979289123, "formatVersion": 1, "webaclId": "arn:wafv2:x", "action": "BLOCK",
    "terminatingRuleMatchDetails": [], "ruleGroupList": [{"ruleGroupId": "g", "z": None}],
    "labels": [{"name": "awswaf:a"}, {"name": "awswaf:b"}], "responseCodeSent": None,
    "httpRequest": {
        "clientIp": "192.0.2.61", "country": "DE", "uri": "/login", "args": "a=1",
        "headers": [
            {"name": "Host", "value": "www.example.org"}, {"name": "X-Own", "value": "v"},
            {"name": "user-agent", "value": "curl/8"}, {"name": "Cookie", "value": "a=b"},
        ],
        "httpVersion": "HTTP/2.0", "httpMethod": "POST", "requestId": "1-abc",
    },
}  # fmt: skip
OWN: dict[str, Any] = {
    "at": 1714979289, "who": {"ip": "192.0.2.7", "agent": "c/8"}, "verb": "GET", "what": "/a?b=1",
    "code": 200, "length": 512, "came_from": "https://www.example.org/x", "took": "1.25",
    "node": {"name": "web-1", "z": [1, {"b": 2, "a": ""}]}, "left": "x",
}  # fmt: skip
_MAPPING = {
    "event_time": "at", "client_ip": "who.ip", "user_agent": "who.agent", "http_method": "verb",
    "url": "what", "status_code": "code", "response_bytes": "length", "referrer": "came_from",
    "duration_ms": "took", "extra.node": "node",
}  # fmt: skip
GA4 = {
    "event_date": "20240506", "event_timestamp": "1714979289123456", "event_name": "add_to_cart",
    "event_params": [
        {"key": "ga_session_id", "value": {"string_value": None, "int_value": "1714979000"}},
        {"key": "page_location", "value": {"string_value": "https://Shop.example:8443/a?b=1"}},
        {"key": "page_referrer", "value": {"string_value": "https://www.example.org/"}},
        {"key": "engaged", "value": {"int_value": 1}}, {"key": "medium", "value": {}},
    ],
    "user_pseudo_id": "8.9", "user_id": "", "items": [{"item_id": "P9", "price": 1.5}],
    "collected_traffic_source": {"manual_source": "news"}, "is_active_user": True,
}  # fmt: skip
SEGMENT = {
    "type": "track", "event": "Product Added", "messageId": "m-7", "anonymousId": "a-3",
    "timestamp": "2024-05-06T09:08:09.5+02:00", "userId": None,
    "context": {
        "ip": "198.51.100.14", "userAgent": "M/5", "campaign": {"medium": "mail"},
        "page": {"url": "https://www.example.com/?utm_source=news&utm_medium=x", "referrer": ""},
    },
    "properties": {"products": [{"product_id": "P1", "sku": "S", "name": "Tent"}], "brand": "B"},
}  # fmt: skip
TRACKED = {
    "at": "2024-05-06T07:08:09Z", "kind": "purchase", "called": "Buy", "where": "/a?b=1",
    "who": "u1", "thing": "P", "session": "s1", "rest": [1],
}  # fmt: skip
_TRACKED_MAPPING = {
    "event_time": "at", "event_type": "kind", "event_name": "called", "url": "where",
    "user_id": "who", "product_id": "thing", "session_id": "session", "referrer": "from",
}  # fmt: skip
LOGGED = (
    '192.0.2.1 - ann [06/May/2024:07:08:09 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "-" "M \\"5\\""',
    'shop.example:8443 192.0.2.1 - - [06/May/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
    json.dumps({**PARTS, "request_uri": "/q"}),
)


def wrapped(log: str, stream: str = "stdout") -> dict[str, Any]:
    return {"log": log, "stream": stream, "time": "2024-05-06T07:08:09.123456789Z"}


# Name -> (settings, objects of which kernels take each).
CASES: dict[str, tuple[ParseSettings, tuple[dict[str, Any], ...]]] = {
    "nginx": (
        ParseSettings(format="nginx_json"),
        (NGINX, PARTS, {**NGINX, "request": "GET http://u@Shop.Example:81/a#b HTTP/1.0"}),
    ),
    "traefik": (ParseSettings(format="traefik_json"), (TRAEFIK,)),
    "caddy": (
        ParseSettings(format="caddy_json"),
        (CADDY, {**CADDY, "request": {**CADDY["request"], "client_ip": "198.51.100.4"}}),
    ),
    "apigw": (ParseSettings(format="apigw_json"), (APIGW, {**APIGW, "status": "999"})),
    "waf": (ParseSettings(format="waf"), (WAF,)),
    "mapping": (
        ParseSettings(format="json_mapping", mapping=tuple(_MAPPING.items()), time_unit="s"),
        (OWN, {**OWN, "took": "-"}),
    ),
    "tracked": (
        ParseSettings(format="json_mapping", mapping=tuple(_TRACKED_MAPPING.items())),
        (TRACKED, {**TRACKED, "kind": None, "from": "https://www.example.org/"}),
    ),
    "ga4": (ParseSettings(format="ga4"), (GA4, {**GA4, "event_name": "page_view"})),
    "segment": (
        ParseSettings(format="segment"),
        (SEGMENT, {**SEGMENT, "type": "page"}, {**SEGMENT, "event": "x", "context": {}}),
    ),
    "docker": (ParseSettings(format="docker_json"), tuple(wrapped(f"{log}\n") for log in LOGGED)),
    "jsonl": (ParseSettings(format="jsonl"), (WAF, CADDY, TRAEFIK, NGINX, APIGW, GA4, SEGMENT)),
}
MANY = 40
# The last lines are the reference parser's: kernels read ahead.
BEHIND = b"\n" * 100


def line(value: dict[str, Any], *, blanks: bool = False) -> bytes:
    separators = None if blanks else (",", ":")
    return json.dumps(value, ensure_ascii=False, separators=separators).encode()


def content(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines) + BEHIND


def taken(data: bytes, parse: ParseSettings) -> list[dict[str, Any]]:
    """Return the events that kernels read, without what is null."""
    *parts, _ = parse_object(
        lambda first, last: data[first:last],
        len(data),
        name="log",
        identity=IDENTITY,
        settings=parse,
    )
    rows = [row for part in parts if isinstance(part, Parsed) for row in part.table.to_pylist()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def verdicts(outcome: Outcome) -> tuple[object, ...]:
    lists = (outcome.events, outcome.rejects, outcome.skips)
    ordered = [sorted(rows, key=lambda row: row["source_offset"]) for rows in lists]
    return (*ordered, outcome.lines, dict(outcome.verdict.counts))


def check(data: bytes, parse: ParseSettings) -> None:
    fast = read(data, settings=parse)
    assert verdicts(fast) == verdicts(read(data, settings=replace(parse, fast=False)))


@pytest.mark.parametrize("blanks", [False, True])
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"docker"}))
def test_kernels_take_each_usual_line_and_the_reference_parser_agrees(
    name: str, blanks: bool
) -> None:
    parse, values = CASES[name]
    data = content([line(value, blanks=blanks) for value in values] * MANY)
    assert len(taken(data, parse)) == MANY * len(values)
    check(data, parse)


def one(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the event of an object, of which kernels take all copies."""
    rows = taken(content([line(value)] * MANY), CASES[name][0])
    assert len(rows) == MANY
    return rows[0]


@pytest.mark.parametrize("log", LOGGED)
def test_docker_says_when_and_where_it_was_written(log: str) -> None:
    row = one("docker", wrapped(f"{log}\n"))
    assert '"relay":"2024-05-06T07:08:09.123456789Z stdout"' in row["extra"]
    assert row["source_format"] == ("nginx_json" if log.startswith("{") else "access")
    check(content([line(wrapped(f"{log}\n"))] * MANY), CASES["docker"][0])


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 9), st.sampled_from(LOGGED), st.sampled_from(("stdout", "stderr", "x")),
            st.sampled_from(("\n", "\n", "\n", "", "\r\n", "\n\n")),
        ),
        min_size=8,
    )
)  # fmt: skip
def test_the_rest_of_a_line_that_docker_cut_is_never_a_request(
    pieces: list[tuple[int, str, str, str]],
) -> None:
    lines = [
        line(wrapped(log + end, stream)) for count, log, stream, end in pieces for _ in range(count)
    ]
    check(content(lines), CASES["docker"][0])


@pytest.mark.parametrize(
    ("place", "size"),
    [("ingest.parse.kernels.events._PIECE_BYTES", 4_000), ("ingest.parse.lines.CHUNK_LINES", 50)],
)
def test_a_line_that_docker_cut_is_remembered(
    place: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where kernels see its rest in another piece or chunk, long behind it."""
    monkeypatch.setattr(place, size)
    usual, other = line(wrapped(f"{LOGGED[0]}\n")), line(wrapped(f"{LOGGED[0]}\n", "stderr"))
    lines = [*[usual] * 49, line(wrapped("GET /", "stderr")), *[usual] * 120, *[other] * 40]
    rows = taken(content(lines), CASES["docker"][0])
    # The first line of each stream behind it is left to the reference parser.
    assert 3 * MANY < len(rows) < len(lines) - 2
    check(content(lines), CASES["docker"][0])


def test_example_of_nginx() -> None:
    row = one("nginx", NGINX)
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09+00:00"
    assert (row["url_path"], row["event_type"], row["category"]) == ("/caf%C3%A9", "view", "tents")
    assert (row["user_agent"], row["referrer_domain"]) == ('M "5" \\ (X11)', "www.example.org")
    assert (row["response_bytes"], row["duration_ms"], row["status_code"]) == (0, 12.0, 404)
    assert (row["server_name"], row["url_scheme"], row["http_version"]) == (
        "shop.example",
        "https",
        "1.1",
    )
    assert row["extra"] == (
        '{"backend_status":502,"bytes_out_total":150,"header_x_api_key":"s3cret","pid":"7",'
        '"server_port":8443,"target":"10.0.0.7:80","target_duration_ms":10.0}'
    )


def test_numbers_and_objects_keep_their_types() -> None:
    row = one("nginx", PARTS)
    assert (row["event_time"].isoformat(), row["url_original"]) == (
        "2024-05-06T07:08:09.120000+00:00",
        "/a?x=1",
    )
    assert (row["duration_ms"], row["http_method"], row["http_version"]) == (10.0, "POST", "2.0")
    assert (
        row["extra"] == '{"geo":{"a":[1,"",null],"lat":-1.5},"long":0.12345678901234566,"ok":true}'
    )


@pytest.mark.parametrize(
    ("number", "is_taken"),
    [
        (b"0.123456789012345661", False),
        (b"0.12345678901234566", True),
        (b"0.0000015", False),
        (b"0.00001", True),
        (b"7.50", True),
        (b"-0.0", True),
        (b"-0", False),
        (b"1E2", False),
        (b"123456789012345678", True),
        (b"12345678901234567890123", False),
    ],
)
def test_a_number_that_json_would_write_in_another_way(number: bytes, is_taken: bool) -> None:
    """4.3: numbers keep their value; kernels keep their digits."""
    parse, _ = CASES["nginx"]
    for sent in (b"0.12345678901234566", b"1714979289.12", b"0.01"):
        data = content([line(PARTS).replace(sent, number)] * MANY)
        check(data, parse)
        assert is_taken or taken(data, parse) == []
    data = content([line(PARTS).replace(b"0.12345678901234566", number)] * MANY)
    assert bool(taken(data, parse)) == is_taken


def test_a_proxy_before_caddy_is_no_client() -> None:
    row = one("caddy", CASES["caddy"][1][1])
    assert (row["client_ip"], row["server_name"]) == ("198.51.100.4", "localhost")
    assert '"peer_address":"192.0.2.7","peer_port":41342' in row["extra"]
    assert row["event_time"].isoformat() == "2022-03-09T21:30:01.524102+00:00"
    assert row["duration_ms"] == 0.929675


@pytest.mark.parametrize("client", ["0:0::1", "[::1]", "::1", "192.0.2.7:1"])
def test_addresses_of_a_proxy_that_are_written_in_two_ways(client: str) -> None:
    request = {**CADDY["request"], "client_ip": client, "remote_ip": "::1"}
    data = content([line({**CADDY, "request": request})] * MANY)
    assert bool(taken(data, CASES["caddy"][0])) == (client == "::1")
    check(data, CASES["caddy"][0])


def test_headers_of_waf_have_no_place_of_their_own() -> None:
    row = one("waf", WAF)
    assert (row["event_type"], row["event_name"], row["user_agent"]) == (
        "firewall",
        "BLOCK",
        "curl/8",
    )
    assert (row["url_original"], row["server_name"]) == ("/login?a=1", "www.example.org")
    assert '"httpRequest":{"headers":[{"name":"X-Own","value":"v"}]}' in row["extra"]


def test_events_of_apps_and_sites() -> None:
    row = one("ga4", GA4)
    assert (row["session_id"], row["event_type"], row["view_count"]) == (
        "8.9.1714979000",
        "addtocart",
        1,
    )
    assert (row["url_domain"], row["referrer_domain"]) == ("shop.example", "www.example.org")
    assert (row["campaign_source"], row["product_id"]) == ("news", "P9")
    assert '"items":[{"price":1.5}],"url_port":8443}' in row["extra"].replace(
        '"is_active_user":true,', ""
    )
    row = one("segment", SEGMENT)
    assert (row["event_type"], row["event_name"], row["item_name"]) == (
        "addtocart",
        "Product Added",
        "Tent",
    )
    assert (row["campaign_source"], row["campaign_medium"]) == ("news", "mail")
    assert (one("tracked", TRACKED)["purchase_count"], "extra" in row) == (1, False)


def test_a_key_that_is_taken_or_repeated_is_left_to_the_reference_parser() -> None:
    """2.2 and 1.2: the one is unplaced_text, the other duplicate_key."""
    parse, _ = CASES["nginx"]
    for more in ({"server_port": 1}, {"url_port": "x"}, {"target_duration_ms": 1}):
        data = content([line({**NGINX, **more})] * MANY)
        assert taken(data, parse) == []
        check(data, parse)
    data = content([line(NGINX)[:-1] + b',"pid":"8"}'] * MANY)
    assert taken(data, parse) == []
    check(data, parse)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("nginx", {"remote_user": "u" * 513}),
        ("nginx", {"request_id": "é" * 129}),
        ("nginx", {"http_cookie": "JSESSIONID=x"}),
        ("nginx", {"status": "600", "server_port": "70000"}),
        ("traefik", {"RequestHost": "www.example.org:81"}),
        ("traefik", {"ClientPort": "x"}),
        ("ga4", {"user_pseudo_id": "v" * 250}),
        ("tracked", {"kind": "unknown"}),
    ],
)
def test_what_kernels_are_not_sure_of_is_left_to_the_reference_parser(
    name: str, more: dict[str, Any]
) -> None:
    """A text that is cut, two numbers for one key, and other texts that need a second look."""
    parse, values = CASES[name]
    data = content([line({**values[0], **more})] * MANY)
    assert taken(data, parse) == []
    check(data, parse)


def test_rare_skeletons_are_left_to_the_reference_parser() -> None:
    parse, _ = CASES["nginx"]
    lines = [line({**NGINX, f"k{number}": 1}) for number in range(MANY)]
    assert taken(content(lines), parse) == []
    check(content(lines), parse)


VALUES = st.sampled_from(
    (
        None, "", "-", "-1", "0", "a", "é", "a b", "A" * 300, 'q"q', "b\\b", "\u0000",
        "\u2028", "\n",
        "http://x/?a=1", "/p?q#f", "//x", "*", "GET / HTTP/1.1", "GET /",
        "- -", "1.5", "1e3", "007",
        "65536", "9" * 19, "0.0001", "0.0000001", "192.0.2.1:80", "192.0.2.1, 192.0.2.2",
        "[::1]:8",
        "host", "b@d", "06/May/2024:07:08:09 +0000", "2024-05-06T07:08:60Z", "2024-05-06T07:08:09",
        "2024-02-30T07:08:09Z", "2024-05-06T07:08:09,5+0530", "HTTP/1.1", "h2", "JSESSIONID=x",
        0, -1, 7, 200, 999, 70_000, 2**63, 2**70, 0.0, -0.0, 0.5, 1.25, 1e-7, 1e300,
        1.0000000000000002,
        123456789.123456, 1714979289.1234567, True, False, [], {}, [1], ["", "-"], {"a": ""},
        {"b": [None, {"c": 1}]}, [{"name": "Host", "value": "h"}], {"name": "x", "a": {"z": "-"}},
    )
)  # fmt: skip
SNIPS = st.sampled_from(
    (
        b'"', b"\\", b'\\"', b"\\u0026", b"\\u00e9", b"\\ud800", b"\\u0000", b"\\n", b"\\/", b"\\x",
        b"{", b"}", b"[", b"]", b",", b":", b" ", b"\t", b"\0", b"\x7f", b"\xff", b"\xc3\xa9", b"-",
        b"0", b"00", b".", b".5", b"0.50", b"e1", b"E-7", b"-0", b"-0.0", b"null", b"tru", b"true",
        b"?", b"&", b"%41", b"#", b"/", b'"",', b'"a":1,', b'"name":', b"9" * 20, b"a" * 300,
    )
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each holder in `value` with each of its keys or indexes."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, member in list(inside):
        found.append((value, key))
        if isinstance(member, dict | list):
            found += places(member)
    return found


def changed(value: dict[str, Any], changes: list[tuple[int, Any]]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(value))
    for at, new in changes:
        found = places(copy)
        holder, key = found[at % len(found)]
        holder[key] = json.loads(json.dumps(new))  # nobody else has it
    return copy


def edited(sent: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, size, new in edits:
        at %= len(sent) + 1
        sent = sent[:at] + new + sent[at + size :]
    return sent.replace(b"\n", b"")


CHANGES = st.lists(st.tuples(st.integers(0, 60), VALUES), min_size=1, max_size=3)
EDITS = st.lists(
    st.tuples(st.integers(0, 900), st.integers(0, 6), SNIPS | st.binary(max_size=2)), max_size=2
)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(CASES)),
    st.lists(st.tuples(st.integers(0, 5), CHANGES, EDITS, st.booleans()), min_size=1, max_size=8),
)
def test_kernels_agree_with_the_reference_parser(
    name: str, changes: list[tuple[int, Any, Any, bool]]
) -> None:
    parse, values = CASES[name]
    lines: list[bytes] = []
    for which, of_values, of_bytes, blanks in changes:
        sent = line(changed(values[which % len(values)], of_values), blanks=blanks)
        # So many that kernels take them, and one that differs in its bytes.
        lines += [sent] * 6 + [edited(sent, of_bytes)]
    check(content(lines), parse)


@pytest.mark.parametrize("client_from", ["host", "forwarded_for"])
@pytest.mark.parametrize("name", CASES)
def test_settings_mean_the_same(name: str, client_from: str) -> None:
    parse, values = CASES[name]
    data = content([line(value) for value in values] * MANY)
    check(data, replace(parse, client_from=client_from, keep_cookie=False, timezone="+02:00"))
    check(data, replace(parse, session_parameter="a", action_parameter="b%"))
    check(data, replace(parse, session_parameter="a", max_line_bytes=600))


@pytest.mark.parametrize(
    "unit", [b"{", b"[", b'{"a":', b'"a",', b"\\\\", b'\\"', b"1,", b"[],", b"&", b"a=&", b" "]
)
def test_lines_as_long_as_kernels_read_take_linear_time(unit: bytes) -> None:
    """3.3: also where each of many lines is hostile."""
    parse, _ = CASES["nginx"]
    sent = line(NGINX)
    for place in (b"/caf", b'"7"', b"ann"):
        long = sent.replace(place, place + unit * (14_000 // len(unit)), 1)
        before = time.process_time()
        taken(content([long] * 40), parse)
        assert time.process_time() - before < 2
