"""Colours of terminals at the ends of fields: section 7.10."""

from __future__ import annotations

import pytest
from fixtures.outcome import LINE, event

from ingest.parse.fields.colours import without_colours

RED, BOLD, OFF = "\x1b[31m", "\x1b[1;4m", "\x1b[0m"


@pytest.mark.parametrize(
    ("plain", "coloured"),
    [
        ("GET / HTTP/1.1", f"{BOLD}{RED}GET / HTTP/1.1{OFF}"),
        ("agent", f"{RED}agent{OFF}"),
        ("192.0.2.1", f"{RED}192.0.2.1{OFF}"),
        ("03/Mar/2024:07:08:09 +0000", f"{RED}03/Mar/2024:07:08:09 +0000{OFF}"),
        ("200 5", f"{RED}200{OFF} 5"),
        (LINE, f"{RED}{LINE}{OFF}"),
    ],
)
def test_ends_of_a_field(plain: str, coloured: str) -> None:
    row = event(LINE.replace(plain, coloured))
    assert row["parse_warnings"] == "control_char"
    kept = row.keys() - {"parse_status", "parse_warnings"}
    assert {name: row[name] for name in kept} == {
        name: text for name, text in event(LINE).items() if name != "parse_status"
    }


@pytest.mark.parametrize(
    "text",
    [
        "no colours",
        f'"a {RED}b{OFF} c"',
        f"a{RED}b",
        '"\x1b[31',
        '"\x1b[31;',
        f'"a\\" {RED} b"',
        "\x1b]0;title\x07x",
    ],
)
def test_within_a_field_they_stay(text: str) -> None:
    assert without_colours(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f'"{RED}', '"'),
        (f'x{OFF}"{RED}a', 'x"a'),
        (f'[{RED}x{OFF}] "a{OFF}" y', '[x] "a" y'),
        (RED, ""),
    ],
)
def test_odd_fields(text: str, plain: str) -> None:
    assert without_colours(text) == plain
