"""`alb` and `clb`, line by line: sections 4.4 and 4.5 of the format specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import LINE, event, read, reason

from ingest.settings import ParseSettings

ALB_FIELDS = (
    "https", "2024-05-02T10:11:12.345678Z", "app/web/50dc6c495c0c9188", "203.0.113.9:33121",
    "10.0.2.14:8443", "0.002", "0.118", "0.001", "200", "201", "734", "15220",
    '"POST https://shop.example:443/cart.do?action=addtocart&itemId=EST-1&productId=FX-1'
    '&JSESSIONID=SD7&utm_source=mail HTTP/2.0"',
    '"Mozilla/5.0 (X11; \\"beta\\")"', "TLS_AES_128_GCM_SHA256", "TLSv1.3",
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/73e2",
    '"Root=1-68b6c1f0-0a1b"', '"www.shop.example"', '"arn:aws:acm:eu-west-1:1:certificate/7"',
    "12", "2024-05-02T10:11:12.224000Z", '"waf,forward"', '"-"', '"-"', '"10.0.2.14:8443"',
    '"201"', '"Acceptable"', '"SpaceInUri"', "TID_5f0b2c", '"shop.internal"', '"/v2/cart.do"',
    '"TransformSuccess"',
)  # fmt: skip
CLB_FIELDS = (
    "2024-05-02T10:11:12.345678Z", "legacy", "203.0.113.9:33121", "10.0.2.14:80", "0.000073",
    "0.001048", "0.000057", "200", "200", "0", "29",
    '"GET http://old.example:80/list?p=2 HTTP/1.1"', '"curl/7.38.0"', "DHE-RSA-AES128-SHA",
    "TLSv1.2",
)  # fmt: skip
LINES = {"alb": " ".join(ALB_FIELDS), "clb": " ".join(CLB_FIELDS)}
TCP = (
    "2024-05-02T10:11:12.345678Z tcp-lb 203.0.113.9:2817 10.0.2.14:8883 0.00106 0.00004 0.00003 "
    '- - 82 305 "- - - " "-" - -'
)


def changed(kind: str, place: int, text: str) -> str:
    """Return the usual line of `kind` with `text` as field `place`, counted from 1."""
    fields = list(ALB_FIELDS if kind == "alb" else CLB_FIELDS)
    fields[place - 1] = text
    return " ".join(fields)


def alb(line: str) -> dict[str, Any]:
    return event(line, format="alb")


def clb(line: str) -> dict[str, Any]:
    return event(line, format="clb")


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["extra"])
    return found


def test_worked_example_of_alb() -> None:
    """The example of section 6."""
    row = alb(
        "https 2024-05-06T07:08:09.123456Z app/shop-lb/0a1b2c3d4e5f6071 198.51.100.7:40001"
        " 192.0.2.20:8080 0.001 0.025 0.002 502 - 512 880"
        ' "GET https://shop.example.com:443/cart?action=remove HTTP/2.0" "Mozilla/5.0"'
        " ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2"
        " arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/77aa"
        ' "Root=1-66388000-aaaabbbbccccddddeeeeffff" "shop.example.com" "-" 10'
        ' 2024-05-06T07:08:09.095000Z "forward" "-" "-" "192.0.2.20:8080" "-" "-" "-"'
        " TID_0a1b2c3d4e"
    )
    assert row["parse_status"] == "ok"
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123456+00:00"
    assert (row["client_ip"], row["duration_ms"], row["status_code"]) == ("198.51.100.7", 28.0, 502)
    assert (row["url_domain"], row["url_path"]) == ("shop.example.com", "/cart")
    assert (row["event_type"], row.get("view_count")) == ("remove", None)
    more = extra(row)
    assert (more["client_port"], more["target_duration_ms"], more["url_port"]) == (40001, 25.0, 443)
    assert more["conn_trace_id"] == "TID_0a1b2c3d4e"
    assert "backend_status" not in more


def test_worked_example_of_an_alb_connection_log() -> None:
    """The example of section 6."""
    line = (
        "2024-05-06T07:08:09.123456Z 198.51.100.7 40001 443 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"
        ' 0.012 "-" "-" - Success TID_0a1b2c3d4e'
    )
    assert reason(line, format="alb") == "wrong_log_type"


def test_worked_example_of_clb() -> None:
    """The example of section 6."""
    row = clb(
        "2024-05-06T07:08:09.000250Z legacy-lb [2001:db8::7]:50001 192.0.2.21:80 0.00004 0.0105"
        ' 0.000021 200 200 0 2048 "GET http://old.example.com:80/a HTTP/1.1" "agent \\"x\\"" - -'
    )
    assert row["parse_status"] == "ok"
    assert (row["client_ip"], row["duration_ms"]) == ("2001:db8::7", 10.561)
    assert (row["response_bytes"], row["user_agent"]) == (2048, 'agent "x"')
    assert row["server_name"] == "old.example.com"
    assert extra(row)["backend_status"] == 200


def test_every_field_of_alb_is_placed() -> None:
    """4.4, mapping."""
    row = alb(LINES["alb"])
    more = extra(row)
    assert more == {
        "lb_type": "https", "elb": "app/web/50dc6c495c0c9188", "client_port": 33121,
        "target": "10.0.2.14:8443", "target_duration_ms": 118.0, "backend_status": 201,
        "url_port": 443, "tls_cipher": "TLS_AES_128_GCM_SHA256", "tls_protocol": "TLSv1.3",
        "target_group_arn": ALB_FIELDS[16], "trace_id": "Root=1-68b6c1f0-0a1b",
        "chosen_cert_arn": "arn:aws:acm:eu-west-1:1:certificate/7", "matched_rule_priority": 12,
        "request_creation_time": "2024-05-02T10:11:12.224000Z", "actions_executed": "waf,forward",
        "target_list": "10.0.2.14:8443", "target_status_list": "201",
        "classification": "Acceptable", "classification_reason": "SpaceInUri",
        "conn_trace_id": "TID_5f0b2c", "transformed_host": "shop.internal",
        "transformed_uri": "/v2/cart.do", "request_transform_status": "TransformSuccess",
    }  # fmt: skip
    del row["extra"]
    assert row.pop("event_time").isoformat() == "2024-05-02T10:11:12.345678+00:00"
    assert row.pop("url_original").startswith("https://shop.example:443/cart.do?action=")
    assert row.pop("url_query").endswith("utm_source=mail")
    assert row.pop("parse_status") == "ok"
    for column in ("event_date", "source_line", "source_offset"):
        del row[column]
    assert row == {
        "bytes_scope": "total", "campaign_source": "mail", "client_address": "203.0.113.9:33121",
        "client_ip": "203.0.113.9", "duration_ms": 121.0, "event_name": "addtocart",
        "event_type": "addtocart", "http_method": "POST", "http_version": "2.0",
        "item_id": "EST-1", "product_id": "FX-1", "purchase_count": 0, "view_count": 1,
        "request_bytes": 734, "response_bytes": 15220, "server_name": "www.shop.example",
        "session_id": "SD7", "status_code": 200, "url_domain": "shop.example",
        "url_path": "/cart.do", "url_scheme": "https", "user_agent": 'Mozilla/5.0 (X11; "beta")',
    }  # fmt: skip


def test_every_field_of_clb_is_placed() -> None:
    """4.5, mapping."""
    row = clb(LINES["clb"])
    assert extra(row) == {
        "elb": "legacy", "client_port": 33121, "target": "10.0.2.14:80",
        "target_duration_ms": 1.048, "backend_status": 200, "url_port": 80,
        "tls_cipher": "DHE-RSA-AES128-SHA", "tls_protocol": "TLSv1.2",
    }  # fmt: skip
    told = (row["bytes_scope"], row["request_bytes"], row["response_bytes"], row["duration_ms"])
    assert told == ("body", 0, 29, 1.178)
    assert (row["server_name"], row["url_query"]) == ("old.example", "p=2")
    assert (row["user_agent"], row["event_type"]) == ("curl/7.38.0", "request")


@pytest.mark.parametrize(
    ("kind", "count", "code"),
    [
        *(("alb", count, None) for count in (20, 21, 25, 27, 29, 30, 33, 34)),
        *(("alb", count, "missing_fields") for count in (22, 24, 26, 28, 31, 32)),
        *(("clb", count, None) for count in (12, 15, 16)),
        *(("clb", count, "missing_fields") for count in (13, 14)),
    ],
)
def test_widths(kind: str, count: int, code: str | None) -> None:
    """4.4 and 4.5, widths."""
    assert event(" ".join(cut(kind, count)), format=kind).get("parse_warnings") == code


def cut(kind: str, count: int) -> list[str]:
    """Return `count` fields of the usual line."""
    fields = [*(ALB_FIELDS if kind == "alb" else CLB_FIELDS), "later"]
    return fields[:count]


@pytest.mark.parametrize(("kind", "count"), [("alb", 19), ("alb", 3), ("clb", 11), ("clb", 2)])
def test_too_few_fields(kind: str, count: int) -> None:
    """4.4 and 4.5, widths: right kind of line, fewer fields than there ever were."""
    assert reason(" ".join(cut(kind, count)), format=kind) == "wrong_field_count"


@pytest.mark.parametrize("kind", ["alb", "clb"])
def test_fields_that_aws_may_add(kind: str) -> None:
    """4.4, widths: surplus fields are kept as texts."""
    row = event(f'{LINES[kind]} 7 - "a \\"b\\""', format=kind)
    assert extra(row)["extra_fields"] == ["7", "-", 'a "b"']


@pytest.mark.parametrize("kind", ["alb", "clb"])
def test_blanks_between_fields(kind: str) -> None:
    """4.4, shape: one or more blanks."""
    wide = f"  {LINES[kind].replace(' 200 ', '   200 ')}  "
    assert event(wide, format=kind) == event(LINES[kind], format=kind)


def test_quotes_are_optional() -> None:
    """4.4, shape."""
    bare = LINES["alb"].replace('"www.shop.example"', "www.shop.example").replace('"-"', "-")
    assert alb(bare.replace(ALB_FIELDS[13], "curl/8.1")) == alb(
        LINES["alb"].replace(ALB_FIELDS[13], '"curl/8.1"').replace("https 2", '"https" 2', 1)
    )
    assert alb(changed("alb", 13, "-"))["parse_warnings"] == "bad_request_line"


@pytest.mark.parametrize(
    ("kind", "place", "text"),
    [
        ("alb", 13, "GET https://shop.example:443/ HTTP/2.0"),
        ("alb", 13, "https://shop.example:443/"),
        ("alb", 14, "Mozilla/5.0 (X11; Linux)"),
        ("clb", 12, "GET http://shop.example:80/ HTTP/1.1"),
        ("clb", 13, "Mozilla/5.0 (X11; Linux)"),
        ("clb", 13, "agent of mine"),
        ("clb", 13, '"an " odd " agent"'),
    ],
)
def test_columns_are_never_shifted(kind: str, place: int, text: str) -> None:
    """3.10 and 7: several words where one field is, since its quotes are missing."""
    assert reason(changed(kind, place, text), format=kind) == "no_match"


@pytest.mark.parametrize("kind", ["alb", "clb"])
@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ('"half an agent', "half an agent"),
        ('"a "quoted" agent', 'a "quoted'),
        ('"an " agent"', "an "),
        ('"an " agent of" TLS_AES TLSv1.3 "x"', "an "),
        ('"back\\"', 'back"'),
    ],
)
def test_a_line_that_ends_within_the_agent(kind: str, agent: str, told: str) -> None:
    """4.4, widths, and 4.5, other lines: what was read is kept, without `missing_fields`."""
    place = 14 if kind == "alb" else 13
    line = " ".join([*cut(kind, place - 1), agent])
    row = event(line, format=kind)
    assert (row["parse_warnings"], row["user_agent"]) == ("unterminated_quote", told)
    assert row["client_ip"] == "203.0.113.9"


def test_a_line_that_ends_within_a_later_field() -> None:
    """4.4, widths."""
    row = alb(" ".join([*cut("alb", 22), '"waf,for']))
    assert row["parse_warnings"] == "unterminated_quote"
    assert extra(row)["actions_executed"] == "waf,for"


@pytest.mark.parametrize("kind", ["alb", "clb"])
@pytest.mark.parametrize(
    "request_text",
    ['"GET http://a/', '"GET "x" HTTP/1.1"', '"GET " HTTP"', '"GET " a b HTTP"', 'GET "'],
)
def test_a_line_that_ends_within_the_request(kind: str, request_text: str) -> None:
    """4.4, widths, and 4.5, other lines."""
    place = 13 if kind == "alb" else 12
    line = " ".join([*cut(kind, place - 1), request_text])
    assert reason(line, format=kind) == "no_match"


def test_a_line_break_within_the_agent() -> None:
    """4.5, other lines: one warning, one reject, and the neighbours survive."""
    usual = " ".join(cut("clb", 15))
    broken = usual.replace("curl/7.38.0", "curl\n7.38.0")
    outcome = read(f"{usual}\n{broken}\n{usual}\n".encode())
    assert outcome.lines == {"ok": 2, "warn": 1, "skip": 0, "reject": 1}
    assert outcome.events[1]["parse_warnings"] == "unterminated_quote"
    assert outcome.rejects[0]["reason"] == "no_match"


@pytest.mark.parametrize(
    ("kind", "line", "why"),
    [
        *((kind, "Enable AccessLog for ELB: 2024/05/02", "control") for kind in LINES),
        *((kind, "# a comment", "comment") for kind in LINES),
        *((kind, " \t", "blank") for kind in LINES),
        *((kind, "some words of text", "no_match") for kind in LINES),
        *((kind, "x", "no_match") for kind in LINES),
        ("clb", f"2024-05-02T10:11:12Z stdout F {LINE}", "no_match"),
        ("alb", changed("alb", 7, "a").replace(" 200 ", " b ", 1), "no_match"),
        *((kind, "\t".join(cut(kind, 15)), "no_match") for kind in LINES),
        ("alb", LINES["clb"], "wrong_log_type"),
        ("alb", "tls 2.0 2024-05-02T10:11:12 net/nlb/c6e7 g3d4 203.0.113.9:5", "wrong_log_type"),
        ("alb", "tls two 2024-05-02T10:11:12 net/nlb/c6e7 g3d4 203.0.113.9:5", "no_match"),
        ("clb", LINES["alb"], "wrong_log_type"),
        ("clb", LINES["alb"].replace("https", "ws", 1), "wrong_log_type"),
        ("clb", "tls 2.0 2024-05-02T10:11:12 net/nlb/c6e7 g3d4 203.0.113.9:5", "wrong_log_type"),
        ("clb", "2024-05-02T10:11:12.3Z 203.0.113.9 40001 443 TLSv1.2 x 0.1", "wrong_log_type"),
        ("alb", changed("alb", 2, "02/May/2024:10:11:12"), "no_match"),
        ("clb", changed("clb", 1, "02/May/2024:10:11:12"), "no_match"),
        ("alb", changed("alb", 2, "2024-02-31T10:11:12Z"), "bad_timestamp"),
        ("clb", changed("clb", 1, "2024-05-02T24:11:12Z"), "bad_timestamp"),
    ],
)
def test_other_lines(kind: str, line: str, why: str) -> None:
    """4.4 and 4.5, other lines; 1.1."""
    assert reason(line, format=kind) == why


@pytest.mark.parametrize(
    ("kind", "line", "detail"),
    [
        ("alb", LINES["clb"], "a record of a classic load balancer: format `clb`"),
        ("clb", LINES["alb"], "a record of an application load balancer: format `alb`"),
        *(
            pair
            for kind in LINES
            for pair in (
                (kind, "tls 2.0 x", "a record of a network load balancer"),
                (
                    kind,
                    "2024-05-02T10:11:12Z 203.0.113.9 1",
                    "a record of the connections of an application load balancer",
                ),
            )
        ),
    ],
)
def test_a_record_of_another_load_balancer_is_named(kind: str, line: str, detail: str) -> None:
    (row,) = read(f"{line}\n".encode(), settings=ParseSettings(format=kind)).rejects
    assert (row["reason"], row["detail"]) == ("wrong_log_type", detail)


def test_times_are_utc() -> None:
    """3.5: no zone needs no warning, and the setting plays no part."""
    line = " ".join(cut("clb", 15)).replace("345678Z", "3")
    row = event(line, format="clb", timezone="Asia/Tokyo")
    assert row["event_time"].isoformat() == "2024-05-02T10:11:12.300000+00:00"
    assert row["parse_status"] == "ok"
    assert clb(line.replace(":12.3", ":60"))["parse_warnings"] == "leap_second"


@pytest.mark.parametrize(
    ("type_", "code"), [("h2", None), ("h4", "unknown_type"), ("-", "unknown_type")]
)
def test_types(type_: str, code: str | None) -> None:
    """4.4, other lines: the record is kept."""
    row = alb(" ".join([type_, *cut("alb", 30)[1:]]))
    assert row.get("parse_warnings") == code
    assert extra(row).get("lb_type") == (None if type_ == "-" else type_)


@pytest.mark.parametrize(
    ("text", "request_line"),
    [
        ('"- http://host:80- -"', "- http://host:80- -"),
        (r'"\x16\x41"', r"\x16\x41"),
        ('"-"', None),
        ('""', None),
    ],
)
def test_malformed_requests(text: str, request_line: str | None) -> None:
    """4.4, other lines, and 3.8."""
    row = alb(" ".join([*cut("alb", 12), text, *cut("alb", 30)[13:]]))
    assert row["parse_warnings"] == "bad_request_line"
    assert extra(row).get("request_line") == request_line
    assert (row.get("url_path"), row["server_name"]) == (None, "www.shop.example")


def test_tcp_listener() -> None:
    """4.5, mapping: no request, no warning."""
    row = clb(TCP)
    assert (row["event_type"], row["parse_status"]) == ("tcp", "ok")
    assert not {"http_method", "url_original", "url_path", "status_code", "server_name"} & set(row)
    assert "request_line" not in extra(row)
    assert clb(TCP.replace('"- - - "', '""'))["event_type"] == "request"
    assert alb(changed("alb", 13, '"- - - "'))["event_type"] == "request"


@pytest.mark.parametrize(
    ("token", "ip", "port", "code"),
    [
        ("203.0.113.9:65535", "203.0.113.9", 65535, None),
        ("[2001:DB8::7]:443", "2001:db8::7", 443, None),
        ("2001:db8::7:443", "2001:db8::7", 443, None),
        ("[2001:db8::7]", "2001:db8::7", None, None),
        ("2001:db8::7", "2001:db8::7", None, None),
        ("203.0.113.9", "203.0.113.9", None, None),
        ("gw.example.net:443", None, 443, None),
        ("203.0.113.9:65536", None, None, "invalid_client_ip"),
        ("203.0.113.300:80", None, None, "invalid_client_ip"),
        ("203.0.113.9:1:2", None, None, "invalid_client_ip"),
        (":80", None, None, "invalid_client_ip"),
        ("-:80", None, None, "invalid_client_ip"),
        ("-", None, None, None),
    ],
)
def test_clients(token: str, ip: str | None, port: int | None, code: str | None) -> None:
    """3.7: cut at the last colon, with or without brackets."""
    row = clb(" ".join([*cut("clb", 2), token, *cut("clb", 15)[3:]]))
    assert (row.get("client_ip"), extra(row).get("client_port")) == (ip, port)
    assert row.get("parse_warnings") == code
    assert row.get("client_address") == (None if token == "-" else token)


@pytest.mark.parametrize(
    ("texts", "whole", "target", "code"),
    [
        (("0", "0.1", "0.0000004"), 100.0004, 100.0, None),
        (("-1", "0.1", "0"), None, 100.0, None),
        (("0.1", "-1", "-1"), None, None, None),
        (("-", "0.1", "0"), None, 100.0, None),
        (("0.1", "-0.2", "0"), None, None, "invalid_number"),
        (("0.1", "1e3", "0"), None, None, "invalid_number"),
        (("0.1", "9" * 400, "0"), None, None, "invalid_number"),
        (("0.1", "999999999.0", "0"), 999999999100.0, 999999999000.0, None),
    ],
)
def test_processing_times(
    texts: tuple[str, ...], whole: float | None, target: float | None, code: str | None
) -> None:
    """4.4, mapping; 3.4 and 3.6."""
    row = clb(" ".join([*cut("clb", 4), *texts, *cut("clb", 15)[7:]]))
    assert row.get("duration_ms") == whole
    assert extra(row).get("target_duration_ms") == target
    assert row.get("parse_warnings") == code


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("000", 0, None),
        ("0", 0, None),
        ("-1", 0, None),
        ("-", None, None),
        ("460", 460, None),
        ("777", 777, "invalid_status"),
        ("20", None, "invalid_status"),
        ("ok", None, "invalid_status"),
    ],
)
def test_statuses(text: str, status: int | None, code: str | None) -> None:
    """1.2 and 7.7, for the status and that of the target."""
    fields = cut("clb", 15)
    row = clb(" ".join([*fields[:7], text, *fields[8:]]))
    assert (row.get("status_code"), row.get("parse_warnings")) == (status, code)
    row = clb(" ".join([*fields[:8], text, *fields[9:]]))
    assert (extra(row).get("backend_status"), row.get("parse_warnings")) == (status, code)


@pytest.mark.parametrize(
    ("text", "count", "code"),
    [
        ("-", None, None),
        ("9223372036854775807", 9223372036854775807, None),
        ("9223372036854775808", None, "bytes_overflow"),
        ("-5", None, "invalid_number"),
        ("1.5", None, "invalid_number"),
        ("\N{ARABIC-INDIC DIGIT ONE}", None, "invalid_number"),
    ],
)
def test_bytes(text: str, count: int | None, code: str | None) -> None:
    """3.6."""
    fields = cut("clb", 15)
    row = clb(" ".join([*fields[:10], text, *fields[11:]]))
    assert (row.get("response_bytes"), row.get("parse_warnings")) == (count, code)


@pytest.mark.parametrize(
    ("text", "number", "code"),
    [("0", 0, None), ("-1", None, None), ("-2", None, "invalid_number"),
     ("9" * 30, None, "invalid_number")],
)  # fmt: skip
def test_rule_priority(text: str, number: int | None, code: str | None) -> None:
    """3.4: -1 is null."""
    fields = cut("alb", 30)
    row = alb(" ".join([*fields[:20], text, *fields[21:]]))
    assert (extra(row).get("matched_rule_priority"), row.get("parse_warnings")) == (number, code)


def test_server_name_without_sni() -> None:
    """4.4, mapping: else the host of the request."""
    assert alb(changed("alb", 19, '"-"'))["server_name"] == "shop.example"
    assert alb(" ".join(cut("alb", 20))).get("server_name") == "www.shop.example"


def test_found_by_content() -> None:
    """3.10."""
    for kind in LINES:
        (row,) = read(f"{' '.join(cut(kind, 15 if kind == 'clb' else 30))}\n".encode()).events
        assert (row["source_format"], row["parse_status"]) == (kind, "ok")
    no_name = b"2024-05-02T10:11:12.3Z 203.0.113.9 gateway:40001 x\n"
    assert read(no_name).verdict.file_reason == "unknown_format"
    relayed = '2024-05-02T10:11:13Z web1 - ann [02/May/2024:10:11:12 +0000] "GET / HTTP/1.1" 200 5'
    assert read(relayed.encode()).verdict.file_reason == "unknown_format"
    outcome = read(LINES["alb"].encode(), settings=ParseSettings(format="clb"))
    assert outcome.verdict.source_format == "clb"
