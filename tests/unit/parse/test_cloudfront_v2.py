"""CloudFront's log v2 and its real-time log: sections 4.7 and 4.8 of the format specification."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.outcome import event, reason, warnings
from support.cloudfront_lines import FULL, RT, V2, extra, lines, rt, tabbed

from ingest.errors import SettingsError
from ingest.settings import ParseSettings


def test_v2_takes_any_subset_in_any_order() -> None:
    """4.7: `timestamp(ms)` comes before date and time."""
    (row,) = lines(
        "#Fields: asn timestamp(ms) c-ip date time c-country\n"
        "64500\t1714979289123\t192.0.2.44\t2024-05-06\t07:08:09\tDE\n",
        V2,
    ).events
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    assert (row["parse_status"], extra(row)) == ("ok", {"asn": "64500", "c_country": "DE"})


def test_of_two_epochs_the_one_in_milliseconds_counts() -> None:
    """4.7."""
    (row,) = lines("#Fields: timestamp timestamp(ms)\n1714979289\t1714979289123\n", V2).events
    assert row["event_time"].microsecond == 123_000


def test_v2_without_timestamp_in_milliseconds_has_date_and_time() -> None:
    """4.7."""
    text = "#Fields: timestamp(ms) date time\n-\t2024-05-06\t07:08:09\n"
    (row,) = lines(text, V2).events
    assert (row["parse_status"], row["event_time"].second) == ("ok", 9)


def test_v2_plain() -> None:
    """4.7: `fields` and `delimiter`, by default those of the standard log."""
    assert event(tabbed(*FULL), format="cloudfront_v2")["status_code"] == 201
    changes = {"format": "cloudfront_v2", "fields": ("c-ip", "Time", "date"), "delimiter": "|"}
    row = event("192.0.2.1|07:08:09|2024-05-06", **changes)
    assert (row["client_ip"], row["event_time"].day) == ("192.0.2.1", 6)
    assert reason("192.0.2.1\t07:08:09\t2024-05-06", **changes) == "no_match"
    assert warnings("192.0.2.1|07:08:09", **changes) == ["missing_fields", "no_timestamp"]
    assert warnings("192.0.2.1|07:08:09|2024-05-06|x", **changes) == ["extra_fields"]


def test_v2_plain_with_a_delimiter_inside_a_text_is_not_read() -> None:
    """7: a surplus of columns behind which a number is none shows a shift."""
    fields = ("timestamp(ms)", "cs(User-Agent)", "sc-status")
    changes = {"format": "cloudfront_v2", "fields": fields, "delimiter": ","}
    assert reason("1714979289123,a (KHTML, like b),200", **changes) == "no_match"
    assert warnings("1714979289123,a,200,x", **changes) == ["extra_fields"]


@pytest.mark.parametrize("format_name", ["cloudfront_v2", "jsonl", "auto"])
def test_worked_example_of_v2_as_json(format_name: str) -> None:
    """The example of `cloudfront_v2` in section 6, and 4.3: `jsonl` chooses it."""
    line = (
        '{"timestamp(ms)":"1714979289123","c-ip":"192.0.2.44","cs-uri-stem":"/v2",'
        '"sc-status":"000","asn":"64500"}'
    )
    (row,) = lines(line, ParseSettings(format=format_name)).events
    assert (row["parse_status"], row["source_format"]) == ("ok", "cloudfront_v2")
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    assert (row["status_code"], row["url_path"]) == (0, "/v2")
    assert (row["client_ip"], extra(row)) == ("192.0.2.44", {"asn": "64500"})


def test_v2_as_json_has_the_rules_of_text() -> None:
    """4.7: names without case, decoding, null texts; what is not a text stays as it is."""
    row = event(
        '{"Date":"2024-05-06","time":"07:08:09","CS-uri-stem":"-","cs(User-Agent)":"a%2520b",'
        '"sc-status":404,"c-country":"DE","x":{"y":1},"SC-Status":"500"}',
        format="cloudfront_v2",
    )
    assert row["parse_warnings"] == "bad_request_line"
    assert (row["status_code"], row["user_agent"]) == (404, "a b")
    assert extra(row) == {"c_country": "DE", "x": {"y": 1}, "SC-Status": "500"}
    bad = '{"timestamp(ms)":"soon","sc-status":"200"}'
    assert reason(bad, format="cloudfront_v2") == "bad_timestamp"
    assert reason('{"a":1}', format="cloudfront_v2") == "no_match"


def test_worked_example_of_the_real_time_log() -> None:
    """The example of `cloudfront_rt` in section 6."""
    row = rt("1714979289.123\t192.0.2.45\t200\t/rt?x=1", "timestamp c-ip sc-status cs-uri-stem")
    assert row["parse_status"] == "ok"
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    assert (row["url_path"], row["url_query"]) == ("/rt", "x=1")


def test_real_time_columns_are_in_the_order_of_cloudfront() -> None:
    """4.8: whatever the order of the setting; an unknown name makes that the order."""
    line = "1714979289\t192.0.2.45\t201\twww.example"
    row = rt(line, "CS-Host sc-status c-ip timestamp")
    assert (row["status_code"], row["server_name"]) == (201, "www.example")
    row = rt("192.0.2.45\t201\tx", "c-ip sc-status new-field")
    assert (row["status_code"], extra(row)) == (201, {"new_field": "x"})


@pytest.mark.parametrize(
    ("stem", "query", "path", "found", "more"),
    [
        ("/a%3Fb?c=%2520", "-", "/a?b", "c=%20", {}),
        ("/a", "c=1", "/a", "c=1", {}),
        ("/a?", "c=1", "/a", "c=1", {}),
        ("/a?c=1", "c=1", "/a", "c=1", {}),
        ("/a?c=1", "d=2", "/a", "c=1", {"cs_uri_query": "d=2"}),
        ("/a", "-", "/a", None, {}),
    ],
)
def test_a_real_time_stem_has_its_query(
    stem: str, query: str, path: str, found: str | None, more: dict[str, str]
) -> None:
    """4.8: the query of the stem comes first; it is cut before it is decoded."""
    row = rt(tabbed("1714979289", stem, query), "timestamp cs-uri-stem cs-uri-query")
    assert (row["url_path"], row.get("url_query"), extra(row)) == (path, found, more)


def test_real_time_names_are_those_of_the_standard_log() -> None:
    """4.8."""
    row = rt(
        "1714979289.5\ta%2520b\thttps://a.example/\tJSESSIONID=s",
        "timestamp cs-user-agent cs-referer cs-cookie",
    )
    assert (row["user_agent"], row["referrer_domain"]) == ("a b", "a.example")
    assert (row["session_id"], row["cookie"]) == ("s", "JSESSIONID=s")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1714979289", "no_match"),
        ("x\t192.0.2.1\t200", "no_match"),
        ("99999999999999\t192.0.2.1\t200", "bad_timestamp"),
        ("# 1714979289\t192.0.2.1\t200", "comment"),
    ],
)
def test_other_real_time_lines(line: str, expected: str) -> None:
    """1.3 and 4.8."""
    changes: dict[str, Any] = {"fields": ("timestamp", "c-ip", "sc-status")}
    assert reason(line, format="cloudfront_rt", **changes) == expected


def test_real_time_columns_too_few_or_too_many() -> None:
    """4.8."""
    fields = "timestamp c-ip sc-status"
    assert rt("1714979289\t192.0.2.1", fields)["parse_warnings"] == "missing_fields"
    assert rt("1714979289\t192.0.2.1\t200\t", fields)["parse_warnings"] == "extra_fields"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (RT, "cloudfront_rt needs `fields`"),
        (ParseSettings(format="cloudfront_rt", fields=("asn", "ASN")), "fields names 'asn' more"),
        (ParseSettings(format="cloudfront_v2", fields=("asn", "asn")), "fields names 'asn' more"),
        (ParseSettings(format="cloudfront", fields=("asn",)), "fields needs a format that reads"),
        (ParseSettings(format="cloudfront_rt", fields=("asn,c-ip",)), "'asn,c-ip': a name has"),
        *(
            (ParseSettings(format="cloudfront_v2", delimiter=text), "has to be one character")
            for text in (", ", "\n", "\r", '"', "#", "\0")
        ),
    ],
)
def test_settings_that_do_not_fit(settings: ParseSettings, problem: str) -> None:
    """4.7 and 4.8: an error at the start, not a reject for each line."""
    with pytest.raises(SettingsError, match=problem):
        lines("x", settings)


def test_an_epoch_is_in_the_unit_of_its_field() -> None:
    """3.5: a format that names its unit does not guess."""
    (row,) = lines("#Fields: timestamp(ms) c-ip\n1714979289\t192.0.2.1\n", V2).events
    assert row["event_time"].isoformat() == "1970-01-20T20:22:59.289000+00:00"
    assert reason("1714979289123\t1", format="cloudfront_rt", fields=("timestamp", "c-ip")) == (
        "bad_timestamp"
    )
