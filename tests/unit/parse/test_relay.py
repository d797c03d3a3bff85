"""Headers that relays write before the record: taken off, kept, never misread (7.1)."""

from __future__ import annotations

import json

import pytest
from fixtures.outcome import LINE, event, read, reason

from ingest.parse.fields.relay import relay_end

ISO = "2024-03-03T07:08:09.123456789+01:00"


@pytest.mark.parametrize(
    "header",
    [
        "Mar  3 07:08:09 web1 nginx:",
        "<190>Mar 13 07:08:09 web1.example.com nginx[4711]:",
        "Mar  3 07:08:09 192.0.2.200 apache:",
        "Mar  3 07:08:09 nginx:",
        "<133>Mar  3 07:08:09 web1 accesslog",
        "Mar  3 07:08:09 web1",
        "Mar  3 07:08:09",
        f"{ISO} web1 nginx:",
        f"<13>{ISO} web1 nginx:",
        f"{ISO}",
        f"<190>1 {ISO} web1 nginx 12 access -",
        f'<190>1 {ISO} web1 nginx - - [a@1 k="x\\]y" l="z"][b]',
        "<190>1 - - - - - -",
        f"1 {ISO} web1 nginx 12 access -",
        f"{ISO} stdout F",
        f"{ISO} stderr P",
        "web-1  |",
        "shop_web.1 |",
        "access.log:",
        "access.log:12:",
        "access.log-12-",
        "/var/log/nginx/shop:7:",
        "access_log:",
        "syslog:Mar  3 07:08:09 web1 nginx:",
        f"{ISO} stdout F web-1  |",
    ],
)
@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1"])
def test_header_is_taken_off(header: str, client: str) -> None:
    record = LINE.replace("192.0.2.1", client)
    blank = "" if header.startswith(("access", "/var")) else " "
    row = event(header + blank + record)
    assert json.loads(row.pop("extra")) == {"relay": header}
    assert row == event(record)


def test_a_number_that_may_be_part_of_the_address() -> None:
    row = event("access.log:2003:" + LINE.replace("192.0.2.1", "2001:db8::1"))
    assert (row.get("client_ip"), row["parse_warnings"]) == (None, "invalid_client_ip")


def test_byte_order_mark_before_the_message() -> None:
    row = event(f"<190>1 {ISO} web1 nginx 12 access - \ufeff{LINE}")
    assert (row["client_ip"], row["parse_status"]) == ("192.0.2.1", "ok")


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ("shop.example 192.0.2.1 - -", {"server_name": "shop.example", "client_ip": "192.0.2.1"}),
        ('"10.0.0.1, 192.0.2.7" 10.0.0.2 - -', {"client_ip": "192.0.2.7"}),
        ("gw.example.net - ann", {"client_address": "gw.example.net", "user_name": "ann"}),
        ("- - ann", {"user_name": "ann"}),
    ],
)
def test_the_rest_is_read_as_usual(record: str, found: dict[str, str]) -> None:
    row = event("Mar  3 07:08:09 web1 nginx: " + LINE.replace("192.0.2.1 - -", record))
    assert row["parse_status"] == "ok"
    assert {name: row.get(name) for name in found} == found


def test_host_without_tag_before_the_name_of_a_client() -> None:
    row = event("Mar  3 07:08:09 web1 " + LINE.replace("192.0.2.1", "gw.example.net"))
    assert (row["client_address"], row["extra"]) == (
        "gw.example.net",
        '{"relay":"Mar  3 07:08:09 web1"}',
    )


def test_offset_is_that_of_the_physical_line() -> None:
    header = "Mar  3 07:08:09 web1 nginx: "
    _, second = read(f"{header}{LINE}\n{header}{LINE}\n".encode()).events
    assert second["source_offset"] == len(header) + len(LINE) + 1


@pytest.mark.parametrize(
    "line",
    [
        # One name behind the time is the relay's host or the client.
        "Mar  3 07:08:09 " + LINE.replace("192.0.2.1", "gw.example.net"),
        "Mar  3 07:08:09 - - " + LINE.partition(" - - ")[2],
        "Mrz  3 07:08:09 web1 nginx: " + LINE,
        "web1 nginx: " + LINE,
        "web1 nginx[12]: " + LINE,
        f'<190>1 {ISO} web1 nginx - - [a k="' + LINE,
        f"<190>1 {ISO} web1 nginx - - x " + LINE.replace("192.0.2.1", "gw.example.net"),
    ],
)
def test_what_leaves_the_client_in_doubt_is_no_match(line: str) -> None:
    assert reason(line) == "no_match"


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        f"web:80 {LINE}",
        f"www.example.com:443 {LINE}",
        f"2001:db8::7 {LINE}",
        LINE.replace("192.0.2.1", "2001:db8::1"),
        LINE.replace("192.0.2.1", "192.0.2.1:80"),
        LINE.replace("192.0.2.1", "fe80::1%eth0"),
        LINE.replace("192.0.2.1", "ec2-12-34.example.net"),
        "unix: - - " + LINE.partition(" - - ")[2],
        "",
    ],
)
def test_no_header(line: str) -> None:
    assert relay_end(line) == 0
