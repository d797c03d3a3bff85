"""`schematic-csv`: the worked examples, the header, each verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fixtures.outcome import CSV_HEADER, SCHEMATIC, SETTINGS, read, record

ROW = (
    "addtocart,412,Tripod,0,Successfull,0,1,Orion,Click Here,tee,192.0.2.61,est-90,,1,"
    "fx-ab-g02,1234,200,-,sd1sl1ff1adff77,,http://shop.example/product.screen"
)
QUOTED = (
    'View,77,"Lens, wide",0,Error,0,1,Orion,Click Here,,192.0.2.62,est-91,,1,fx-ab-g03,300,505,-,'
    "sd2sl2ff2adff78,,http://shop.example"
)
SHORT = "Action,SessionID,ClientIP,Rstat,TimeStamp"


def short(fields: str, *, header: str = SHORT) -> dict[str, Any]:
    return record(fields, header=header)


def reasons(data: str) -> list[str]:
    return [row["reason"] for row in read(data.encode(), settings=SCHEMATIC).rejects]


def test_example_row() -> None:
    assert record(ROW) == {
        "event_date": date(2024, 6, 1),
        "source_offset": 190 - 3,
        "source_line": 2,
        "parse_status": "warn",
        "parse_warnings": "no_timestamp",
        "event_type": "addtocart",
        "event_name": "addtocart",
        "client_ip": "192.0.2.61",
        "client_address": "192.0.2.61",
        "session_id": "sd1sl1ff1adff77",
        "status_code": 200,
        "response_bytes": 1234,
        "bytes_scope": "body",
        "duration_other": 412,
        "referrer": "http://shop.example/product.screen",
        "referrer_domain": "shop.example",
        "item_id": "est-90",
        "item_name": "Tripod",
        "product_id": "fx-ab-g02",
        "brand": "Orion",
        "category": "tee",
        "purchase_count": 0,
        "view_count": 1,
        "extra": '{"response_text":"Successfull"}',
    }


def test_example_quoted_row() -> None:
    row = record(QUOTED)
    assert row["parse_warnings"] == "no_timestamp"
    assert (row["event_name"], row["event_type"]) == ("View", "view")
    assert (row["item_name"], row["status_code"]) == ("Lens, wide", 505)
    assert "category" not in row
    assert row["referrer_domain"] == "shop.example"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("View,s,192.0.2.1,200,", {"parse_warnings": "no_timestamp"}),
        ("Login,s,192.0.2.1,200,2024-05-06T07:08:09Z", {"event_type": "other"}),
        (
            "View,s,192.0.2.1,200,06/May/2024:07:08:09 +0200",
            {"event_time": datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC), "parse_status": "ok"},
        ),
        (
            "View,s,192.0.2.1,200,1714979289",
            {"event_time": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)},
        ),
        ("View,s,192.0.2.1,200,2024-05-06 07:08:09", {"parse_warnings": "no_timezone"}),
        ("View,s,192.0.2.1,200,2024-06-02 12:00:01Z", {"parse_warnings": "future_timestamp"}),
        ("View,s,192.0.2.1,200,1994-12-31 23:59:59Z", {"parse_warnings": "stale_timestamp"}),
        ("View,s,192.0.2.1,200,2016-12-31 23:59:60Z", {"parse_warnings": "leap_second"}),
        ("View,s,192.0.2.300,200,0", {"parse_warnings": "invalid_client_ip,stale_timestamp"}),
        ("View,s,192.0.2.1,20,", {"parse_warnings": "invalid_status,no_timestamp"}),
        ("View,s,192.0.2.1,700,", {"parse_warnings": "invalid_status,no_timestamp"}),
        ("View,s,192.0.2.1", {"parse_warnings": "missing_fields,no_timestamp"}),
        (
            "View,s,192.0.2.1,200,,x,,y",
            {
                "parse_warnings": "extra_fields,no_timestamp",
                "extra": '{"extra_fields":["x","","y"]}',
            },
        ),
        ('View,"s"x,192.0.2.1,200,', {"parse_warnings": "no_timestamp,unterminated_quote"}),
        ("View,s\0,192.0.2.1,200,", {"parse_warnings": "no_timestamp,nul_byte"}),
        ("View,s\x01,192.0.2.1,200,", {"parse_warnings": "control_char,no_timestamp"}),
        ("View," + "s" * 257 + ",,,", {"parse_warnings": "no_timestamp,truncated_field"}),
        ("-,-,-,-,-", {"event_type": "other", "parse_warnings": "no_timestamp"}),
        (
            'View,s,"10.0.0.1, 198.51.100.2",,',
            {"client_ip": "198.51.100.2", "forwarded_for": "10.0.0.1, 198.51.100.2"},
        ),
        ('View,"a\r\nb",,,', {"session_id": "a\nb", "parse_warnings": "no_timestamp"}),
        ('View,"a""b",,,', {"session_id": 'a"b'}),
        ('View,a"b",,,', {"session_id": 'a"b"'}),
        ('View, "a",,,', {"session_id": ' "a"'}),
    ],
)
def test_fields(fields: str, expected: dict[str, Any]) -> None:
    row = short(fields)
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Bytes", "9223372036854775807", {"duration_other": 2**63 - 1}),
        ("Bytes", "9223372036854775808", {"parse_warnings": "bytes_overflow,no_timestamp"}),
        ("Rbytes", "0" * 30 + "7", {"response_bytes": 7}),
        ("Rbytes", "9" * 5000, {"parse_warnings": "bytes_overflow,no_timestamp"}),
        ("Rbytes", "-7", {"parse_warnings": "invalid_number,no_timestamp"}),
        ("Rbytes", "7.5", {"parse_warnings": "invalid_number,no_timestamp"}),
        ("Rbytes", "\u0667", {"parse_warnings": "invalid_number,no_timestamp"}),
        ("# Of Purchases", "2147483648", {"parse_warnings": "invalid_number,no_timestamp"}),
        ("# Of Views", "1", {"view_count": 1}),
        ("ServerIp", "192.0.2.9", {"extra": '{"server_ip":"192.0.2.9"}'}),
        ("Clickhere", "Click Here", {"extra": None}),
        ("Clickhere", "Buy", {"extra": '{"clickhere":"Buy"}'}),
        ("Msg", "hello", {"extra": '{"msg":"hello"}'}),
        ("Number of Records", "2", {"extra": '{"number_of_records":"2"}'}),
        ("Number of Records", "1", {"extra": None}),
        ("Pct_Purchase", "0", {"extra": '{"pct_purchase":"0"}'}),
        ("Some-Thing else", "x", {"extra": '{"some_thing_else":"x"}'}),
        ("", "x", {"extra": '{"column_4":"x"}'}),
        ("action", "second", {"extra": '{"action":"second"}', "event_name": "View"}),
    ],
)
def test_columns(header: str, value: str, expected: dict[str, Any]) -> None:
    row = short(f"View,s,192.0.2.1,{value}", header=f"Action,SessionID,ClientIP,{header}")
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(("share", "kept"), [("100", None), ("0", '{"pct_purchase":"0"}')])
def test_the_share_is_kept_only_where_it_is_not_100_times_the_purchases(
    share: str, kept: str | None
) -> None:
    header = "Action,SessionID,ClientIP,Pct_Purchase,# Of Purchases"
    row = short(f"purchase,s,192.0.2.1,{share},1", header=header)
    assert row.get("extra") == kept


def test_invalid_utf8() -> None:
    data = SHORT.encode() + b"\nView,s\xff,192.0.2.1,200,\n"
    (row,) = read(data, settings=SCHEMATIC).events
    assert (row["session_id"], row["parse_warnings"]) == ("s\ufffd", "invalid_utf8,no_timestamp")


def test_header_names_are_trimmed_and_compared_without_case_in_any_order() -> None:
    header = ' clientip,"SESSIONID"\t,aCtIoN '
    assert read(f"{header}\n".encode(), settings=SCHEMATIC).verdict.lines_skip == 1
    row = short("192.0.2.1,s,View", header="clientip , SESSIONID,\taCtIoN ")
    assert (row["event_name"], row["session_id"], row["client_ip"]) == ("View", "s", "192.0.2.1")


def test_a_repeated_header_is_skipped() -> None:
    outcome = read(f"{SHORT}\nView,s,,,\n{SHORT}\nView,t,,,\n".encode(), settings=SCHEMATIC)
    assert outcome.lines == {"ok": 0, "warn": 2, "skip": 2, "reject": 0}
    assert dict(outcome.verdict.counts) == {"header": 2, "no_timestamp": 2}
    assert [(row["source_line"], row["reason"]) for row in outcome.skips] == [
        (1, "header"),
        (3, "header"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        "View,s,192.0.2.1\n",
        "Action,SessionID\nView,s\n",
        '\n\n"Action,SessionID,ClientIP\n',
    ],
)
def test_missing_header(data: str) -> None:
    verdict = read(data.encode(), settings=SCHEMATIC).verdict
    assert (verdict.file_status, verdict.file_reason) == ("rejected", "missing_header")
    assert (verdict.lines_read, verdict.events, dict(verdict.counts)) == (0, 0, {})


def test_missing_header_under_auto() -> None:
    data = CSV_HEADER.replace("SessionID", "Session") + "\n" + ROW + "\n"
    assert read(data.encode()).verdict.file_reason == "missing_header"


def test_an_over_long_first_line_is_not_a_header() -> None:
    settings = replace(SCHEMATIC, max_line_bytes=20)
    assert read(f"{SHORT}\nx\n".encode(), settings=settings).verdict.file_reason == "missing_header"


def test_wrong_field_count_below_half() -> None:
    assert reasons(f"{SHORT}\nView,s\n") == ["wrong_field_count"]
    assert reasons(f"{SHORT}\nView,s,192.0.2.1\n") == []
    assert reasons("Action,SessionID,ClientIP,Rstat\nView,s\n") == []


def test_bad_timestamp() -> None:
    assert reasons(f"{SHORT}\nView,s,,,31/Feb/2024:00:00:00\n") == ["bad_timestamp"]


def test_bad_csv_rejects_the_first_physical_line_only() -> None:
    outcome = read(f'{SHORT}\r\nView,"s,,,\r\nView,t,,,\r\n'.encode(), settings=SCHEMATIC)
    (reject,) = outcome.rejects
    assert (reject["reason"], reject["source_line"], reject["raw_text"]) == (
        "bad_csv",
        2,
        'View,"s,,,',
    )
    assert [(row["session_id"], row["source_line"]) for row in outcome.events] == [("t", 3)]


def test_a_multi_line_record_counts_once_and_keeps_its_raw_bytes() -> None:
    outcome = read(f'{SHORT}\r\n"a\r\nb\n",c\r\nView,t,,,\r\n'.encode(), settings=SCHEMATIC)
    (reject,) = outcome.rejects
    assert (reject["reason"], reject["raw_text"]) == ("wrong_field_count", '"a\r\nb\n",c')
    assert (reject["source_offset"], reject["source_line"]) == (43, 2)
    assert [(row["source_offset"], row["source_line"]) for row in outcome.events] == [(54, 3)]


def test_an_over_long_line() -> None:
    settings = replace(SCHEMATIC, max_line_bytes=60)
    data = f'{SHORT}\nView,"s\n{"x" * 61}\nView,t,,,\n'
    outcome = read(data.encode(), settings=settings)
    assert [(row["reason"], row["source_line"]) for row in outcome.rejects] == [
        ("bad_csv", 2),
        ("line_too_long", 3),
    ]
    assert [row["source_line"] for row in outcome.events] == [4]


def test_blank_lines_before_and_between() -> None:
    outcome = read(f"\n \t\n{SHORT}\n\nView,s,,,\n".encode(), settings=SCHEMATIC)
    assert dict(outcome.verdict.counts) == {"blank": 3, "header": 1, "no_timestamp": 1}
    assert [row["source_line"] for row in outcome.events] == [5]


def test_a_hash_is_not_a_comment_here() -> None:
    header = "# Of Purchases,Action,SessionID,ClientIP,Brand,ItemID"
    outcome = read(f"{header}\n1,View,s,192.0.2.1,b,i\n".encode(), settings=SETTINGS)
    assert outcome.verdict.source_format == "schematic-csv"
    assert outcome.lines == {"ok": 0, "warn": 1, "skip": 1, "reject": 0}


def test_bom_and_offsets() -> None:
    data = b"\xef\xbb\xbf" + f"{SHORT}\r\nView,s,,,\r\n".encode()
    outcome = read(data)
    assert [row["source_offset"] for row in outcome.skips] == [0]
    assert [row["source_offset"] for row in outcome.events] == [3 + len(SHORT) + 2]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Tripod,", "Tripod, wide,"),
        ("Orion,", "Orion,Ltd,"),
        (",1,fx", "1,fx"),
        ("192.0.2.61,", "192.0.2.61"),
        (ROW, '{"a":1,"ip":"192.0.2.1"' + ',"b":[1,2,3]' * 5 + "}"),
    ],
)
def test_columns_that_a_comma_shifts_are_not_read(old: str, new: str) -> None:
    """7: a client as item_id, or a size as status, would be a plausible wrong value."""
    outcome = read(f"{CSV_HEADER}\n{ROW}\n{ROW.replace(old, new)}\n".encode(), settings=SCHEMATIC)
    assert (len(outcome.events), outcome.rejects[0]["reason"]) == (1, "no_match")


def test_a_comma_in_the_last_column_shifts_none() -> None:
    """4.1: more columns than the header."""
    row = record(f"{ROW},x")
    assert (row["parse_warnings"], row["status_code"]) == ("extra_fields,no_timestamp", 200)
