"""Log formats that write JSON, escape=json: section 4.3 of the format specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import read

from ingest.errors import SettingsError
from ingest.parse.registry import check_settings
from ingest.settings import ParseSettings

STRING = (
    '{"t":"$msec","ip":"$remote_addr","r":"$request","s":$status,"b":"${body_bytes_sent}",'
    '"took":"$request_time","up":{"took":"$upstream_response_time"},"pipe":"$pipe","p":"$pid",'
    '"auth":"$http_authorization","page":"$scheme://$host"}'
)
SENT: dict[str, Any] = {
    "t": "1714979289.123", "ip": "192.0.2.14", "r": "GET /a?b=1 HTTP/1.1", "s": 404, "b": "7",
    "took": "0.012", "up": {"took": "0.1, - : 0.4"}, "pipe": 1, "p": "7", "auth": "secret",
    "page": "https://a.example",
}  # fmt: skip


def own(string: str = STRING, name: str = "nginx_json") -> ParseSettings:
    return ParseSettings(format=name, log_format=string)


def row_of(sent: dict[str, Any], string: str = STRING, **more: str) -> dict[str, Any]:
    (row,) = read(json.dumps(sent).encode(), settings=own(string, **more)).events
    return row


def test_each_key_goes_where_its_variable_does() -> None:
    row = row_of(SENT)
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    names = ("client_ip", "url_path", "status_code", "response_bytes", "duration_ms")
    assert [row[name] for name in names] == ["192.0.2.14", "/a", 404, 7, 12.0]
    assert json.loads(row["extra"]) == {
        "target_duration_ms": 500.0,
        "header_authorization": "secret",  # a key that documents leave out
        "page": "https://a.example",
        "pid": "7",
        "pipe": 1,  # its own type is kept
    }


def test_bytes_have_a_scope_where_they_are_logged() -> None:
    """Column 32 of section 2.2: null in a format without bytes."""
    string = '{"t": "$msec", "ip": "$remote_addr", "r": "$request"}'
    assert row_of(SENT)["bytes_scope"] == "body"
    assert "bytes_scope" not in row_of({name: SENT[name] for name in ("t", "ip", "r")}, string)


@pytest.mark.parametrize("name", ["nginx_json", "shop", "auto"])
def test_the_name_of_the_format(name: str) -> None:
    assert row_of(SENT, name=name)["source_format"] == (name if name != "auto" else "log_format")


@pytest.mark.parametrize("key", ["t", "ip", "r"])
def test_an_object_without_time_client_or_request_is_of_another_format(key: str) -> None:
    sent = {name: value for name, value in SENT.items() if name != key}
    (row,) = read(json.dumps(sent).encode(), settings=own()).rejects
    assert row["reason"] == "no_match"


def test_of_several_variables_for_one_column_the_one_of_lower_rank_counts() -> None:
    row = row_of({"b": "b.example", "a": "a.example"}, '{"b":"$server_name","a":"$host"}')
    assert (row["server_name"], json.loads(row["extra"])) == ("a.example", {"b": "b.example"})


@pytest.mark.parametrize(
    ("string", "problem", "column"),
    [
        ('{"a":$status,"b":$host,}', "this is not valid JSON", 23),
        ('{"a":"b"}', "has no nginx $variable as a value", 0),
    ],
)
@pytest.mark.parametrize("name", ["nginx_json", "shop"])
def test_bad_strings_are_pointed_at(name: str, string: str, problem: str, column: int) -> None:
    with pytest.raises(SettingsError) as caught:
        check_settings(own(string, name))
    assert str(caught.value) == f"log_format: {problem}\n  {string}\n  {' ' * column}^"


def test_nginx_json_refuses_a_string_that_is_not_json() -> None:
    with pytest.raises(SettingsError, match="nginx_json needs a log_format that writes JSON"):
        check_settings(own("$remote_addr $status"))
    check_settings(ParseSettings(format="nginx_json"))


@pytest.mark.parametrize("name", ["view_count", "event_id", "client", "tail", "status_code"])
def test_a_variable_named_like_something_of_ours_does_not_fill_it(name: str) -> None:
    """4.2, any other `$name`: a custom variable must not become a plausible wrong value."""
    (row,) = read(b"x 200", settings=own(f"${name} $status", "shop")).events
    assert json.loads(row["extra"]) == {f"nginx_{name}": "x"}
    assert row["status_code"] == 200


@pytest.mark.parametrize("more", ["", ',"m":"$request_method","q":"$args"'])
def test_a_log_without_requests_has_no_bad_ones(more: str) -> None:
    """As of a string that writes no JSON."""
    row = row_of(SENT | {"m": "GET", "q": "a=1"}, f'{{"t":"$msec","s":$status{more}}}')
    assert (row["parse_status"], row["status_code"]) == ("ok", 404)
    assert row.get("http_method") == ("GET" if more else None)
    assert json.loads(row["extra"])["args" if more else "q"] == "a=1"


def test_an_object_that_lacks_its_request_has_a_bad_one() -> None:
    string = '{"t":"$msec","m":"$request_method","u":"$uri"}'
    assert row_of(SENT | {"u": "-"}, string)["parse_warnings"] == "bad_request_line"
