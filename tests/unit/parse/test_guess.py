"""Proposals for a log format from sample lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.outcome import read

from ingest.cli.preview import guessed
from ingest.errors import ClickstreamError, ObjectUnreadable
from ingest.parse.layout.guess import guess
from ingest.settings import ParseSettings

LINE = '192.0.2.1 - {} [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 {} "{}" "Mozilla/5.0" {}'
LINES = [
    LINE.format("-", 5, "-", "0.012 - web"),
    LINE.format("ann", 71, "https://a.example/", "1.250 0.100 web"),
]
PROPOSED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time $upstream_response_time $field_12'
)


def test_fields_are_named_by_what_is_in_all_lines() -> None:
    assert guess(LINES) == (PROPOSED, 2)


def test_lines_of_another_layout_are_counted() -> None:
    assert guess([*LINES, "an odd line", " "]) == (PROPOSED, 2)


@pytest.mark.parametrize(
    ("line", "string"),
    [
        ("1709449689.000 200", "$msec $status"),
        ("2024-03-03T07:08:09Z 192.0.2.1", "$time_iso8601 $remote_addr"),
        ("[2024-03-03T07:08:09Z] 7 200 7", "[$time_iso8601] $field_2 $status $body_bytes_sent"),
        ('200 7 "-" "a/b"', '$status $body_bytes_sent "$http_referer" "$http_user_agent"'),
        (
            'rt=0.012 uct="-" uht="0.001, 0.002" urt="0.1 : 0.2" us=200 "10.0.0.1:80"',
            'rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time"'
            ' urt="$upstream_response_time" us=$upstream_status "$upstream_addr"',
        ),
        ("192.0.2.1 10.0.0.1:80 rt=x", "$remote_addr $upstream_addr rt=$field_3"),
        (
            "2024-03-03T07:08:09Z\t192.0.2.1\tx\t200\tMozilla/5.0 (X11)",
            r"$time_iso8601\t$remote_addr\t$field_3\t$status\t$http_user_agent",
        ),
        ('"192.0.2.1, 10.0.0.1" "-"', '"$http_x_forwarded_for" "$field_2"'),
        (f"{'0a' * 16} 200 201", "$request_id $status $body_bytes_sent"),
        (r'"a \" b/c" x', '"$http_user_agent" $field_2'),
        ("200 [open", "$status $field_2"),
    ],
)
def test_other_fields(line: str, string: str) -> None:
    assert guess([line]) == (string, 1)


def test_a_format_that_no_string_describes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"#Version: 1.0\n#Fields: date time\n2024-05-06\t07:08:09\n")
    with pytest.raises(ClickstreamError, match="its lines look like the format cloudfront;"):
        guessed(path)


@pytest.mark.parametrize(
    "lines", [[], [" "], ["some text", "more text"], ["\ufffd\x01"], ["a\tb"], [""]]
)
def test_lines_of_which_nothing_is_known_have_no_format(lines: list[str]) -> None:
    assert guess(lines) is None


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("\n".join([*LINES, "cut"]))
    string, _, *_, counted = guessed(path).splitlines()
    assert (string, counted.partition(";")[0]) == (PROPOSED, "2 of 2 lines fit")
    for text, told in [("", "has no lines"), ("a b\n", "no common layout"), ('{"a": 1}', "JSON")]:
        path.write_text(text)
        with pytest.raises(ClickstreamError, match=told):
            guessed(path)
    with pytest.raises(ObjectUnreadable, match="cannot be read"):
        guessed(tmp_path / "none")


HAPROXY = (
    "Feb  6 12:14:14 lb haproxy[14389]: 192.0.2.1:33317 [06/Feb/2024:12:14:14.655] web app/{}"
    ' {} {} 2750 - - ---- 1/1/1/1/0 0/0 {{shop.example|Mozilla/5.0 (X11)}} {{}} "GET /a HTTP/1.1"'
)


def test_the_log_of_haproxy_has_names_that_the_parser_knows() -> None:
    lines = [HAPROXY.format("s1", "10/0/30/69/109", 200), HAPROXY.format("-", "-1/-1/-1/-1/9", -1)]
    found = guess(lines)
    assert found is not None
    assert found.string == (
        "$remote_addr [$time_local] $frontend $backend/$server"
        " $receive_ms/$queue_ms/$connect_ms/$response_ms/$request_time_ms $status $bytes_sent"
        " $captured_request_cookie $captured_response_cookie $termination_state"
        " $actconn/$feconn/$beconn/$srv_conn/$retries $srv_queue/$backend_queue"
        ' {$field_13} {$field_14} "$request"'
    )
    assert found.fitting == 2
    (event,) = read(lines[0].encode(), settings=ParseSettings(log_format=found.string)).events
    assert (event["client_ip"], event["duration_ms"], event["status_code"]) == (
        "192.0.2.1",
        109,
        200,
    )
    assert (event["response_bytes"], event["bytes_scope"]) == (2750, "total")
    assert event["event_time"].isoformat() == "2024-02-06T12:14:14.655000+00:00"


def test_a_line_that_only_looks_like_one_of_haproxy_is_read_by_the_other_rules() -> None:
    found = guess([HAPROXY.format("s1", "10/0/30/109", 200)])
    assert found is not None
    assert "$frontend" not in found.string
    assert found.string.startswith("$remote_addr [$time_local] $field_3")
