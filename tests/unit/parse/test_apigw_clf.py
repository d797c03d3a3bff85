"""`apigw_clf`, line by line: section 4.11 of the format specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import event, reason

ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
LINE = (
    "203.0.113.9 AIDA.CALLER ann [02/May/2024:10:11:12 +0000]"
    f' "GET /pets/7?utm_source=mail HTTP/1.1" 200 512 {ID}'
)


def apigw(text: str) -> dict[str, Any]:
    return event(text, format="apigw_clf")


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.get("extra", "{}"))
    return found


def test_every_field_is_placed() -> None:
    """4.11: caller as ident, a trailing token as native_id."""
    row = apigw(LINE)
    assert row["event_time"].isoformat() == "2024-05-02T10:11:12+00:00"
    told = {
        "client_ip": "203.0.113.9", "user_name": "ann", "native_id": ID, "status_code": 200,
        "http_method": "GET", "http_version": "1.1", "url_path": "/pets/7",
        "url_query": "utm_source=mail", "campaign_source": "mail", "response_bytes": 512,
        "bytes_scope": "body", "event_type": "request", "parse_status": "ok",
    }  # fmt: skip
    assert {column: row.get(column) for column in told} == told
    assert extra(row) == {"ident": "AIDA.CALLER"}


def test_the_example_of_aws_has_no_space_behind_the_time() -> None:
    """4.11."""
    assert apigw(LINE.replace('] "', ']"')) == apigw(LINE)


@pytest.mark.parametrize(
    ("ids", "native", "tail"),
    [("", None, None), ("-", None, None), ("17", "17", None), ("a b= c", "a", "b= c")],
)
def test_trailing_tokens(ids: str, native: str | None, tail: str | None) -> None:
    """4.11: the first is the id; an extended id has no column."""
    row = apigw(LINE.replace(ID, ids))
    assert (row.get("native_id"), extra(row).get("tail")) == (native, tail)
    assert row["parse_status"] == "ok"


def test_nobody_is_known() -> None:
    """3.4."""
    row = apigw(LINE.replace("AIDA.CALLER ann", "- -").replace("512", "-"))
    assert (row.get("user_name"), row.get("response_bytes"), extra(row)) == (None, None, {})


def test_the_time_that_cloudwatch_adds() -> None:
    """7.1."""
    row = apigw(f"2024-05-02T10:11:13.000Z {LINE}")
    assert extra(row)["relay"] == "2024-05-02T10:11:13.000Z"
    assert (row["client_ip"], row["native_id"]) == ("203.0.113.9", ID)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "blank"),
        ("# x", "comment"),
        ("x", "no_match"),
        (LINE.replace("ann ", ""), "no_match"),
        (LINE.replace("AIDA.CALLER ann ", ""), "no_match"),
        (LINE.replace(ID, '"-" "agent"'), "no_match"),
        (LINE.replace(" 200 512", ""), "no_match"),
        (LINE.replace("02/May", "31/Feb"), "bad_timestamp"),
    ],
)
def test_other_lines(text: str, why: str) -> None:
    """1.1, 1.3 and 3.10."""
    assert reason(f"{text}\n", format="apigw_clf") == why


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("GET /pets/7?utm_source=mail HTTP/1.1", "-", "bad_request_line"),
        ("203.0.113.9", "203.0.113.300", "invalid_client_ip"),
        (" +0000", "", "no_timezone"),
        (" 200 ", " 700 ", "invalid_status"),
        ("512", "9" * 30, "bytes_overflow"),
    ],
)
def test_warnings(old: str, new: str, code: str) -> None:
    """1.2."""
    assert apigw(LINE.replace(old, new))["parse_warnings"] == code
