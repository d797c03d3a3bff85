"""Proposals for a log format from sample lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.cli.preview import guessed
from ingest.errors import ClickstreamError, ObjectUnreadable
from ingest.parse.layout.guess import guess

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
        ("[2024-03-03T07:08:09Z] 7", "[$time_iso8601] $body_bytes_sent"),
        ('"192.0.2.1, 10.0.0.1" "-"', '"$http_x_forwarded_for" "$field_2"'),
        (f"{'0a' * 16} 200 201", "$request_id $status $body_bytes_sent"),
        (r'"a \" b/c" x', '"$http_user_agent" $field_2'),
        ("200 [open", "$status $field_2"),
    ],
)
def test_other_fields(line: str, string: str) -> None:
    assert guess([line]) == (string, 1)


@pytest.mark.parametrize("lines", [[], [" "], ["some text", "more text"]])
def test_lines_of_which_nothing_is_known_have_no_format(lines: list[str]) -> None:
    assert guess(lines) is None


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"level":"info"}\n', "jsonl"),
        (b"#Version: 1.0\n#Fields: date time\n2024-05-06\t07:08:09\n", "cloudfront"),
    ],
)
def test_a_format_that_no_string_describes_is_named(
    content: bytes, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(content)
    with pytest.raises(ClickstreamError, match=f"its lines look like the format {name};"):
        guessed(path)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("\n".join([*LINES, "cut"]))
    string, _, *_, counted = guessed(path).splitlines()
    assert (string, counted.partition(";")[0]) == (PROPOSED, "2 of 2 lines fit")
    path.write_text("")
    with pytest.raises(ClickstreamError, match="no common layout"):
        guessed(path)
    with pytest.raises(ObjectUnreadable, match="cannot be read"):
        guessed(tmp_path / "none")
