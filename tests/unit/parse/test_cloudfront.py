"""CloudFront's logs: sections 4.6 to 4.8 of the format specification, and its examples."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest
from fixtures.outcome import IDENTITY, read, reason, warnings
from support.cloudfront import NAMES
from support.cloudfront_lines import CF, FULL, HEADER, V2, cf, extra, lines, named, tabbed

from ingest.parse.formats.cloudfront import v1_parser
from ingest.parse.model import Lines
from ingest.settings import ParseSettings


def test_worked_example_of_33_columns() -> None:
    """The first example of `cloudfront` in section 6."""
    row = cf(
        tabbed(
            "2024-05-06", "07:08:09", "FRA56-P1", "2310", "2001:db8::c0de", "GET",
            "d0000example.cloudfront.net", "/caf%25C3%25A9/menu", "206",
            "https://www.example.org/?a=1", "Mozilla/5.0%20(X11;%20Linux)",
            "q=100%2525&utm_medium=cpc", "-", "Miss", "abcDEF123==", "www.example.com", "https",
            "410", "0.250", "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "Miss", "HTTP/3.0", "-", "-",
            "51000", "0.120", "Miss", "text/html", "2000", "0", "1999",
        )
    )  # fmt: skip
    assert row["parse_status"] == "ok"
    assert (row["url_path"], row["url_query"]) == ("/caf%C3%A9/menu", "q=100%25&utm_medium=cpc")
    assert row["campaign_medium"] == "cpc"
    assert row["user_agent"] == "Mozilla/5.0 (X11; Linux)"
    assert (row["duration_ms"], row["native_id"]) == (250.0, "abcDEF123==")
    assert (row["http_version"], row["server_name"]) == ("3.0", "www.example.com")
    assert extra(row)["ttfb_ms"] == 120.0


def test_worked_example_of_12_columns() -> None:
    """The second example of `cloudfront` in section 6."""
    row = cf(
        "2024-05-06\t07:08:10\tFRA56-P1\t10\t192.0.2.43\tGET\td0000example.cloudfront.net\t/x\t200"
        "\t-\ta%2\t-"
    )
    assert row["parse_warnings"] == "bad_percent_encoding"
    assert (row["user_agent"], row["url_path"]) == ("a%2", "/x")
    assert row["server_name"] == "d0000example.cloudfront.net"


@pytest.mark.parametrize("header", ["", HEADER], ids=["no header", "header"])
def test_every_column_is_placed(header: str) -> None:
    """4.6, mapping."""
    (row,) = lines(header + tabbed(*FULL)).events
    assert extra(row) == {
        "edge_location": "FRA56-P1", "distribution_host": "d1.cloudfront.net",
        "cache_result": "Hit", "tls_protocol": "TLSv1.3", "tls_cipher": "TLS_AES_128_GCM_SHA256",
        "client_port": 33121, "ttfb_ms": 2.0, "x_edge_response_result_type": "Hit",
        "fle_status": "Processed", "fle_encrypted_fields": "3", "sc_content_type": "text/html",
        "x_edge_detailed_result_type": "OriginShieldHit", "sc_content_len": "15000",
        "sc_range_start": "0", "sc_range_end": "1999",
    }  # fmt: skip
    assert row["event_time"].isoformat() == "2024-05-02T10:11:12+00:00"
    shared = ("event_id", "batch_id", "ingest_time", "source_file", "source_offset", "source_line")
    for column in (*shared, "extra", "event_time", "event_date"):
        del row[column]
    query = "action=addtocart&itemId=EST-1&productId=FX-1&utm_source=mail"
    assert row == {
        "source_format": "cloudfront", "parse_status": "ok", "bytes_scope": "total",
        "campaign_source": "mail", "client_address": "203.0.113.9", "client_ip": "203.0.113.9",
        "cookie": "JSESSIONID=SD7; b=c", "duration_ms": 118.0, "event_name": "addtocart",
        "event_type": "addtocart", "forwarded_for": "198.51.100.4, 10.0.0.1",
        "http_method": "POST", "http_version": "2.0", "item_id": "EST-1", "product_id": "FX-1",
        "native_id": "req-1==", "purchase_count": 0, "view_count": 1, "request_bytes": 734,
        "response_bytes": 15220, "referrer": "https://a.example/list?p=2%23",
        "referrer_domain": "a.example", "server_name": "www.shop.example", "session_id": "SD7",
        "status_code": 201, "url_original": f"/cart%20a.do?{query}", "url_path": "/cart%20a.do",
        "url_query": query, "url_scheme": "https", "user_agent": "Mozilla/5.0 (X11;+Linux)",
    }  # fmt: skip


def test_a_line_that_is_cut_inside_a_number_is_kept() -> None:
    """4.6, widths."""
    (row,) = lines("#Fields: c-ip time-taken sc-status\n192.0.2.1\t0.\n").events
    assert row["parse_warnings"] == "invalid_number,missing_fields,no_timestamp"


@pytest.mark.parametrize("record", ["192.0.2.1\t/a\t200https://a.example/", "/a\t200\tx\ty\tz"])
def test_a_lost_or_surplus_delimiter_is_no_match(record: str) -> None:
    """7: a column that is not a number, among too few or too many, shows a shift."""
    text = f"#Fields: c-ip cs-uri-stem sc-status cs(Referer)\n{record}\n"
    assert [row["reason"] for row in lines(text).rejects] == ["no_match"]


def test_header_lines_are_skipped_and_each_replaces_the_columns() -> None:
    """4.6, shape: names match without case, anywhere in the object."""
    outcome = lines(
        "#Version: 1.0\n#Fields: DATE Time C-IP\n2024-05-02\t10:11:12\t192.0.2.1\n"
        "# a comment\n#Remark: x\n\n#fields:\tc-ip\tcs-uri-stem\n192.0.2.2\t/b\n"
    )
    reasons = ["header", "header", "comment", "comment", "blank", "header"]
    assert [skip["reason"] for skip in outcome.skips] == reasons
    first, second = outcome.events
    assert (first["client_ip"], first["parse_status"]) == ("192.0.2.1", "ok")
    assert (second["client_ip"], second["url_path"]) == ("192.0.2.2", "/b")
    assert second["parse_warnings"] == "no_timestamp"


@pytest.mark.parametrize("width", range(1, 36))
def test_widths_without_a_header(width: int) -> None:
    """4.6, widths."""
    line = tabbed(*(*FULL, "", "x")[:width])
    if width < 12:
        assert reason(line, format="cloudfront") == (
            "wrong_field_count" if width > 1 else "no_match"
        )
    elif width > 33:
        assert warnings(line, format="cloudfront") == ["extra_fields"]
        assert extra(cf(line))["extra_fields"] == ["", "x"][: width - 33]
    else:
        known = width in (12, 15, 18, 19, 23, 24, 26, 33)
        assert warnings(line, format="cloudfront") == ([] if known else ["missing_fields"])


@pytest.mark.parametrize(
    ("record", "codes"),
    [
        ("192.0.2.1\t/a\t200", "no_timestamp"),
        ("192.0.2.1\t/a", "missing_fields,no_timestamp"),
        ("192.0.2.1\t/a\t200\t", "extra_fields,no_timestamp"),
        ("192.0.2.1\t/a\t20x", "invalid_status,no_timestamp"),
    ],
)
def test_widths_with_a_header(record: str, codes: str) -> None:
    """4.6, widths."""
    (row,) = lines(f"#Fields: c-ip cs-uri-stem sc-status\n{record}\n").events
    assert (row["parse_warnings"], row["url_path"]) == (codes, "/a")


@pytest.mark.parametrize(
    "line",
    [
        "x",
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
        tabbed("-", *FULL[1:]),
        tabbed("2024-5-02", *FULL[1:]),
        tabbed("2024-05-02", "10:11", *FULL[2:]),
        tabbed("a", "b", "c"),
        tabbed(
            *[
                "2024-05-02",
                "10:11:12",
                "INFO",
                "web",
                "main",
                "req-1",
                "user1",
                "/x",
                "ok",
                "a",
                "b",
                "c",
            ]
        ),
        tabbed(*FULL[:3], "GET", "/x", *FULL[5:]),
        '{"c-ip":"192.0.2.1"}',
    ],
)
def test_another_shape_is_no_match(line: str) -> None:
    """4.6, widths, and 3.10: never a row with shifted columns."""
    assert reason(line, format="cloudfront") == "no_match"


@pytest.mark.parametrize("name", ["no names", "a long header"])
def test_records_below_a_header_without_names_are_not_read(name: str) -> None:
    """7: never a plausible wrong value, such as that of the columns before."""
    broken = "#Fields:" if name == "no names" else f"#Fields: {NAMES} {'x' * 2000}"
    settings = ParseSettings(format="cloudfront", max_line_bytes=1024)
    outcome = lines(f"{HEADER}{tabbed(*FULL)}\n{broken}\n{tabbed(*FULL)}\n", settings)
    assert len(outcome.events) == 1
    assert outcome.rejects[-1]["reason"] == "no_match"


@pytest.mark.parametrize(("date", "time"), [("2024-02-31", "10:11:12"), ("2024-05-02", "24:11:12")])
def test_a_time_that_cannot_exist(date: str, time: str) -> None:
    """1.3."""
    assert reason(tabbed(date, time, *FULL[2:]), format="cloudfront") == "bad_timestamp"


@pytest.mark.parametrize(("name", "text"), [("date", "2024-05-02"), ("time", "10:11:12")])
def test_half_a_time_is_none(name: str, text: str) -> None:
    """1.2: the record holds no time."""
    row = named(**{"date": "-", "time": "-", name: text})
    assert (row["parse_warnings"], extra(row)) == ("no_timestamp", {name: text})


@pytest.mark.parametrize(
    ("name", "text", "code", "kept"),
    [
        ("sc_status", "000", None, {"status_code": 0}),
        ("sc_status", "-", None, {"status_code": None}),
        ("sc_status", "600", "invalid_status", {"status_code": 600}),
        ("sc_status", "ok", "invalid_status", {"status_code": None}),
        ("sc_bytes", "1x", "invalid_number", {"response_bytes": None}),
        ("cs_bytes", "9" * 20, "bytes_overflow", {"request_bytes": None}),
        ("time_taken", "fast", "invalid_number", {"duration_ms": None}),
        ("c_port", "70000", "invalid_number", {"extra": None}),
        ("c_port", "x", "invalid_number", {"extra": None}),
        ("c_ip", "192.0.2.300", "invalid_client_ip", {"client_address": "192.0.2.300"}),
        ("c_ip", "-", None, {"client_address": None}),
        ("cs_uri_stem", "-", "bad_request_line", {"url_path": None}),
        ("cs_uri_stem", "*", None, {"url_original": "*", "url_path": None}),
        ("cs_uri_stem", "/a%253Fb%2523", None, {"url_path": "/a%3Fb%23"}),
        ("cs_uri_stem", "/a%00", "nul_byte", {"url_path": "/a\ufffd"}),
        ("cs_method", "G T", "bad_request_line", {"http_method": None}),
        ("cs_protocol_version", "HTTP/3", None, {"http_version": "3"}),
        ("cs_protocol_version", "QUIC", None, {"extra": '{"cs_protocol_version":"QUIC"}'}),
        ("cs__Host__", "a.example:8443", None, {"server_name": "a.example"}),
    ],
)
def test_values(name: str, text: str, code: str | None, kept: dict[str, Any]) -> None:
    """3.4, 3.6 to 3.9."""
    row = named(date="2024-05-02", time="10:11:12", **{name: text})
    assert row.get("parse_warnings") == code
    assert {column: row.get(column) for column in kept} == kept


def test_a_method_that_is_none_is_kept_with_its_target() -> None:
    """3.8."""
    row = named(date="2024-05-02", time="10:11:12", cs_method="G T", cs_uri_stem="/a")
    assert row["parse_warnings"] == "bad_request_line"
    assert (extra(row), row.get("url_path")) == ({"request_line": "G T /a"}, None)


def test_columns_of_one_name_or_key_are_all_kept() -> None:
    """7: every byte is placed."""
    names = "c-ip x-a x-a X_A edge-location x-edge-location -- cs(Host) cs-host"
    (row,) = lines(f"#Fields: {names}\n192.0.2.1\t1\t2\t3\t4\t5\t6\ta.example\tb.example\n").events
    assert set(row["parse_warnings"].split(",")) == {"no_timestamp", "unplaced_text"}
    assert row["server_name"] == "a.example"
    assert extra(row) == {
        "x_a": "1", "column_3": "2", "edge_location": "5", "distribution_host": "a.example",
        "cs_host": "b.example", "unplaced": {"x_a": "3", "edge-location": "4", "--": "6"},
    }  # fmt: skip


def test_a_name_of_our_own_for_a_repeated_column_hides_no_column() -> None:
    """7: the columns behind it keep their places."""
    (row,) = lines("#Fields: column_3 c-ip c-ip sc-status\na\t192.0.2.1\tb\t200\n").events
    assert (row["client_ip"], row["status_code"]) == ("192.0.2.1", 200)


def test_the_client_of_a_list() -> None:
    """3.7: `client_from`; the port is then not that of the client."""
    row = cf(tabbed(*FULL), client_from="forwarded_for")
    assert (row["client_ip"], row["client_address"]) == ("198.51.100.4", "198.51.100.4")
    more = extra(row)
    assert (more["peer_address"], more["c_port"]) == ("203.0.113.9", 33121)
    assert "client_port" not in more


def test_a_cookie_that_is_not_to_be_kept() -> None:
    """`keep_cookie`: its session is read all the same."""
    row = cf(tabbed(*FULL), keep_cookie=False)
    assert (row.get("cookie"), row["session_id"]) == (None, "SD7")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("settings", [CF, V2], ids=["v1", "v2"])
def test_headers_before_the_place_of_resuming_count(pack: Any, settings: ParseSettings) -> None:
    """3.1: a header changes what follows, also in a run that begins behind it."""
    head = "\n\r\n#Version: 1.0\n#Fields: c-ip sc-status\n192.0.2.1\t200\n#x\n"
    data = (head + "192.0.2.2\t404\n").encode()
    later = read(pack(data), settings=settings, resume=len(head), first_line=7)
    (row,) = later.events
    assert (row["client_ip"], row["status_code"], row["source_line"]) == ("192.0.2.2", 404, 7)
    assert (later.lines, row["source_offset"]) == (
        {"ok": 0, "warn": 1, "skip": 0, "reject": 0}, len(head),
    )  # fmt: skip


def test_of_lines_that_are_known_only_headers_are_read() -> None:
    """3.1: a log that grows is not parsed again from its beginning."""
    parser = v1_parser(IDENTITY, CF)
    parser.begin(100, None)
    text = b"#Fields: c-ip\n192.0.2.1\n"
    parsed = parser.parse(
        Lines(
            buffer=np.frombuffer(text, dtype=np.uint8),
            starts=np.array([0, 14, len(text)]),
            ends=np.array([13, 23, len(text)]),
            offset=0,
            first_line=None,
        )
    )
    assert (parsed.rows, parsed.skips.num_rows) == ((), 0)


def test_it_is_not_read_in_ranges() -> None:
    """3.1: never split."""
    with pytest.raises(ValueError, match="only an uncompressed object of a splittable format"):
        lines(HEADER + tabbed(*FULL), start=5)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("#Version: 1.0\n#Fields: date time c-ip\n", "cloudfront"),
        ("#Fields: date time c-ip\n", "cloudfront_v2"),
        ("#Version: 1.0\n#Fields: time timestamp(MS) c-ip\n", "cloudfront_v2"),
        ("\ufeff#Version: 1.0\r\n#Fields: date time c-ip\r\n", "cloudfront"),
    ],
)
@pytest.mark.parametrize("records", ["", tabbed("2024-05-02", "10:11:12", *FULL[2:]) + "\n"])
def test_the_format_is_found(head: str, found: str, records: str) -> None:
    """3.10, signature 1: also when no record was written yet."""
    outcome = lines(head + records, ParseSettings())
    assert outcome.verdict.source_format == found
    assert outcome.verdict.counts["header"] == head.count("#")


def test_records_without_a_header_are_found() -> None:
    """3.10, signature 5."""
    assert lines(tabbed(*FULL), ParseSettings()).verdict.source_format == "cloudfront"
    assert lines(tabbed(*FULL[:11]), ParseSettings()).verdict.file_reason == "unknown_format"
