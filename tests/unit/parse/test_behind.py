"""Between the bytes and the tail (7.5), and the tail itself (7.6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import HEAD, LINE, event

NAMES = frozenset(
    ("referrer", "user_agent", "cookie", "forwarded_for", "server_name", "duration_other")
)
REFERRER = "https://www.example.com/r"
HOST = "shop.example.com"
AGENT = "Mozilla/5.0 (X11; Linux)"


def parts(line: str) -> tuple[dict[str, Any], str | None]:
    """Return what `line` says behind its bytes, and its warnings."""
    row = event(line)
    found = {name: row[name] for name in NAMES & row.keys()} | json.loads(row.get("extra", "{}"))
    return found, row.get("parse_warnings")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0.25", {"number_after_bytes": "0.25"}),
        ("-", {}),
        (HOST, {"server_name": HOST}),
        (f"0.25 {HOST}:8080", {"number_after_bytes": "0.25", "server_name": HOST,
                               "server_port": 8080}),
        ("rt=0.1 Up-Time=0.2", {"rt": "0.1", "up_time": "0.2"}),
        ('5 uct="0.1, 0.2" rt=-', {"number_after_bytes": "5", "uct": "0.1, 0.2"}),
        ("", {}),
    ],
)  # fmt: skip
def test_words_before_the_referrer(fields: str, expected: dict[str, Any]) -> None:
    read = {"referrer": REFERRER, "user_agent": "a"}
    assert parts(f'{HEAD} {fields} "{REFERRER}" "a"') == (expected | read, None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("12 34", {"number_after_bytes": "12", "unplaced": "34"}),
        ("HIT", {"unplaced": "HIT"}),
        ("0.012s x", {"unplaced": "0.012s x"}),
        (f"{HOST} other.example", {"server_name": HOST, "unplaced": "other.example"}),
        ("tail=x rt=1 rt=2", {"rt": "1", "unplaced": "tail=x rt=2"}),
    ],
)
def test_words_that_no_rule_places(fields: str, expected: dict[str, Any]) -> None:
    found = parts(f'{HEAD} {fields} "-" "a"')
    assert found == (expected | {"user_agent": "a"}, "unplaced_text")


def test_two_hosts_that_differ() -> None:
    found, codes = parts(f'www.example.com {HEAD} {HOST} "-" "a"')
    assert found == {"server_name": "www.example.com", "unplaced": HOST, "user_agent": "a"}
    assert codes == "unplaced_text"
    assert parts(f'{HOST} {HEAD} {HOST} "-" "a"') == (
        {"server_name": HOST, "user_agent": "a"}, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "expected", "codes"),
    [
        (f'"{HOST}" "{REFERRER}" "{AGENT}"', {"server_name": HOST, "referrer": REFERRER}, None),
        (f'"{HOST}" "-" "{AGENT}" "c=1"', {"server_name": HOST, "cookie": "c=1"}, None),
        (f'"{HOST}:81" "/r" "{AGENT}"', {"server_name": HOST, "server_port": 81,
                                         "referrer": "/r"}, None),
        (f'"HIT" "{REFERRER}" "{AGENT}"', {"unplaced": '"HIT"', "referrer": REFERRER},
         "unplaced_text"),
        (f'"a b" "{REFERRER}" "{AGENT}"', {"unplaced": '"a b"', "referrer": REFERRER},
         "unplaced_text"),
        (f'"foo" "{AGENT}" "-"', {"unplaced": '"foo"'}, "unplaced_text"),
        (f'{HOST} "{HOST}" "-" "{AGENT}"', {"server_name": HOST, "unplaced": f'"{HOST}"'},
         "unplaced_text"),
        (f'"foo" "{AGENT}"', {"referrer": "foo"}, None),
        (f'"{HOST}" "{AGENT}"', {"referrer": HOST}, None),
        (f'"" "{AGENT}" "-"', {}, None),
        (f'"/r" "{AGENT}" "192.0.2.7"', {"referrer": "/r", "forwarded_for": "192.0.2.7"}, None),
    ],
)  # fmt: skip
def test_which_quoted_field_is_the_referrer(
    fields: str, expected: dict[str, Any], codes: str | None
) -> None:
    assert parts(f"{HEAD} {fields}") == (expected | {"user_agent": AGENT}, codes)


@pytest.mark.parametrize("third", ["-", "192.0.2.7", "a=b", "3.21"])
def test_an_agent_may_be_a_url(third: str) -> None:
    found, codes = parts(f'{HEAD} "-" "http://bot.example/" "{third}"')
    assert (found["user_agent"], codes) == ("http://bot.example/", None)
    assert "referrer" not in found


@pytest.mark.parametrize("cut", [f'"{REFERRER}', f'"{REFERRER}" "Mozi'])
def test_a_cut_line_is_shifted_no_less(cut: str) -> None:
    found, codes = parts(f'{HEAD} "{HOST}" {cut}')
    assert (found["server_name"], found["referrer"]) == (HOST, REFERRER)
    assert codes == "unterminated_quote"


@pytest.mark.parametrize("rest", ["x y", 'x "y"', 'rt=1 "y" 5 6'])
def test_without_referrer_and_agent_all_is_tail(rest: str) -> None:
    assert parts(f"{HEAD} {rest}") == ({"tail": rest}, None)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ('"192.0.2.9, 198.51.100.1" 20.178', {"forwarded_for": "192.0.2.9, 198.51.100.1",
                                              "tail": "20.178"}),
        ("0.5 192.0.2.9, 198.51.100.1 x", {"forwarded_for": "192.0.2.9, 198.51.100.1",
                                           "tail": "0.5 x"}),
        ('0.1 "192.0.2.9" 7', {"forwarded_for": "192.0.2.9", "tail": "0.1", "duration_other": 7}),
        ('"192.0.2.9" "192.0.2.8"', {"forwarded_for": "192.0.2.9", "tail": '"192.0.2.8"'}),
        ('X-Forwarded-For="192.0.2.9" "a=1"', {"forwarded_for": "192.0.2.9", "cookie": "a=1"}),
        ('"192.0.2.9" X-Forwarded-For="192.0.2.8"',
         {"forwarded_for": "192.0.2.9", "tail": 'X-Forwarded-For="192.0.2.8"'}),
        ('"192.0.2.9:80"', {"forwarded_for": "192.0.2.9:80"}),
        # An address with a port is that of an upstream server.
        ("0.1 192.0.2.9:80", {"tail": "0.1 192.0.2.9:80"}),
        ('"-" "192.0.2.9:80, 192.0.2.8:80"', {"tail": '"192.0.2.9:80, 192.0.2.8:80"'}),
        ("unknown", {"tail": "unknown"}),
        ('192.0.2.9, "x y"', {"tail": '192.0.2.9, "x y"'}),
        ("192.0.2.9, x 5", {"tail": "192.0.2.9, x", "duration_other": 5}),
        ('"3.21"', {"tail": '"3.21"'}),
        (f'"{AGENT[:-1]}; a=b)"', {"tail": f'"{AGENT[:-1]}; a=b)"'}),
        ('"x" "a=1; b" 5', {"cookie": "a=1; b", "tail": '"x"', "duration_other": 5}),
        ('"a=1" "b=2"', {"cookie": "a=1", "tail": '"b=2"'}),
        ('"-" "4.981" "-"', {"tail": '"4.981" "-"'}),
        ("5 6", {"tail": "5 6"}),
        ("5 x", {"tail": "5 x"}),
        ('49  0.01 [a] "y"', {"tail": '49  0.01 [a] "y"'}),
    ],
)  # fmt: skip
def test_tail(tail: str, expected: dict[str, Any]) -> None:
    assert parts(f"{LINE} {tail}") == (expected | {"user_agent": "agent"}, None)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ('"x" "y', {"tail": '"x" "y'}),
        ('0.5 "a=1; b', {"tail": "0.5", "cookie": "a=1; b"}),
        ('0.5 "a"b" c', {"tail": '0.5 "a"b" c'}),
    ],
)
def test_broken_tail(tail: str, expected: dict[str, Any]) -> None:
    found = parts(f"{LINE} {tail}")
    assert found == (expected | {"user_agent": "agent"}, "unterminated_quote")


def test_a_list_before_the_time_comes_first() -> None:
    row = event(LINE.replace("192.0.2.1 ", "192.0.2.1, 10.0.0.1 ") + ' "192.0.2.9"')
    assert row["forwarded_for"] == "192.0.2.1, 10.0.0.1"
    assert json.loads(row["extra"]) == {"tail": '"192.0.2.9"'}


def test_unplaced_text_is_joined_from_left_to_right_with_names_before_words() -> None:
    line = LINE.replace("- - [", "[x] - - [").replace(' "-" "agent"', " HIT rt=1 rt=2 MISS rt=3 ")
    found, codes = parts(f'{line}"-" "agent"')
    assert found["unplaced"] == "[x] rt=2 rt=3 HIT MISS"
    assert codes == "unplaced_text"
