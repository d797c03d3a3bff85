"""What holds for all formats: sections 1.1, 2.3, 3.4 and 3.6 of the format specification.

And that some test names each section of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.outcome import CSV_HEADER, HEAD, LINE, SETTINGS, Outcome, read

HERE = Path(__file__).resolve().parents[2]
ALB = (
    "http 2024-05-06T07:08:09.123456Z app/lb/1 198.51.100.7:4001 - {times} {status} - 12 34 "
    '"GET http://shop.example/a HTTP/1.1" "-" - - - "-" "-" "-" {priority} '
    '2024-05-06T07:08:09.095000Z "-" "-" "-" "-" "-" "-" "-" -'
)
CLB = (
    "2024-05-06T07:08:09.000250Z lb 192.0.2.7:501 - -1 -1 -1 {status} 0 0 {size} "
    '"GET http://old.example/a HTTP/1.1" "-" - -'
)
S3 = (
    "b0b0 media [06/May/2024:07:08:09 +0000] 192.0.2.66 - 9F8E REST.GET.OBJECT a "
    '"GET /a HTTP/1.1" {status} - {size} - - - "-" "-" -'
)
CLOUDFRONT = (
    "2024-05-06 07:08:09 FRA56-P1 {size} 192.0.2.43 GET d.cloudfront.example /x {status} - - -"
).replace(" ", "\t")
HEADER = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
    "cs(Referer) cs(User-Agent) cs-uri-query"
)
NGINX = {"time_iso8601": "2024-05-06T09:08:09+02:00", "remote_addr": "192.0.2.1", "request": "-"}
SEGMENT = {"type": "page", "messageId": "m", "timestamp": "2024-05-06T09:08:09Z"}
LINES = {
    "access": LINE,
    "alb": ALB.format(times="0.1 0.2 0.3", status="200", priority="1"),
    "clb": CLB.format(status="200", size="1"),
    "s3": S3.format(status="200", size="1"),
    "cloudfront": CLOUDFRONT.format(status="200", size="1"),
    "nginx_json": json.dumps(NGINX),
}


def parsed(text: str, name: str) -> Outcome:
    """Return the verdicts on `text`, whose format is `name`."""
    return read(text.encode(), settings=replace(SETTINGS, format=name))


def value(text: str, name: str, column: str) -> object:
    """Return the value of `column`, or else of this key of `extra`, in the event of `text`."""
    (row,) = parsed(text, name).events
    return row.get(column, json.loads(row.get("extra", "{}")).get(column))


def codes(text: str, name: str) -> str:
    """Return the warning codes of the event of `text`."""
    (row,) = parsed(text, name).events
    found: str = row.get("parse_warnings", "")
    return found


@pytest.mark.parametrize("name", LINES)
def test_a_blank_line_is_skipped_in_each_format(name: str) -> None:
    """Section 1.1."""
    outcome = parsed(f"{LINES[name]}\n \t\n{LINES[name]}\n", name)
    assert [row["reason"] for row in outcome.skips] == ["blank"]
    assert len(outcome.events) == 2


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        *((name, "# a remark", "comment") for name in ("access", "alb", "clb", "s3", "cloudfront")),
        ("cloudfront", "#Version: 1.0", "header"),
        ("cloudfront", HEADER, "header"),
        ("alb", "Enable AccessLog for ELB: lb at 2024-05-06T07:08:09Z", "control"),
        ("clb", "Enable AccessLog for ELB: lb at 2024-05-06T07:08:09Z", "control"),
    ],
)
def test_a_line_that_is_no_record_is_skipped_by_its_reason(
    name: str, line: str, expected: str
) -> None:
    """Section 1.1."""
    (row,) = parsed(f"{line}\n{LINES[name]}\n", name).skips
    assert row["reason"] == expected


def test_json_has_no_comments() -> None:
    """Section 1.1: a line that begins with # is a line of JSON that is wrong."""
    (row,) = parsed("# a remark\n", "nginx_json").rejects
    assert row["reason"] == "bad_json"


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("access", LINE, "request"),
        ("access", LINE.replace("GET /", "GET /?action=PURCHASE"), "purchase"),
        ("access", LINE.replace("GET /", "GET /?action=page_view"), "request"),
        ("clb", LINES["clb"].replace("GET http://old.example/a HTTP/1.1", "- - - "), "tcp"),
        ("s3", LINES["s3"].replace("REST.GET.OBJECT", "REST.PUT.OBJECT"), "storage_op"),
        (
            "s3",
            LINES["s3"].replace("GET.OBJECT", "PUT.OBJECT").replace("GET /a", "PUT /a?action=view"),
            "storage_op",
        ),
        ("segment", json.dumps(SEGMENT), "page_view"),
        ("segment", json.dumps(SEGMENT | {"type": "screen"}), "screen_view"),
        *(
            ("segment", json.dumps(SEGMENT | {"type": kind, "userId": "u"}), kind)
            for kind in ("track", "identify", "group", "alias")
        ),
        ("schematic-csv", f"{CSV_HEADER}\nlook,1,,0,,0,1,,,,192.0.2.1,,,1,,1,200,-,s,,\n", "other"),
    ],
)
def test_what_an_event_is(name: str, line: str, expected: str) -> None:
    """Section 2.3."""
    assert value(line, name, "event_type") == expected


@pytest.mark.parametrize(
    ("name", "line", "column"),
    [
        ("access", LINE, "user_name"),
        ("access", LINE.replace('"agent"', '""'), "user_agent"),
        ("alb", LINES["alb"], "user_agent"),
        ("alb", ALB.format(times="-1 0.2 0.3", status="200", priority="1"), "duration_ms"),
        (
            "alb",
            ALB.format(times="0.1 0.2 0.3", status="200", priority="-1"),
            "matched_rule_priority",
        ),
        ("clb", LINES["clb"], "duration_ms"),
        ("s3", LINES["s3"], "user_name"),
        ("cloudfront", LINES["cloudfront"], "referrer"),
        ("nginx_json", json.dumps(NGINX | {"http_referer": "-"}), "referrer"),
        ("segment", json.dumps(SEGMENT | {"name": ""}), "event_name"),
    ],
)
def test_what_stands_for_null(name: str, line: str, column: str) -> None:
    """Section 3.4."""
    assert value(line, name, column) is None
    assert codes(line, name) in ("", "bad_request_line")


def test_a_hyphen_is_a_text_in_logs_of_events() -> None:
    """Section 3.4."""
    assert value(json.dumps(SEGMENT | {"name": "-"}), "segment", "event_name") == "-"


def test_no_status_of_cloudfront_is_status_0() -> None:
    """Section 3.4."""
    line = CLOUDFRONT.format(status="000", size="1")
    assert value(line, "cloudfront", "status_code") == 0


@pytest.mark.parametrize("number", ["-5", "+5", "5.0", "5e1", "\u0665", "0x5", "five"])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("access", HEAD.removesuffix("5") + '{size} "-" "agent"'),
        ("s3", S3.replace("{status}", "200")),
    ],
)
def test_a_count_that_is_none_refuses_the_line(name: str, line: str, number: str) -> None:
    """Section 3.6: of the CLF family and S3 such a line has another shape."""
    (row,) = parsed(line.format(size=number), name).rejects
    assert row["reason"] == "no_match"


@pytest.mark.parametrize("number", ["-5", "+5", "5.0", "\u0665", "five"])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("clb", CLB.replace("{status}", "200")),
        ("cloudfront", CLOUDFRONT.replace("{status}", "200")),
    ],
)
def test_a_count_that_is_none_is_null_with_a_warning(name: str, line: str, number: str) -> None:
    """Section 3.6."""
    text = line.format(size=number)
    assert value(text, name, "response_bytes") is None
    assert codes(text, name) == "invalid_number"


@pytest.mark.parametrize(
    ("sent", "expected"), [(5, 5), ("5", 5), (5.0, None), (-5, None), (0.5, None), ("+5", None)]
)
def test_in_json_numbers_and_their_digits_are_equal(sent: object, expected: int | None) -> None:
    """Section 3.6."""
    line = json.dumps(NGINX | {"body_bytes_sent": sent})
    assert value(line, "nginx_json", "response_bytes") == expected
    assert ("invalid_number" in codes(line, "nginx_json")) is (expected is None)


def test_each_section_is_named_by_a_test(format_specification: str) -> None:
    """A rule that no test names is one that nobody can find the test of."""
    sections = re.findall(r"^#{2,3} (\d\.\d+)\b|^\|(\d\.\d+)\|", format_specification, re.MULTILINE)
    wanted = {f"4.{number}" for number in range(4, 15)}
    wanted |= {heading or row for heading, row in sections}
    named = {name for path in HERE.rglob("*.py") for name in _named_in(path.read_text("utf-8"))}
    assert len(wanted) > 40
    assert wanted - named == set()


def _named_in(text: str) -> set[str]:
    """Return the sections that `text` names: in a sentence, in brackets, in a comment."""
    spans = re.findall(r"\b(\d)\.(\d+) to \1\.(\d+)\b", text)
    between = {f"{a}.{n}" for a, low, high in spans for n in range(int(low), int(high) + 1)}
    lists = re.findall(r"(?:[Ss]ections? |\(|# |\"\"\")((?:\d\.\d+(?:, and |, | and )?)+)", text)
    return between | {name for found in lists for name in re.findall(r"\d\.\d+", found)}
