"""The grammar `access`: the worked examples of the specification, and each part of the grammar."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fixtures.outcome import ACCESS, HEAD, LINE, event, read, reason, warnings

from ingest.settings import ParseSettings

NGINX_MAIN = (
    r"198.51.100.23 - ann [03/Mar/2024:07:08:09 +0100] "
    r'"GET /shoes/red%20one?utm_source=mail&size=42 HTTP/2.0" 200 5120 '
    r'"https://www.example.org/list?p=2" "Mozilla/5.0 (X11; \x22beta\x22)" '
    r'"192.0.2.77, 198.51.100.9"'
)
VHOST = (
    "www.example.net:8443 2001:DB8:0:0::a1 - - [3/Mar/2024:07:08:09.250 +0000] "
    '"HEAD /robots.txt HTTP/1.1" 304 - "-" "checker/2.0"'
)
GARBAGE = r'192.0.2.9 - - [03/Mar/2024:07:08:10 +0100] "\x05\x01\x00" 400 157 "-" "-"'
CUT = '192.0.2.300 - - [03/Mar/2024:07:08:11] "GET /" 200 12 "-" "half an agent'
SPLUNK = (
    "198.51.100.40 - - [05/Jun/2019:14:00:01] "
    '"POST /cart.do?action=addtocart&itemId=EST-90&JSESSIONID=SD1SL1FF1ADFF77 HTTP 1.1" 200 1234 '
    '"http://shop.example/product.screen?productId=FX-AB-G02" "Mozilla/4.0" 777'
)


def extra(line: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event(line, **changes).get("extra", "{}"))
    return found


def test_example_nginx_main() -> None:
    assert event(NGINX_MAIN) == {
        "event_time": datetime(2024, 3, 3, 6, 8, 9, tzinfo=UTC),
        "event_date": date(2024, 3, 3),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "ok",
        "event_type": "request",
        "client_ip": "198.51.100.23",
        "client_address": "198.51.100.23",
        "forwarded_for": "192.0.2.77, 198.51.100.9",
        "user_name": "ann",
        "http_method": "GET",
        "http_version": "2.0",
        "url_original": "/shoes/red%20one?utm_source=mail&size=42",
        "url_path": "/shoes/red%20one",
        "url_query": "utm_source=mail&size=42",
        "status_code": 200,
        "response_bytes": 5120,
        "bytes_scope": "body",
        "referrer": "https://www.example.org/list?p=2",
        "referrer_domain": "www.example.org",
        "user_agent": 'Mozilla/5.0 (X11; "beta")',
        "campaign_source": "mail",
    }


def test_example_vhost() -> None:
    assert event(VHOST) == {
        "event_time": datetime(2024, 3, 3, 7, 8, 9, 250_000, tzinfo=UTC),
        "event_date": date(2024, 3, 3),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "ok",
        "event_type": "request",
        "client_ip": "2001:db8::a1",
        "client_address": "2001:DB8:0:0::a1",
        "http_method": "HEAD",
        "http_version": "1.1",
        "url_original": "/robots.txt",
        "url_path": "/robots.txt",
        "status_code": 304,
        "bytes_scope": "body",
        "user_agent": "checker/2.0",
        "server_name": "www.example.net",
        "extra": '{"server_port":8443}',
    }


def test_example_bad_request_line() -> None:
    assert event(GARBAGE) == {
        "event_time": datetime(2024, 3, 3, 6, 8, 10, tzinfo=UTC),
        "event_date": date(2024, 3, 3),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "warn",
        "parse_warnings": "bad_request_line",
        "event_type": "request",
        "client_ip": "192.0.2.9",
        "client_address": "192.0.2.9",
        "status_code": 400,
        "response_bytes": 157,
        "bytes_scope": "body",
        "extra": r'{"request_line":"\\x05\\x01\\x00"}',
    }


def test_example_cut_line() -> None:
    assert event(CUT) == {
        "event_time": datetime(2024, 3, 3, 7, 8, 11, tzinfo=UTC),
        "event_date": date(2024, 3, 3),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "warn",
        "parse_warnings": "invalid_client_ip,no_timezone,unterminated_quote",
        "event_type": "request",
        "client_address": "192.0.2.300",
        "http_method": "GET",
        "url_original": "/",
        "url_path": "/",
        "status_code": 200,
        "response_bytes": 12,
        "bytes_scope": "body",
        "user_agent": "half an agent",
    }


def test_example_splunk_tutorial() -> None:
    assert event(SPLUNK) == {
        "event_time": datetime(2019, 6, 5, 14, 0, 1, tzinfo=UTC),
        "event_date": date(2019, 6, 5),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "warn",
        "parse_warnings": "no_timezone",
        "event_type": "addtocart",
        "event_name": "addtocart",
        "client_ip": "198.51.100.40",
        "client_address": "198.51.100.40",
        "session_id": "SD1SL1FF1ADFF77",
        "http_method": "POST",
        "http_version": "1.1",
        "url_original": "/cart.do?action=addtocart&itemId=EST-90&JSESSIONID=SD1SL1FF1ADFF77",
        "url_path": "/cart.do",
        "url_query": "action=addtocart&itemId=EST-90&JSESSIONID=SD1SL1FF1ADFF77",
        "status_code": 200,
        "response_bytes": 1234,
        "bytes_scope": "body",
        "duration_other": 777,
        "referrer": "http://shop.example/product.screen?productId=FX-AB-G02",
        "referrer_domain": "shop.example",
        "user_agent": "Mozilla/4.0",
        "item_id": "EST-90",
        "product_id": "FX-AB-G02",
        "purchase_count": 0,
        "view_count": 1,
    }


@pytest.mark.parametrize(
    "line",
    [
        "junk",
        "192.0.2.1 - -",
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1"',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 20 5',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 2000 5',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 -5',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5k',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000]  "GET / HTTP/1.1" 200 5',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1 200 5',
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /"x HTTP/1.1" 200 5',
        '[03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
        '"192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
        # Arabic-Indic digits are not digits of a status.
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" ٢٠٠ 5',
    ],
)
def test_no_match(line: str) -> None:
    assert reason(line) == "no_match"


@pytest.mark.parametrize(
    "time",
    [
        "31/Feb/2024:07:08:09 +0000",
        "03/Mär/2024:07:08:09 +0000",
        "03/Mai/2024:07:08:09 +0000",
        "03/Mar/2024:24:00:00 +0000",
        "03/Mar/2024:07:60:09 +0000",
        "03/Mar/2024:07:08:61 +0000",
        "03/Mar/2024:07:08:09 +1401",
        "03/Mar/2024:07:08:09 +0060",
        "00/Mar/2024:07:08:09 +0000",
        "2024-02-30T07:08:09Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "03/Mar/2024:07:08:09 +0000 x",
        "03/Mar/2024:07:08:09 CET",
        "03/Mar/2024:07:08:09 utc",
        "03/Mar/2024:07:08:09 +0100 UTC",
        "yesterday",
    ],
)
def test_bad_timestamp(time: str) -> None:
    assert reason(LINE.replace("03/Mar/2024:07:08:09 +0000", time)) == "bad_timestamp"


@pytest.mark.parametrize(("line", "skip"), [("", "blank"), (" \t ", "blank"), ("#x", "comment")])
def test_skips(line: str, skip: str) -> None:
    assert reason(line + "\n") == skip


def test_comment_only_at_the_first_byte() -> None:
    assert reason(" # not a comment") == "no_match"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (HEAD.replace("GET / HTTP/1.1", "-"), "bad_request_line"),
        (HEAD.replace(" 200 5", " 200 9223372036854775808"), "bytes_overflow"),
        (LINE + " 9223372036854775808", "bytes_overflow"),
        (LINE.replace("agent", "a\x0bb"), "control_char"),
        (LINE.replace("agent", "a\x7fb"), "control_char"),
        (LINE.replace("agent", "a\rb"), "control_char"),
        (LINE.replace("03/Mar/2024:07:08:09", "02/Jun/2024:12:00:01"), "future_timestamp"),
        (LINE.replace("192.0.2.1", "192.0.2.01"), "invalid_client_ip"),
        ("www.example.net:65536 " + LINE, "invalid_number"),
        (LINE.replace(" 200 ", " 600 "), "invalid_status"),
        (LINE.replace(" 200 ", " 099 "), "invalid_status"),
        (LINE.replace("07:08:09", "07:08:60"), "leap_second"),
        (HEAD + ' "-"', "missing_fields"),
        (LINE.replace("03/Mar/2024:07:08:09 +0000", "-"), "no_timestamp"),
        (LINE.replace(" +0000]", "]"), "no_timezone"),
        (LINE.replace("agent", "a\0b"), "nul_byte"),
        (LINE.replace("2024", "1994"), "stale_timestamp"),
        (LINE.replace("agent", "a" * 8193), "truncated_field"),
        (LINE.replace(" 200 5", " 200 5 HIT"), "unplaced_text"),
        (LINE[:-1], "unterminated_quote"),
        (LINE + "x", "unterminated_quote"),
    ],
)
def test_each_warning_code(line: str, code: str) -> None:
    row = event(line)
    assert (row["parse_status"], row["parse_warnings"]) == ("warn", code)


def test_invalid_utf8_is_replaced_once_per_invalid_part() -> None:
    line = LINE.encode().replace(b"agent", b"a\xffb\xe2\x82c\xed\xa0\x80\xc3\xa9")
    row = event(line)
    assert row["parse_warnings"] == "invalid_utf8"
    assert row["user_agent"] == "a\ufffdb\ufffdc\ufffd\ufffd\ufffd\u00e9"


def test_values_stay_beside_their_warnings() -> None:
    row = event(LINE.replace(" 200 ", " 999 ").replace("2024", "1994").replace("agent", "a\0\x01"))
    assert row["status_code"] == 999
    assert row["event_time"] == datetime(1994, 3, 3, 7, 8, 9, tzinfo=UTC)
    assert row["event_date"] == date(2024, 6, 1)
    assert row["user_agent"] == "a\ufffd\x01"
    codes = "control_char,invalid_status,nul_byte,stale_timestamp"
    assert row["parse_warnings"] == codes


@pytest.mark.parametrize(
    ("status", "expected"), [("000", 0), ("0", 0), ("-1", 0), ("100", 100), ("599", 599)]
)
def test_valid_status(status: str, expected: int) -> None:
    row = event(LINE.replace(" 200 ", f" {status} "))
    assert (row["status_code"], row["parse_status"]) == (expected, "ok")


def test_relative_target() -> None:
    target = "show.do?itemId=I&productId=P&JSESSIONID=S"
    row = event(LINE.replace("GET /", f"GET {target}"))
    assert (row["url_original"], row["url_path"]) == (target, "show.do")
    assert row["url_query"] == "itemId=I&productId=P&JSESSIONID=S"
    assert (row["item_id"], row["product_id"], row["session_id"]) == ("I", "P", "S")
    assert (row["event_type"], row["parse_status"]) == ("view", "ok")


def test_dashes_are_null() -> None:
    row = event('- - - [-] "-" - - "-" "-"')
    assert row == {
        "event_date": date(2024, 6, 1),
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "warn",
        "parse_warnings": "bad_request_line,no_timestamp",
        "event_type": "request",
        "bytes_scope": "body",
    }


def test_outer_blanks_are_ignored() -> None:
    assert event(f"  {LINE}  ") == event(LINE)


class TestPrefix:
    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("192.0.2.1", {"client_ip": "192.0.2.1"}),
            ("192.0.2.1 id", {"client_ip": "192.0.2.1", "ident": "id"}),
            ("192.0.2.1 - ann marie", {"client_ip": "192.0.2.1", "user_name": "ann marie"}),
            (r"192.0.2.1 - a\"b", {"client_ip": "192.0.2.1", "user_name": 'a"b'}),
            ('192.0.2.1 - ""', {"client_ip": "192.0.2.1"}),
            ('192.0.2.1 - "-"', {"client_ip": "192.0.2.1"}),
            ('192.0.2.1 "" "-"', {"client_ip": "192.0.2.1"}),
            ('192.0.2.1 "-" "ann"', {"client_ip": "192.0.2.1", "user_name": '"ann"'}),
            ("[fe80::1%eth0] - -", {"warned": True}),
            (
                "[fe80::1%]:80 192.0.2.1 - -",
                {"client_ip": "192.0.2.1", "server_name": "fe80::1%", "server_port": 80},
            ),
            ("[2001:db8::1]:443 - -", {"client_ip": "2001:db8::1", "client_port": 443}),
            ("192.0.2.1:81 - -", {"client_ip": "192.0.2.1", "client_port": 81}),
            ("web 192.0.2.1 - -", {"client_ip": "192.0.2.1", "server_name": "web"}),
            (
                "[2001:db8::9]:80 192.0.2.1 - -",
                {"client_ip": "192.0.2.1", "server_name": "2001:db8::9", "server_port": 80},
            ),
            (
                "2001:db8::9 192.0.2.1 - -",
                {"client_ip": "192.0.2.1", "server_name": "2001:db8::9"},
            ),
            ("web:80 client - -", {"server_name": "web", "server_port": 80}),
            # No ident: the line of a host with a port, not of a virtual host.
            ("web:80 - ann lee", {"warned": True, "user_name": "ann lee"}),
            (
                "192.0.2.1, 198.51.100.2 - ann",
                {
                    "client_ip": "192.0.2.1",
                    "forwarded_for": "192.0.2.1, 198.51.100.2",
                    "user_name": "ann",
                },
            ),
            (
                '"10.0.0.1, 198.51.100.2:99" 10.9.9.9 - -',
                {
                    "client_ip": "198.51.100.2",
                    "client_port": 99,
                    "forwarded_for": "10.0.0.1, 198.51.100.2:99",
                    "peer_address": "10.9.9.9",
                },
            ),
            ('"-" 10.9.9.9 - -', {"peer_address": "10.9.9.9"}),
        ],
    )
    def test_parts(self, prefix: str, expected: dict[str, Any]) -> None:
        row = event(LINE.replace("192.0.2.1 - -", prefix))
        found = {**row, **json.loads(row.pop("extra", "{}"))}
        names = {"client_ip", "client_port", "ident", "user_name", "server_name", "server_port"}
        names |= {"forwarded_for", "peer_address"}
        wanted = {k: v for k, v in expected.items() if k != "warned"}
        assert {k: v for k, v in found.items() if k in names} == wanted
        assert (row["parse_status"] == "warn") is expected.get("warned", False)

    def test_the_client_may_come_from_the_forwarded_list(self) -> None:
        line = LINE + ' "10.0.0.1, 198.51.100.2"'
        row = event(line, client_from="forwarded_for")
        assert (row["client_ip"], row["client_address"]) == ("198.51.100.2", "198.51.100.2")
        assert row["extra"] == '{"peer_address":"192.0.2.1"}'
        assert event(LINE, client_from="forwarded_for")["client_ip"] == "192.0.2.1"


class TestQuotes:
    @pytest.mark.parametrize(
        ("fields", "referrer", "agent", "codes"),
        [
            (r'"http://a/\"q\"" "b"', 'http://a/"q"', "b", []),
            (r'"a\\" "b"', "a\\", "b", []),
            (r'"a" "b\n\x41\x00\xC3"', "a", r"b\nA\x00\xC3", []),
            ('"a" "b"c" d', "a", 'b"c', ["unterminated_quote"]),
            ('"a"b" "c"', 'a"b" "c', None, ["unterminated_quote"]),
            ('"a', "a", None, ["unterminated_quote"]),
            (r'"a" "b\"', "a", r'b"', ["unterminated_quote"]),
            ('"a" "', "a", None, ["unterminated_quote"]),
            ('"a"', "a", None, ["missing_fields"]),
            ("", None, None, []),
        ],
    )
    def test_referrer_and_agent(
        self, fields: str, referrer: str | None, agent: str | None, codes: list[str]
    ) -> None:
        line = f"{HEAD} {fields}"
        row = event(line)
        assert (row.get("referrer"), row.get("user_agent")) == (referrer, agent)
        assert warnings(line) == codes


class TestTail:
    @pytest.mark.parametrize(
        ("tail", "expected"),
        [
            ("777", {"duration_other": 777}),
            ('"-"', {}),
            ('"192.0.2.77, unknown"', {"forwarded_for": "192.0.2.77, unknown"}),
            ('"a=1; b=2"', {"cookie": "a=1; b=2"}),
            ('"JSESSIONID=s1"', {"cookie": "JSESSIONID=s1", "session_id": "s1"}),
            ('X-Forwarded-For="192.0.2.7"', {"forwarded_for": "192.0.2.7"}),
            (
                '"c=1" X-Forwarded-For="192.0.2.7" 5',
                {"cookie": "c=1", "forwarded_for": "192.0.2.7", "duration_other": 5},
            ),
            ("0.012", {"extra": '{"tail":"0.012"}'}),
            ("- 5", {"duration_other": 5}),
            ('"a" "b"', {"extra": r'{"tail":"\"a\" \"b\""}'}),
            ('5 "a"', {"extra": r'{"tail":"5 \"a\""}'}),
        ],
    )
    def test_parts(self, tail: str, expected: dict[str, Any]) -> None:
        plain = event(LINE)
        assert {k: v for k, v in event(f"{LINE} {tail}").items() if plain.get(k) != v} == expected

    def test_cut_in_its_text(self) -> None:
        row = event(LINE + ' "192.0.2.77, 198.51.100.9')
        assert row["forwarded_for"] == "192.0.2.77, 198.51.100.9"
        assert row["parse_warnings"] == "unterminated_quote"

    def test_cut_in_its_list(self) -> None:
        row = event(LINE + ' "a=1" X-Forwarded-For="192.0.2.77')
        assert (row["cookie"], row["forwarded_for"]) == ("a=1", "192.0.2.77")
        assert row["parse_warnings"] == "unterminated_quote"

    def test_number_after_bytes(self) -> None:
        assert extra(HEAD + ' 0.25 "-" "agent"') == {"number_after_bytes": "0.25"}
        assert extra(HEAD + " 250") == {"number_after_bytes": "250"}

    def test_tail_without_quoted_fields(self) -> None:
        assert extra(HEAD + " x y") == {"tail": "x y"}
        assert extra(HEAD + " -") == {}

    def test_a_cookie_that_is_not_kept_still_names_the_session(self) -> None:
        row = event(LINE + ' "JSESSIONID=s1"', keep_cookie=False)
        assert "cookie" not in row
        assert row["session_id"] == "s1"


class TestRequest:
    def test_request_line_is_cut_at_its_width(self) -> None:
        row = event(HEAD.replace("GET /", "é" * 5000))
        assert row["parse_warnings"] == "bad_request_line,truncated_field"
        assert json.loads(row["extra"]) == {"request_line": "é" * 4096}

    def test_url_port_and_case(self) -> None:
        row = event(HEAD.replace("GET /", "GET HTTP://ann@Shop.Example:8080/A?b=1#c"))
        assert row["url_original"] == "HTTP://ann@Shop.Example:8080/A?b=1#c"
        assert (row["url_scheme"], row["url_domain"]) == ("http", "shop.example")
        assert (row["url_path"], row["url_query"]) == ("/A", "b=1")
        assert row["extra"] == '{"url_port":8080}'

    def test_columns_are_cut_at_a_whole_code_point(self) -> None:
        row = event(HEAD.replace("GET /", "GET /" + "é" * 3000))
        # 4096 bytes hold the slash and 2047 of the two-byte letters; url_original has 8192.
        assert row["url_path"] == "/" + "é" * 2047
        assert row["url_original"] == "/" + "é" * 3000
        assert row["parse_warnings"] == "truncated_field"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("common", HEAD),
        ("combined", LINE),
        ("vhost_combined", f"www.example.net:443 {LINE}"),
        ("nginx_combined", LINE),
        ("nginx_main", NGINX_MAIN),
        ("splunk_tutorial", SPLUNK),
    ],
)
def test_predefined_names_are_read_by_the_same_grammar(name: str, line: str) -> None:
    # One line for the fast path, which needs more bytes behind it, and one for the other.
    data = f"{line}\n{line}\n# {'x' * 80}\n".encode()
    access, named = read(data, settings=ACCESS), read(data, settings=ParseSettings(format=name))
    assert named.verdict == replace(access.verdict, source_format=name)
    assert named.events == [row | {"source_format": name} for row in access.events]


def test_a_predefined_name_is_the_format_of_rejects_and_ranges_too() -> None:
    settings = ParseSettings(format="combined")
    outcome = read(f"x\n{LINE}\n".encode(), settings=settings, start=0, end=2)
    assert [row["source_format"] for row in outcome.rejects] == ["combined"]
    assert outcome.verdict.source_format == "combined"
