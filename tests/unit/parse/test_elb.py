"""`alb` and `clb`, line by line: sections 4.4 and 4.5 of the format specification."""

from __future__ import annotations

import pytest
from fixtures.outcome import LINE, event, read, reason
from support.elb_lines import ALB_FIELDS, LINES, alb, changed, clb, cut, extra

from ingest.settings import ParseSettings


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
