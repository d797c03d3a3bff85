"""The kernels of `access`: what they give for each shape, and that the reference parser agrees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fixtures.cut_lines import lines_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contract import EVENTS
from ingest.parse.format import FEW_LINES
from ingest.parse.formats.access import access_parser, parse_fast
from ingest.parse.kernels import events, texts
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

IDENTITY = Identity(
    source_file="s3://example-logs/web/access.log",
    batch_id="b" * 32,
    ingest_time=datetime(2024, 5, 1, 12, tzinfo=UTC),
)
SETTINGS = ParseSettings(format="access")


def parsed(*raw: bytes, parse: ParseSettings = SETTINGS) -> list[dict[str, Any]]:
    """Return the rows of `raw`, all of which the fast path must take."""
    table, handled = parse_fast(lines_of(raw), IDENTITY, parse)
    assert handled.tolist() == [True] * len(raw)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def reference(lines: Lines, parse: ParseSettings) -> pa.Table:
    """Return the events of `lines` as the parser without a fast path finds them."""
    return access_parser(IDENTITY, parse, fast_path=None).parse(lines).events


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """Return what `row` holds beside its identity."""
    shared = {"event_id", "batch_id", "ingest_time", "source_format", "source_file"}
    return {k: v for k, v in row.items() if v is not None and k not in shared}


def test_combined_line() -> None:
    (row,) = parsed(
        b'198.51.100.23 - - [03/Mar/2024:07:08:09 +0100] "GET /shoes/red%20one?utm_source=mail'
        b'&size=42 HTTP/2.0" 200 5120 "https://WWW.example.org:8443/list?p=2" "Mozilla/5.0 (X11)"'
    )
    assert filled(row) == {
        "event_time": datetime(2024, 3, 3, 6, 8, 9, tzinfo=UTC),
        "event_date": date(2024, 3, 3),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "ok",
        "event_type": "request",
        "client_ip": "198.51.100.23",
        "client_address": "198.51.100.23",
        "http_method": "GET",
        "http_version": "2.0",
        "url_original": "/shoes/red%20one?utm_source=mail&size=42",
        "url_path": "/shoes/red%20one",
        "url_query": "utm_source=mail&size=42",
        "status_code": 200,
        "response_bytes": 5120,
        "bytes_scope": "body",
        "referrer": "https://WWW.example.org:8443/list?p=2",
        "referrer_domain": "www.example.org",
        "user_agent": "Mozilla/5.0 (X11)",
        "campaign_source": "mail",
    }


def test_many_lines_are_read_by_the_fast_path_and_few_are_not() -> None:
    raw = b'192.0.2.9 - - [03/Mar/2024:07:08:10 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'
    few, many = (
        access_parser(IDENTITY, SETTINGS).parse(lines_of([raw] * count))
        for count in (FEW_LINES, FEW_LINES + 1)
    )
    assert (few.table.num_rows, len(few.rows)) == (0, FEW_LINES)
    assert (many.table.num_rows, len(many.rows)) == (FEW_LINES + 1, 0)
    assert few.line_counts.events == FEW_LINES
    assert few.events.equals(reference(lines_of([raw] * FEW_LINES), SETTINGS))


def test_identity_of_each_event() -> None:
    raw = b'192.0.2.9 - - [03/Mar/2024:07:08:10 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'
    table, _ = parse_fast(lines_of([raw, raw], offset=73912, first_line=None), IDENTITY, SETTINGS)
    first, second = table.to_pylist()
    # The check value of the specification, section 2.1.
    assert first["event_id"] == "63c576d511cab0cebef10000000120b8"
    assert second["source_offset"] == 73912 + len(raw) + 1
    assert (first["batch_id"], first["source_line"]) == ("b" * 32, None)
    assert (first["source_format"], first["source_file"]) == ("access", IDENTITY.source_file)
    assert first["ingest_time"] == IDENTITY.ingest_time


def test_common_line_has_neither_referrer_nor_agent() -> None:
    (row,) = parsed(b'192.0.2.9 - ann [29/Feb/2024:23:59:59 -0130] "HEAD /a HTTP/1.0" 304 -')
    assert row["user_name"] == "ann"
    assert row["event_time"] == datetime(2024, 3, 1, 1, 29, 59, tzinfo=UTC)
    assert (row["status_code"], row["response_bytes"]) == (304, None)
    assert (row["referrer"], row["user_agent"], row["referrer_domain"]) == (None, None, None)


def test_splunk_tutorial_line() -> None:
    (row,) = parsed(
        b'198.51.100.40 - - [05/Jun/2019:14:00:01] "POST /cart.do?action=addtocart&itemId=EST-90'
        b'&JSESSIONID=SD1SL1FF1ADFF77 HTTP 1.1" 200 1234 '
        b'"http://shop.example/product.screen?productId=FX-AB-G02" "Mozilla/4.0" 777'
    )
    assert (row["parse_status"], row["parse_warnings"]) == ("warn", "no_timezone")
    assert row["event_time"] == datetime(2019, 6, 5, 14, 0, 1, tzinfo=UTC)
    assert (row["event_name"], row["event_type"]) == ("addtocart", "addtocart")
    assert (row["item_id"], row["product_id"]) == ("EST-90", "FX-AB-G02")
    assert row["session_id"] == "SD1SL1FF1ADFF77"
    assert (row["duration_other"], row["view_count"], row["purchase_count"]) == (777, 1, 0)


NGINX_MAIN = b'192.0.2.9 - - [03/Mar/2024:07:08:10 +0000] "GET / HTTP/1.1" 200 1 "-" "-" "%s"'


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(b"-", None), (b"", None), (b"192.0.2.77, 198.51.100.9", "192.0.2.77, 198.51.100.9")],
)
def test_nginx_main_line_brings_the_forwarded_addresses(sent: bytes, expected: str | None) -> None:
    (row,) = parsed(NGINX_MAIN % sent)
    assert (row["forwarded_for"], row["client_ip"]) == (expected, "192.0.2.9")


@pytest.mark.parametrize(
    ("sent", "client_from"), [(b"theme=dark", "host"), (b"192.0.2.77", "forwarded_for")]
)
def test_a_cookie_or_another_client_is_left_to_the_reference_parser(
    sent: bytes, client_from: str
) -> None:
    lines = lines_of([NGINX_MAIN % b"-", NGINX_MAIN % sent])
    _, handled = parse_fast(lines, IDENTITY, replace(SETTINGS, client_from=client_from))
    assert handled.tolist() == [True, False]


@pytest.mark.parametrize(
    ("query", "referrer", "expected"),
    [
        ("itemId=I&productId=P", "-", ("View", "view", 0, 1)),
        ("action=Purchase&itemId=I&productId=P", "-", ("Purchase", "purchase", 1, 0)),
        ("action=purchase&itemId=I", "-", ("purchase", "purchase", None, None)),
        ("action=login", "-", ("login", "request", None, None)),
        ("action=&x=1", "http://a.example/?action=remove", ("remove", "remove", None, None)),
        ("action=view", "http://a.example/?action=remove", ("view", "view", None, None)),
        ("xaction=view", "-", (None, "request", None, None)),
        ("Action=view", "-", (None, "request", None, None)),
    ],
)
def test_shop_actions(query: str, referrer: str, expected: tuple[object, ...]) -> None:
    (row,) = parsed(
        f'192.0.2.9 - - [03/Mar/2024:07:08:10 +0000] "GET /?{query} HTTP/1.1" 200 1 '
        f'"{referrer}" "-"'.encode()
    )
    columns = ("event_name", "event_type", "purchase_count", "view_count")
    assert tuple(row[column] for column in columns) == expected


@pytest.mark.parametrize(
    ("client", "ip"),
    [
        ("2001:DB8:0:0::a1", "2001:db8::a1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("crawl-1.example.net", None),
    ],
)
def test_other_clients(client: str, ip: str | None) -> None:
    (row,) = parsed(
        f'{client} - - [03/Mar/2024:07:08:10 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'.encode()
    )
    assert (row["client_ip"], row["client_address"]) == (ip, client)


@pytest.mark.parametrize(
    ("time", "warnings", "day"),
    [
        ("02/May/2024:12:00:00 +0000", None, date(2024, 5, 2)),
        ("29/Feb/2000:00:00:00 +0000", None, date(2000, 2, 29)),
        ("02/May/2024:12:00:01 +0000", "future_timestamp", date(2024, 5, 1)),
        ("02/May/2024:12:00:01", "future_timestamp,no_timezone", date(2024, 5, 1)),
        ("31/Dec/1994:23:59:59", "no_timezone,stale_timestamp", date(2024, 5, 1)),
    ],
)
def test_times_out_of_limits_keep_their_value(time: str, warnings: str | None, day: date) -> None:
    (row,) = parsed(f'192.0.2.9 - - [{time}] "GET / HTTP/1.1" 200 1 "-" "-"'.encode())
    assert (row["parse_warnings"], row["event_date"]) == (warnings, day)
    assert row["event_time"].strftime("%d/%b/%Y:%H:%M:%S") == time[:20]


@pytest.mark.parametrize(
    ("vhost", "server", "extra"),
    [
        ("www.example.com", "www.example.com", None),
        ("web:8080", "web", '{"server_port":8080}'),
    ],
)
@pytest.mark.parametrize("client", ["192.0.2.9", "2001:db8::1", "crawl-1.example.net"])
def test_virtual_host(vhost: str, server: str, extra: str | None, client: str) -> None:
    line = f'{vhost} {client} - ann [03/Mar/2024:07:08:10 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'
    row, other = parsed(line.encode(), line.partition(" ")[2].encode())
    assert (row["server_name"], row["extra"]) == (server, extra)
    assert (row["client_address"], row["user_name"]) == (client, "ann")
    assert (other["server_name"], other["extra"]) == (None, None)
    assert (other["client_address"], other["user_name"]) == (client, "ann")


@pytest.mark.parametrize("times", ["20.178", "0.003 0.002", "0.003 -"])
@pytest.mark.parametrize("forwarded", ["-", "192.0.2.77, 198.51.100.9"])
def test_decimals_at_the_end(times: str, forwarded: str) -> None:
    row, other = parsed(
        NGINX_MAIN % forwarded.encode() + b" " + times.encode(), NGINX_MAIN % b"-" + b" 7"
    )
    assert row["extra"] == f'{{"tail":"{times}"}}'
    assert row["forwarded_for"] == (None if forwarded == "-" else forwarded)
    assert (row["duration_other"], row["parse_status"]) == (None, "ok")
    assert (other["duration_other"], other["extra"]) == (7, None)


GOOD = '192.0.2.9 - - [03/Mar/2024:07:08:10 +0000] "GET /a?b=1 HTTP/1.1" 200 1 "-" "agent"'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("agent", "ag\tent"),
        ("agent", "ag\x00ent"),
        ("agent", "a" * 5000),
        ("/a", "/a;jsessionid=1"),
        ("b=1", "action=" + "a" * 257),
        ("200", "099"),
        ("03/Mar", "30/Feb"),
        ("03/Mar/2024", "29/Feb/2100"),
        ('200 1 "-" "agent"', "200 "),
        ("+0000", "+1401"),
        ("07:08:10", "07:08:60"),
        ("192.0.2.9", "192.0.2.300"),
        ("192.0.2.9", "192.0.2.9:81"),
        ("192.0.2.9", "192.0.2.9,192.0.2.8"),
        ("- - [", "x y z ["),
        ("- - [", "- - [x ["),
        ("- - [", "- 198.51.100.7 ["),
        ("192.0.2.9", "access.log-12-192.0.2.9"),
        ("192.0.2.9", "a.log:192.0.2.9"),
        ("192.0.2.9", "192.0.2.8 192.0.2.9"),
        ("192.0.2.9", "unix: host"),
        ("192.0.2.9", "web:65536 host"),
        ("192.0.2.9", "web -"),
        ("192.0.2.9", "access.log-12-192.0.2.8 192.0.2.9"),
        ('"agent"', '"agent" 0.5 7'),
        ('"agent"', '"agent" 1.2.3'),
        ('"agent"', '"agent" - 0.5'),
        ("- - [", "- - x["),
        ("GET /a", "GET  /a"),
        (" HTTP/1.1", ""),
        ("GET", "G\u00c9T"),
        ("/a?b=1", "http://a.example:80/"),
        ("/a?b=1", "http://a.example"),
        ("/a?b=1", "show.do?b=1"),
        ("b=1", "JSESSIONID=a%20b"),
        ("/a", "/a\\x22"),
        (" 1 ", " 1234567890123456789 "),
        ('"agent"', '"agent" "192.0.2.1\\"" 5'),
        ('"agent"', '"agent"-'),
        ('"agent"', '"agent" '),
        ('"agent"', '"agent\\"'),
    ],
)
def test_unusual_lines_are_left_to_the_reference_parser(old: str, new: str) -> None:
    unusual = GOOD.replace(old, new, 1)
    assert unusual != GOOD
    table, handled = parse_fast(
        lines_of([GOOD.encode(), unusual.encode(), GOOD.encode()]), IDENTITY, SETTINGS
    )
    assert handled.tolist() == [True, False, True]
    assert table["source_line"].to_pylist() == [1, 3]


@pytest.mark.parametrize(
    ("old", "new", "column", "value"),
    [
        ("agent", r"ag\x22e\\\"nt", "user_agent", 'ag"e\\"nt'),
        ("agent", r"ag\x1ent", "user_agent", r"ag\x1ent"),
        (
            "agent",
            "caf\u00e9 \ud7ff\ue000\U0010ffff",
            "user_agent",
            "caf\u00e9 \ud7ff\ue000\U0010ffff",
        ),
        ("/a?", "/\u00e9?", "url_path", "/\u00e9"),
        ("/a?b=1", "/a#f?b", "url_path", "/a"),
        ("/a?b=1", "/a?b#f?c", "url_query", "b"),
        ("b=1", "action=a%20b", "event_name", "a b"),
        ("b=1", "action=a+b", "event_name", "a b"),
        ("b=1", "action=a&action=b", "event_name", "a"),
        ("b=1", "itemId=%C3%A9", "item_id", "\u00e9"),
        ("200", "-", "status_code", None),
        ("200", "0", "status_code", 0),
        (" 1 ", " 123456789012345678 ", "response_bytes", 123456789012345678),
        ("GET", "PROPFIND", "http_method", "PROPFIND"),
        ("HTTP/1.1", "HTTP/2", "http_version", "2"),
        ("- - [", r"- DOM\ann [", "user_name", r"DOM\ann"),
        ('"-"', '"HTTPS://A.example?x"', "referrer_domain", "a.example"),
        ('"-"', '"android-app://com.example/"', "referrer_domain", "com.example"),
        ('"-"', '"/r?action=b"', "event_name", "b"),
        ('"agent"', '"agent" 123456789012345678', "duration_other", 123456789012345678),
    ],
)
def test_less_usual_lines_are_read_too(old: str, new: str, column: str, value: object) -> None:
    (row,) = parsed(GOOD.replace(old, new, 1).encode())
    assert row[column] == value
    assert row["parse_status"] == "ok"


def test_absolute_targets() -> None:
    (row,) = parsed(GOOD.replace("/a?b=1", "HTTP://me@A.example/x/?itemId=I#f").encode())
    assert row["url_original"] == "HTTP://me@A.example/x/?itemId=I#f"
    assert (row["url_scheme"], row["url_domain"]) == ("http", "a.example")
    assert (row["url_path"], row["url_query"], row["item_id"]) == ("/x/", "itemId=I", "I")
    assert row["parse_status"] == "ok"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("-", None),
        ("", None),
        (r"\x16\x03\x01", r'{"request_line":"\\x16\\x03\\x01"}'),
        ("GET", '{"request_line":"GET"}'),
        ("GET - HTTP/1.1", '{"request_line":"GET - HTTP/1.1"}'),
        (" /a HTTP/1.1", '{"request_line":" /a HTTP/1.1"}'),
    ],
)
def test_bad_requests_bring_their_warning(sent: str, kept: str | None) -> None:
    line = GOOD.replace('"-"', '"http://a.example/?action=x"').replace("GET /a?b=1 HTTP/1.1", sent)
    (row,) = parsed(line.encode())
    assert (row["parse_warnings"], row["extra"]) == ("bad_request_line", kept)
    assert {row[name] for name in ("http_method", "http_version", "url_original", "url_path")} == {
        None
    }
    # What the referrer says still counts (section 2.4).
    assert (row["event_type"], row["event_name"]) == ("request", "x")


def test_a_session_in_the_path_is_seen_beside_a_bad_request() -> None:
    bad, session = GOOD.replace("GET /a?b=1 HTTP/1.1", "-"), GOOD.replace("/a", "/a;jsessionid=1")
    _, handled = parse_fast(
        lines_of([bad.encode(), session.encode(), bad.encode()]), IDENTITY, SETTINGS
    )
    assert handled.tolist() == [True, False, True]


def test_a_warning_of_each_kind() -> None:
    line = GOOD.replace("GET /a?b=1 HTTP/1.1", "-").replace("03/Mar/2024:07:08:10 +0000", "{}")
    first, last = (
        parsed(line.format(time).encode())[0]["parse_warnings"]
        for time in ("31/Dec/1994:23:59:59", "02/May/2024:12:00:01")
    )
    assert first == "bad_request_line,no_timezone,stale_timestamp"
    assert last == "bad_request_line,future_timestamp,no_timezone"


NOT_UTF8 = (
    "c181", "e09fbf", "eda080", "f08fbfbf", "f4908080", "f5808080", "80", "e282", "c3", "e28228"
)  # fmt: skip


@pytest.mark.parametrize("digits", NOT_UTF8)
def test_bytes_that_are_not_utf8_are_left_to_the_reference_parser(digits: str) -> None:
    good, sent = GOOD.encode(), bytes.fromhex(digits)
    lines = lines_of([good, good.replace(b"agent", sent), good.replace(b'agent"', sent), good])
    _, handled = parse_fast(lines, IDENTITY, SETTINGS)
    assert handled.tolist() == [True, False, False, True]


@pytest.mark.parametrize("sent", ["www.example.com", "www.example.com:80", "foo"])
def test_a_doubtful_referrer_is_left_to_the_reference_parser(sent: str) -> None:
    plain = NGINX_MAIN % b"-"
    doubtful = plain.replace(b'"-"', f'"{sent}"'.encode(), 1)
    _, handled = parse_fast(lines_of([plain, doubtful]), IDENTITY, SETTINGS)
    assert handled.tolist() == [True, False]


def test_two_keys_of_extra_are_left_to_the_reference_parser() -> None:
    line = f"web:80 {GOOD}".encode()
    bad = line.replace(b"GET /a?b=1 HTTP/1.1", b"hello")
    _, handled = parse_fast(lines_of([line, line + b" 0.5", bad]), IDENTITY, SETTINGS)
    assert handled.tolist() == [True, False, False]


def test_a_long_parameter_name_leaves_all_to_the_reference_parser() -> None:
    parse = replace(SETTINGS, action_parameter="a" * 17)
    table, handled = parse_fast(lines_of([GOOD.encode()]), IDENTITY, parse)
    assert (table.num_rows, handled.tolist()) == (0, [False])


@pytest.mark.parametrize("raw", [b"", b"?a=1&b=2", b'"?', b'"' * 6, b"[" * 50 + b'"?&"' * 3])
def test_chunks_of_which_nothing_is_taken(raw: bytes) -> None:
    table, handled = parse_fast(lines_of([raw]), IDENTITY, SETTINGS)
    assert (table.num_rows, handled.tolist()) == (0, [False])


def test_no_lines_give_the_columns_of_the_contract() -> None:
    table, handled = parse_fast(lines_of([]), IDENTITY, SETTINGS)
    assert (tuple(table.column_names), handled.size) == (EVENTS.names, 0)


CLIENTS = (
    "192.0.2.9",
    "2001:DB8::1",
    "host.example",
    "www.example.com 192.0.2.9",
    "web:80 host.example",
    "web:80 2001:db8::1",
    "x:70000 192.0.2.9",
    "web -",
    "1.2.3.4 5.6.7.8",
    "192.0.2.9 www.example.com",
    "192.0.2.9 - [192.0.2.9]",
    "192.0.2.9 (10.0.0.1)",
    "access.log:192.0.2.9",
    "access.log-12-192.0.2.9",
    "Mar  3 07:08:09 web nginx: 192.0.2.9",
    "web |",
    "unix:",
    "_",
    "-",
    "192.0.2.300",
    "1.2.3.4:80",
    "a,b",
    "",
)
USERS = ("- -", "- ann", "x -", "- a b", '- ""', "- [", "- - [", "-", "- a,b", "- -x", "- - -",
         "- 10.0.0.1", r"- a\b\"c", "- ::", "- (1.2.3.4)", "- ann -", "- ->")  # fmt: skip
TIMES = (
    "03/Mar/2024:07:08:09 +0100",
    "31/dec/1999:23:59:59 -1400",
    "01/Jan/0001:00:00:00 +0000",
    "31/Feb/2024:07:08:09 +0000",
    "03/Mar/2024:07:08:60 +0000",
    "03/Mar/2024:24:08:09 +0000",
    "03/Mar/2024:07:08:09 +1430",
    "03/Mar/2024:07:08:09",
    "3/Mar/2024:07:08:09 +0000",
    "02/May/2024:12:00:01 +0000",
    "31/Dec/1994:23:59:59",
)
REQUESTS = (
    "GET / HTTP/1.1",
    "POST /cart.do?action=view&itemId=I-1&productId=P-1&JSESSIONID=S1 HTTP 1.1",
    "GET /a?action=add%20to&utm_source=x&utm_medium=y+z HTTP/1.1",
    "GET /a?action=$1&productId=2?3 HTTP/1.1",
    "GET /a&action=view?itemId=9&itemId=&categoryId=c HTTP/1.1",
    "GET /a b?action=a b HTTP/1.1",
    "GET //x;jsessionid=5?#f HTTP/2.0",
    "GET /x HTTP/1.1 HTTP/1.1",
    "GET /a?utm_campaign= HTTP/1.0",
    "GET http://a.example/ HTTP/1.1",
    "GET show.do?itemId=I&productId=P HTTP 1.1",
    "OPTIONS * HTTP/1.1",
    "BREW /pot HTTP/1.1",
    "GET /  HTTP/1.1",
    "GET /",
    "PUT /\xc3\xa9?itemId=%C3%A9&productId=+&utm_source=\\x41#action=b HTTP/2",
    'GET /a?action=\\"x\\" HTTP/1.1',
    "-",
    "",
    "\\x16\\x03",
)
COUNTS = (
    "200 5",
    "304 -",
    "- -",
    "000 0",
    "999 1",
    "200 123456789",
    "200 12 0.5",
    "0 0",
    "-1 5",
    "200 5 www.example.com",
    "200 5 HIT",
    "200",
    "200 007",
)
REFERRERS = (
    "-",
    "",
    "https://Shop.Example/?action=remove&itemId=R-1&productId=R-2&categoryId=c",
    "http://user:pw@a.example:99999/x",
    "https://[2001:db8::1]:80/",
    "https:///x?action=view",
    "http://" + "a" * 70 + ".example/",
    "https://a.example?itemId=q&productId=r",
    "/relative?action=view",
    "android-app://com.example/",
    "about:blank",
    "http:/",
    "www.example.com",
    "www.example.com:80",
    "foo",
    "foo bar",
)
TAILS = (
    "",
    ' "-"',
    " 777",
    ' "192.0.2.1" 5',
    " -",
    ' "192.0.2.1, unknown"',
    " ",
    "x",
    " 12345678901234567890",
    " 0.5",
    ' "-" 20.178',
    ' "192.0.2.1" 0.003 -',
    " 0.5 7",
    " 1.2.3.4",
    " 0.5  0.5",
    ' "a=b"',
    ' "192.0.2.1:80" 0.5',
    ' "3.21"',
)
AGENTS = (
    "Mozilla/5.0 (X11; +http://a.example/?x=1&action=view)",
    "-",
    "",
    "http://bot.example/",
    '\\"x\\"',
    "\xe9",
    "\xc3\xa9",
    "a\rb",
    r"\x22\\x22\x1g",
)


@st.composite
def raw_lines(draw: st.DrawFn) -> bytes:
    """Lines that the fast path takes, lines that it nearly takes, and damaged ones."""
    line = (
        f"{_mostly_first(draw, CLIENTS)} {_mostly_first(draw, USERS)} "
        f'[{_mostly_first(draw, TIMES)}] "{draw(st.sampled_from(REQUESTS))}" '
        f"{_mostly_first(draw, COUNTS)}"
    )
    if draw(st.integers(0, 5)):
        line += f' "{draw(st.sampled_from(REFERRERS))}" "{_mostly_first(draw, AGENTS)}"'
        line += _mostly_first(draw, TAILS)
    raw = line.encode("latin-1")
    if not draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(raw)))
        removed = draw(st.integers(0, 2))
        odd = draw(st.sampled_from([b"", *(bytes([c]) for c in b'" []\\\x00?&5:')]))
        raw = raw[:at] + odd + raw[at + removed :]
    return raw.replace(b"\n", b"")


JUNK = st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b""))


def _mostly_first(draw: st.DrawFn, values: Sequence[str]) -> str:
    return values[0] if draw(st.booleans()) else draw(st.sampled_from(values))


@settings(max_examples=75, deadline=None)
@given(
    st.lists(st.one_of(raw_lines(), JUNK), max_size=12),
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.sampled_from(["host", "forwarded_for"]),
)
def test_its_rows_are_those_of_the_reference_parser(
    raw: list[bytes], timezone: str, client_from: str
) -> None:
    parse = replace(SETTINGS, timezone=timezone, client_from=client_from)
    lines = lines_of(raw, offset=1000)
    table, handled = parse_fast(lines, IDENTITY, parse)
    expected = {row["source_line"]: row for row in reference(lines, parse).to_pylist()}
    assert table.to_pylist() == [expected[int(i) + 1] for i in np.flatnonzero(handled)]


def test_a_source_can_turn_kernels_off() -> None:
    lines = lines_of([GOOD.encode()] * (FEW_LINES + 1))
    slow = access_parser(IDENTITY, replace(SETTINGS, fast=False)).parse(lines)
    assert (slow.table.num_rows, len(slow.rows)) == (0, FEW_LINES + 1)


def test_texts_that_collide_are_encoded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = [GOOD.replace("agent", f"agent {number}").encode() for number in range(100)]
    expected = parsed(*raw)
    monkeypatch.setattr(texts, "_FACTOR", np.uint64(0))  # every text has the same hash
    assert parsed(*raw) == expected


HOSTILE = ('"', "\\", '\\"', " ", "&", "&itemId=", "%", "?", "/", "[", "] [", ", ", "1.", "\u00e9")


@pytest.mark.parametrize("character", HOSTILE)
def test_hostile_lines_take_linear_time(character: str) -> None:
    body = character * (3900 // len(character.encode()))
    places = ("192.0.2.9", "- -", "03/Mar/2024:07:08:10", "/a?b=1", '"-"', "agent", '"agent"')
    raw = [GOOD.replace(place, place + body).encode() for place in places] * 20
    raw.append(body.encode())
    lines = lines_of(raw)
    started = time.process_time()
    parse_fast(lines, IDENTITY, SETTINGS)
    # 0.5 MB: a millisecond or two; anything quadratic takes seconds.
    assert time.process_time() - started < 0.25


def test_pieces_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PIECE_BYTES", 400)
    agents = ["a", "bb" * 5, "ccc" * 9, "dddd", "e"]  # pieces of which no two have the same shape
    raw = [GOOD.replace("agent", agent).encode() for agent in agents]
    rows = parsed(*raw)
    assert [row["user_agent"] for row in rows] == agents
    assert [row["source_line"] for row in rows] == [1, 2, 3, 4, 5]
    sizes = [len(line) + 1 for line in raw]
    assert [row["source_offset"] for row in rows] == [sum(sizes[:i]) for i in range(5)]


def test_a_name_without_a_value_comes_first() -> None:
    line = (
        b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /p?itemId&itemId=EST-13&productId=P'
        b' HTTP/1.1" 200 5 "-" "agent"'
    )
    (row,) = parsed(line)
    assert row["item_id"] is None
    assert row["product_id"] == "P"


def test_the_first_word_of_a_line_does_not_reach_into_the_next() -> None:
    line = b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5'
    _, handled = parse_fast(lines_of([line, b'""', b"\xff " + b"y" * 90]), IDENTITY, SETTINGS)
    assert handled.tolist() == [True, False, False]
