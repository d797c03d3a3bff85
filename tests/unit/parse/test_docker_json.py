"""Docker's json-file log, issue 12: the line inside is read as any line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import ACCESS, LINE, read
from support.json_lines import encoded, reason_of, row_of

from ingest.settings import ParseSettings

DOCKER = ParseSettings(format="docker_json")
TIME = "2024-05-06T07:08:09.123456789Z"
JSON = '{"time":"2024-05-06T07:08:09Z","ip":"192.0.2.1","request":"GET /a HTTP/1.1","status":200}'


def wrapped(log: str = f"{LINE}\n", stream: str = "stdout", **more: Any) -> dict[str, Any]:
    return {"log": log, "stream": stream, "time": TIME, **more}


def reasons(*values: Any) -> list[str]:
    """Return `ok`, or why it is rejected, for each of some lines."""
    outcome = read(b"\n".join(map(encoded, values)), settings=DOCKER)
    verdicts = {row["source_offset"]: "ok" for row in outcome.events}
    verdicts |= {row["source_offset"]: row["reason"] for row in outcome.rejects}
    return [verdicts[offset] for offset in sorted(verdicts)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_access_line(end: str) -> None:
    row = row_of(wrapped(LINE + end, attrs={"tag": "web"}), DOCKER)
    assert row.pop("extra") == {"relay": f"{TIME} stdout", "attrs": {"tag": "web"}}
    alone = row_of(LINE.encode(), ACCESS)
    del alone["extra"]
    assert row == alone


def test_a_header_of_another_relay_inside() -> None:
    """Section 7.1."""
    row = row_of(wrapped(f"web-1  | {LINE}\n"), DOCKER)
    assert row["extra"] == {"relay": f"{TIME} stdout web-1  |"}


def test_a_json_line() -> None:
    row = row_of(wrapped(JSON + "\n"), DOCKER)
    assert (row["source_format"], row["url_path"], row["warnings"]) == ("nginx_json", "/a", [])
    assert row["extra"] == {"relay": f"{TIME} stdout"}
    row = row_of(wrapped(JSON.replace("{", '{"relay":1,') + "\n"), DOCKER)
    assert row["extra"] == {"relay": 1, "unplaced": {"relay": f"{TIME} stdout"}}


def test_an_array_inside_is_an_event_for_each_element() -> None:
    outcome = read(encoded(wrapped(f"[{JSON},{JSON}]\n")), settings=DOCKER)
    assert [json.loads(row["extra"])["relay"] for row in outcome.events] == [f"{TIME} stdout"] * 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "blank"),
        (wrapped("\n"), "blank"),
        (wrapped("# a comment\n"), "comment"),
        (wrapped("nonsense\n"), "no_match"),
        (wrapped('{"a":1}\n'), "no_match"),
        (wrapped('{"a":\n'), "bad_json"),
        (wrapped(f"{LINE}\n{LINE}\n"), "no_match"),
        (wrapped(LINE.replace("03/Mar", "31/Feb") + "\n"), "bad_timestamp"),
        ({"log": "a\n", "stream": "stdout"}, "no_match"),
        (wrapped(json.dumps(wrapped()) + "\n"), "no_match"),
        (LINE.encode(), "trailing_data"),
        ([wrapped()], "not_an_object"),
    ],
)
def test_lines_without_events(line: Any, reason: str) -> None:
    assert reason_of(line or b" ", DOCKER) == reason


def test_warnings_of_both_layers() -> None:
    """Section 1.2."""
    raw = encoded(wrapped(LINE.replace("agent", "a\x1bb\ud800") + "\n"))
    row = row_of(raw.replace(b'"stream"', b'"stream":"x","stream"'), DOCKER)
    assert row["warnings"] == ["control_char", "duplicate_key", "invalid_utf8"]
    assert row["user_agent"] == "a\x1bb\ufffd"


def test_no_piece_of_a_cut_line_is_read() -> None:
    """A client may have written into its URL what looks like a line of its own."""
    assert reasons(wrapped("192.0.2.1 - - ["), wrapped(LINE), wrapped(), wrapped()) == [
        "no_match",
        "no_match",
        "no_match",
        "ok",
    ]


def test_streams_are_cut_each_by_itself() -> None:
    assert reasons(wrapped("192.0.2.1 - - ["), wrapped(stream="stderr"), wrapped(), wrapped()) == [
        "no_match",
        "ok",
        "no_match",
        "ok",
    ]


def test_a_cut_line_is_remembered_where_reading_goes_on() -> None:
    first, rest = encoded(wrapped("192.0.2.1 - - [")) + b"\n", encoded(wrapped())
    outcome = read(first + rest, settings=DOCKER, resume=len(first))
    assert [row["reason"] for row in outcome.rejects] == ["no_match"]
