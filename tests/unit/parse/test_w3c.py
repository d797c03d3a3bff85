"""IIS's log in W3C's extended format, `w3c`."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from fixtures.outcome import LINE, Outcome, read

from ingest.settings import ParseSettings

W3C = ParseSettings(format="w3c")
SOFTWARE = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
FIELDS = (
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
    " cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes cs-bytes"
    " time-taken\n"
)
HEADER = f"{SOFTWARE}#Date: 2024-05-02 10:11:12\n{FIELDS}"
RECORD = (
    "2024-05-02 10:11:12 10.0.0.5 GET /cart.do action=remove&utm_source=mail 443 SHOP\\ann"
    " 203.0.113.9 Mozilla/5.0+(Windows+NT+10.0;+x64) https://a.example/list 404 0 2 1245 512 31\n"
)


def lines(text: str, settings: ParseSettings = W3C, **extent: Any) -> Outcome:
    return read(text.encode(), settings=settings, **extent)


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.get("extra", "{}"))
    return found


def one(fields: str, record: str) -> dict[str, Any]:
    """Return what one record says, which is not without its time."""
    header = f"#Fields: date time {fields}\n"
    (row,) = lines(f"{header}2024-05-02 10:11:12 {record}\n").events
    return row


def why(fields: str, record: str) -> tuple[str, str]:
    (reject,) = lines(f"#Fields: {fields}\n{record}\n").rejects
    return reject["reason"], reject["detail"]


def test_every_column_is_placed() -> None:
    outcome = lines(HEADER + RECORD, ParseSettings())
    (row,) = outcome.events
    assert [skip["reason"] for skip in outcome.skips] == ["comment", "header", "comment", "header"]
    assert extra(row) == {
        "s_ip": "10.0.0.5", "server_port": 443, "sc_substatus": "0", "sc_win32_status": "2"
    }  # fmt: skip
    assert row["event_time"].isoformat() == "2024-05-02T10:11:12+00:00"
    expected = {
        "source_format": "w3c", "parse_status": "ok", "bytes_scope": "total",
        "campaign_source": "mail", "client_address": "203.0.113.9", "client_ip": "203.0.113.9",
        "duration_ms": 31.0, "event_name": "remove", "event_type": "remove", "http_method": "GET",
        "referrer": "https://a.example/list", "referrer_domain": "a.example", "status_code": 404,
        "request_bytes": 512, "response_bytes": 1245, "url_path": "/cart.do",
        "url_original": "/cart.do?action=remove&utm_source=mail",
        "url_query": "action=remove&utm_source=mail", "user_name": "SHOP\\ann",
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; x64)",
    }  # fmt: skip
    assert {column: row[column] for column in expected} == expected


def test_each_header_block_replaces_the_columns() -> None:
    text = f"{HEADER}{RECORD}{SOFTWARE}#Fields: time date c-ip\n10:11:13 2024-05-02 192.0.2.1\n"
    first, second = lines(text).events
    assert (first["client_ip"], second["client_ip"]) == ("203.0.113.9", "192.0.2.1")
    assert second["event_time"].second == 13


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("settings", [W3C, ParseSettings()], ids=["w3c", "auto"])
def test_a_header_before_the_place_of_resuming_counts(pack: Any, settings: ParseSettings) -> None:
    data = (HEADER + RECORD + RECORD).encode()
    at = len(HEADER + RECORD)
    later = read(pack(data), settings=settings, resume=at, first_line=6)
    (row,) = later.events
    assert (row["status_code"], row["source_offset"], row["source_line"]) == (404, at, 6)


@pytest.mark.parametrize(
    ("name", "text", "column", "expected"),
    [
        ("cs(User-Agent)", "a+b%20c", "user_agent", "a b%20c"),
        ("cs(User-Agent)", "-", "user_agent", None),
        ("cs(Cookie)", "a=b+c;+JSESSIONID=s", "cookie", "a=b+c; JSESSIONID=s"),
        ("cs(Cookie)", "a=b+c;+JSESSIONID=s", "session_id", "s"),
        ("X-Forwarded-For", "192.0.2.1,+10.0.0.1", "forwarded_for", "192.0.2.1, 10.0.0.1"),
        ("cs(X-Forwarded-For)", "192.0.2.1", "forwarded_for", "192.0.2.1"),
        ("cs(Referer)", "https://a.example/?q=a+b", "referrer", "https://a.example/?q=a+b"),
        ("cs-uri-stem", "/a+b%20c?", "url_path", "/a+b%20c?"),
        ("cs-host", "www.a.example:8080", "server_name", "www.a.example"),
        ("cs-version", "HTTP/1.1", "http_version", "1.1"),
        ("cs-username", "-", "user_name", None),
        ("time-taken", "1500", "duration_ms", 1500.0),
        ("c-ip", "fe80::1%5", "parse_warnings", "invalid_client_ip"),
        ("crypt-protocol", "400", "extra", '{"crypt_protocol":"400"}'),
    ],
)
def test_values(name: str, text: str, column: str, expected: object) -> None:
    assert one(f"c-port {name}", f"1 {text}").get(column) == (
        expected if column != "extra" else '{"client_port":1,"crypt_protocol":"400"}'
    )


def test_a_run_of_blanks_is_one() -> None:
    row = one("c-ip sc-status", " 192.0.2.1   200 ")
    assert (row["client_ip"], row["status_code"], row["parse_status"]) == ("192.0.2.1", 200, "ok")


def test_columns_too_few_or_too_many() -> None:
    assert one("c-ip sc-status", "192.0.2.1")["parse_warnings"] == "missing_fields"
    row = one("c-ip sc-status", "192.0.2.1 200 new field")
    assert (row["parse_warnings"], extra(row)) == (
        "extra_fields", {"extra_fields": ["new", "field"]}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "record", "expected"),
    [
        (
            "date time c-ip",
            "2024-05-02",
            ("no_match", "expected more than a single column at character 11"),
        ),
        (
            "date time c-ip",
            "a b c",
            ("no_match", "expected a date in the column date at character 1"),
        ),
        (
            "time c-ip",
            "10:11 192.0.2.1",
            ("no_match", "expected a time in the column time at character 1"),
        ),
        (
            "date time",
            "2024-02-31 10:11:12",
            ("bad_timestamp", "date: 2024-02-31 10:11:12 at character 1"),
        ),
        (
            "cs(User-Agent) sc-status",
            "Mozilla/5.0 (raw 200",
            (
                "no_match",
                "expected a number (columns are missing or shifted) in the column sc-status"
                " at character 13",
            ),
        ),
        (
            "cs(User-Agent) cs(Referer) sc-status sc-substatus",
            "Mozilla/5.0 (raw) - 200 0",
            (
                "no_match",
                "expected a status (columns are missing or shifted) in the column sc-status"
                " at character 19",
            ),
        ),
        ("", "2024-05-02 10:11:12", ("no_match", "no #Fields line before it names its columns")),
    ],
)
def test_lines_that_are_refused(fields: str, record: str, expected: tuple[str, str]) -> None:
    """Sections 1.3 and 7: never a row with shifted columns."""
    assert why(fields, record) == expected


def test_records_without_a_header_are_refused() -> None:
    (reject,) = lines(RECORD).rejects
    assert reject["reason"] == "no_match"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEADER, "w3c"),
        (HEADER.replace("\n", "\r\n") + RECORD, "w3c"),
        (FIELDS + SOFTWARE + RECORD, "w3c"),
        (SOFTWARE + RECORD, None),
        (f"#Software: Microsoft Exchange\n{FIELDS}{RECORD}", None),
        (f"{SOFTWARE}{FIELDS}{LINE}\n", "w3c"),
        (f"#Software: x\n{FIELDS}{LINE}\n", "access"),
    ],
)
def test_the_format_is_found_by_its_header(text: str, expected: str | None) -> None:
    """Section 3.10: `auto`."""
    assert lines(text, ParseSettings()).verdict.source_format == expected
