"""Section 7 of the format specification, rule by rule, with what tells each from a wrong value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fixtures.outcome import LINE, event, read, reason

from ingest.parse.registry import lookup
from ingest.settings import ParseSettings

NEVER = object()  # the column is null
BEHIND = '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5'
AT = datetime(2024, 3, 3, 7, 8, 9, tzinfo=UTC)


def before(prefix: str) -> str:
    """Return a line with `prefix` in front of its time."""
    return f'{prefix} [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5 "-" "agent"'


def at(time: str) -> str:
    return LINE.replace("03/Mar/2024:07:08:09 +0000", time)


def asked(request: str) -> str:
    return LINE.replace("GET / HTTP/1.1", request)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # 7.1: what a relay wrote is kept aside, and the record begins behind it
        (
            f"<13>Mar  3 07:08:10 web05 nginx[7]: {LINE}",
            {"relay": "<13>Mar  3 07:08:10 web05 nginx[7]:"},
        ),
        (f"<13>1 2024-03-03T07:08:10Z web05 nginx 7 - - {LINE}", {"client_ip": "192.0.2.1"}),
        (f"shop-1  | {LINE}", {"relay": "shop-1  |"}),
        (f"2024-03-03T07:08:10.5Z stdout F {LINE}", {"client_ip": "192.0.2.1"}),
        (f"access.log-7-{LINE}", {"relay": "access.log-7-"}),
        # 7.2: no user is taken from what may be more than one
        (before("192.0.2.1 - ann [x] b"), {"user_name": "ann [x] b"}),
        (
            before("192.0.2.1 - ann 192.0.2.9"),
            {"user_name": NEVER, "parse_warnings": "unplaced_text"},
        ),
        # 7.3: a virtual host before the client, or behind it
        (
            before("shop.example:8443 192.0.2.1 - -"),
            {"server_name": "shop.example", "server_port": 8443},
        ),
        (
            before("192.0.2.1 shop.example - -"),
            {"server_name": "shop.example", "client_ip": "192.0.2.1"},
        ),
        (before("shop.example - - -"), {"server_name": "shop.example", "client_ip": NEVER}),
        # 7.4: the last bracket is the time; of ingress-nginx both addresses are one client
        (before("192.0.2.1 - [192.0.2.1] - ann"), {"user_name": "ann", "peer_address": NEVER}),
        (
            before("192.0.2.1 - [192.0.2.9] - -"),
            {"client_ip": "192.0.2.1", "peer_address": "192.0.2.9"},
        ),
        (before("192.0.2.1 (10.0.0.1, 192.0.2.7) - -"), {"forwarded_for": "10.0.0.1, 192.0.2.7"}),
        # 7.5: between the bytes and the referrer
        (f'{BEHIND} 12 "-" "agent"', {"number_after_bytes": "12", "user_agent": "agent"}),
        (f'{BEHIND} rt=0.5 "-" "agent"', {"rt": "0.5", "user_agent": "agent"}),
        (
            f'{BEHIND} "a.example" "http://b.example/" "agent"',
            {"server_name": "a.example", "referrer": "http://b.example/"},
        ),
        (
            f'{BEHIND} who knows "-" "agent"',
            {"unplaced": "who knows", "parse_warnings": "unplaced_text"},
        ),
        # 7.6: in any order behind the agent
        (
            f'{LINE} "a=b; JSESSIONID=S1" "192.0.2.7"',
            {"forwarded_for": "192.0.2.7", "session_id": "S1"},
        ),
        (f'{LINE} "3.21"', {"cookie": NEVER, "tail": '"3.21"'}),
        (f"{LINE} 777", {"duration_other": 777, "tail": NEVER}),
        # 7.7: no response was sent
        *((LINE.replace(" 200 ", f" {sent} "), {"status_code": 0}) for sent in ("0", "-1", "000")),
        # 7.8: three names of UTC
        *((at(f"03/Mar/2024:07:08:09 {zone}"), {"event_time": AT}) for zone in ("UTC", "GMT", "Z")),
        # 7.9: a hole is passed over
        ("\0" * 9 + LINE, {"source_offset": 9, "parse_warnings": "nul_byte"}),
        # 7.10: colours at the ends of a field
        (
            asked("\x1b[37mGET /a HTTP/1.1\x1b[0m"),
            {"url_path": "/a", "parse_warnings": "control_char"},
        ),
        # 7.11: a relative target is a path
        (asked("GET show.do?action=view HTTP/1.1"), {"url_path": "show.do", "event_name": "view"}),
        (asked("GET *?a HTTP/1.1"), {"url_path": "*"}),
        (asked("OPTIONS * HTTP/1.1"), {"url_path": NEVER, "url_original": "*"}),
        (asked("CONNECT a.example:443 HTTP/1.1"), {"url_path": NEVER, "url_domain": "a.example"}),
        # 7.12: a client that is a name is a client
        (
            before("crawler-7.example - -"),
            {"client_ip": NEVER, "client_address": "crawler-7.example"},
        ),
    ],
)
def test_rule(line: str, expected: dict[str, Any]) -> None:
    row = event(line)
    found = {**row, **json.loads(row.get("extra", "{}"))}
    assert {name: found.get(name, NEVER) for name in expected} == expected
    if "parse_warnings" not in expected:
        assert row["parse_status"] == "ok"


@pytest.mark.parametrize("zone", ["EST", "CET", "UT", "utc+1"])
def test_other_names_of_zones_are_no_time(zone: str) -> None:
    """7.8."""
    assert reason(at(f"03/Mar/2024:07:08:09 {zone}")) == "bad_timestamp"


def test_of_an_unknown_client_nothing_is_guessed() -> None:
    """7.2."""
    assert reason(before("")) == "no_match"


@pytest.mark.parametrize(
    "name",
    ["common", "combined", "vhost_combined", "nginx_combined", "nginx_main", "splunk_tutorial"],
)
def test_names_of_what_access_reads(name: str) -> None:
    """7.13: each takes the lines that `access` takes, under its own name."""
    assert lookup(name).splittable
    (row,) = read(LINE.encode(), settings=ParseSettings(format=name)).events
    assert (row["source_format"], row["user_agent"]) == (name, "agent")
