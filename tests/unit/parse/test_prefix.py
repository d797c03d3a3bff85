"""Before the time: users, virtual hosts, brackets; and what no rule places (7.2 to 7.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import LINE, event, reason

NAMES = frozenset(
    (
        "client_address", "client_port", "ident", "user_name", "server_name", "server_port",
        "forwarded_for", "peer_address", "unplaced",
    )
)  # fmt: skip
SITE = "www.example.com"
NAMED = "gw.example.net"


def parts(prefix: str, **changes: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what the prefix says, and the warnings."""
    row = event(LINE.replace("192.0.2.1 - -", prefix), **changes)
    found = row | json.loads(row.get("extra", "{}"))
    return {n: found[n] for n in NAMES & found.keys()}, row.get("parse_warnings", "").split(",")


def client(address: str = "192.0.2.1", **others: Any) -> dict[str, Any]:
    return {"client_address": address} | others


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        # Users.
        ("192.0.2.1 - a[b]", client(user_name="a[b]")),
        ("192.0.2.1 - [ann lee] x", client(user_name="[ann lee] x")),
        ("192.0.2.1 - 12:30", client(user_name="12:30")),
        ("192.0.2.1 - -x", client(user_name="-x")),
        # Virtual hosts in front.
        (f"{SITE} {NAMED} - -", client(NAMED, server_name=SITE)),
        (f"{SITE} {NAMED} - ann lee", client(NAMED, server_name=SITE, user_name="ann lee")),
        (f"{SITE} {NAMED} id ann", client(NAMED, server_name=SITE, ident="id", user_name="ann")),
        (f"{SITE} - - ann", {"server_name": SITE, "user_name": "ann"}),
        ("web:80 - - -", {"server_name": "web", "server_port": 80}),
        ("web gw - -", client("gw", server_name="web")),
        ("_ 192.0.2.1 - -", client(server_name="_")),
        ("- 192.0.2.1 - -", client()),
        (f"{SITE}:443 192.0.2.1:9 - -", client("192.0.2.1:9", client_port=9, server_name=SITE,
                                               server_port=443)),
        (f"{SITE} 192.0.2.1, 10.0.0.1 - -", client(server_name=SITE,
                                                   forwarded_for="192.0.2.1, 10.0.0.1")),
        (f'{SITE} "192.0.2.1, 10.0.0.1" - -', client(server_name=SITE,
                                                     forwarded_for="192.0.2.1, 10.0.0.1")),
        (f'"{SITE}" 192.0.2.1 - -', client(server_name=SITE)),
        # Virtual hosts behind the client.
        (f"192.0.2.1 {SITE} - ann", client(server_name=SITE, user_name="ann")),
        (f"192.0.2.1 {SITE}:81 - -", client(server_name=SITE, server_port=81)),
        (f"192.0.2.1 {SITE} -", client(server_name=SITE)),
        (f"192.0.2.1 {SITE} ann", client(server_name=SITE, user_name="ann")),
        (f"192.0.2.1, 10.0.0.1 {SITE} - -", client(server_name=SITE,
                                                   forwarded_for="192.0.2.1, 10.0.0.1")),
        # Addresses behind the client.
        ("192.0.2.1 - [192.0.2.1] - ann", client(user_name="ann")),
        ("2001:db8::1 - [2001:DB8::1] - -", client("2001:db8::1")),
        ("192.0.2.1 - [10.0.0.9] - -", client(peer_address="10.0.0.9")),
        ("192.0.2.1 - [192.0.2.1:80] - -", client(peer_address="192.0.2.1:80")),
        ("192.0.2.1 - [-] - ann", client(user_name="ann")),
        ("192.0.2.1 - [192.0.2.1, 10.0.0.9] - -", client(forwarded_for="192.0.2.1, 10.0.0.9")),
        ("192.0.2.1 (10.0.0.1, 192.0.2.7) - -", client(forwarded_for="10.0.0.1, 192.0.2.7")),
        ("192.0.2.1 (10.0.0.1) - ann", client(forwarded_for="10.0.0.1", user_name="ann")),
        ("192.0.2.1 (-) - -", client()),
        ("192.0.2.1 [10.0.0.1, 192.0.2.7] - -", client(forwarded_for="10.0.0.1, 192.0.2.7")),
        ("192.0.2.1 [10.0.0.1] - -", client(peer_address="10.0.0.1")),
        ("192.0.2.1 -> 10.0.0.1 - ann", client(forwarded_for="10.0.0.1", user_name="ann")),
        ("192.0.2.1 -> 10.0.0.1, 10.0.0.2 - -", client(forwarded_for="10.0.0.1, 10.0.0.2")),
    ],
)  # fmt: skip
def test_placed(prefix: str, expected: dict[str, Any]) -> None:
    assert parts(prefix) == (expected, [""])


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("192.0.2.1 - - -", client(unplaced="-")),
        ("192.0.2.1 - - 0.003", client(unplaced="0.003")),
        ("192.0.2.1 - ann -", client(unplaced="ann -")),
        ("192.0.2.1 - 198.51.100.7", client(unplaced="198.51.100.7")),
        ("192.0.2.1 - ann (198.51.100.7, x)", client(unplaced="ann (198.51.100.7, x)")),
        ("192.0.2.1 web1 - -", client(ident="web1", unplaced="-")),
        ("192.0.2.1 [x] -", client(unplaced="[x]")),
        ("192.0.2.1 (x) - ann", client(unplaced="(x)", user_name="ann")),
        ("192.0.2.1 - [x] - ann", client(unplaced="[x]", user_name="ann")),
        ("192.0.2.1 - [10.0.0.9] 5 -", client(unplaced="[10.0.0.9] 5 -")),
        ("07:08:09 192.0.2.1 - -", client(unplaced="07:08:09")),
        ("4711 192.0.2.1 - - x", client(unplaced="4711 x")),
        (f"web 192.0.2.1 {SITE}:81 - ann", client(server_name="web", unplaced=f"{SITE}:81",
                                                  user_name="ann")),
        ("nginx: 192.0.2.1 - ann", client(unplaced="nginx:", user_name="ann")),
    ],
)  # fmt: skip
def test_unplaced(prefix: str, expected: dict[str, Any]) -> None:
    assert parts(prefix) == (expected, ["unplaced_text"])


@pytest.mark.parametrize(
    "prefix",
    [
        f"{SITE} 192.0.2.1 -",
        f"{SITE} {NAMED} -",
        f"{NAMED} - ann -",
        f"{NAMED} - - - -x -",
        "192.0.2.1 192.0.2.2 -",
        "web gw ann lee",
        "unix: - - -",
        "192.0.2.300 - - -",
        "foo bar: 192.0.2.1 - -",
        "192.0.2.1 -> x - -",
        f"{NAMED} (x) - -",
        '"192.0.2.1"x - -',
    ],
)
def test_a_client_in_doubt(prefix: str) -> None:
    assert reason(LINE.replace("192.0.2.1 - -", prefix)) == "no_match"


@pytest.mark.parametrize("prefix", ["192.0.2.1 (10.0.0.1, 192.0.2.7)", "192.0.2.1 -> 192.0.2.7"])
def test_the_client_may_come_from_a_list_behind_it(prefix: str) -> None:
    found, _ = parts(f"{prefix} - -", client_from="forwarded_for")
    assert found.pop("forwarded_for").endswith("192.0.2.7")
    assert found["peer_address"] == "192.0.2.1"


class TestBrackets:
    def test_the_time_is_the_last(self) -> None:
        row = event(LINE.replace("- - [", "- [01/Mar/2024:00:00:00 +0000] ["))
        assert row["user_name"] == "[01/Mar/2024:00:00:00 +0000]"
        assert row["event_time"].isoformat() == "2024-03-03T07:08:09+00:00"

    @pytest.mark.parametrize("behind", ["[0.003]", "[1709449689]", "[PORT 80]", "[-]"])
    def test_a_field_between_time_and_request(self, behind: str) -> None:
        assert reason(LINE.replace('] "GET', f'] {behind} "GET')) == "no_match"

    def test_a_bracket_without_a_blank_before_it_is_none(self) -> None:
        assert reason(LINE.replace(" [03", " x[03")) == "no_match"
