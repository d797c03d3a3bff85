"""What fields of load balancers mean: sections 4.4 and 4.5 of the format specification."""

from __future__ import annotations

import pytest
from fixtures.outcome import event
from support.elb_lines import TCP, alb, changed, clb, cut, extra


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
