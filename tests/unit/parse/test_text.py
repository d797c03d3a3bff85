"""Escapes (3.9), repair (3.2) and cutting (3.3)."""

from __future__ import annotations

import pytest

from ingest.parse.fields.text import cut, is_wider, repair, unescape


@pytest.mark.parametrize(
    ("logged", "text"),
    [
        (r"a\"b", 'a"b'),
        (r"a\\b", r"a\b"),
        (r"\\x41", r"\x41"),
        (r"\\\x41", r"\A"),
        (r"\"\\\"\x41\\", '"\\"A\\'),
        (r"\x20\x7e\x7E", " ~~"),
        (r"\x1f\x7f\x00\xC3", r"\x1f\x7f\x00\xC3"),
        (r"\n\t\x4", r"\n\t\x4"),
        ("\\", "\\"),
    ],
)
def test_unescape(logged: str, text: str) -> None:
    assert unescape(logged) == text


@pytest.mark.parametrize(
    ("raw", "text", "codes"),
    [
        (b"\xc3\xa9\t", "é\t", set()),
        (b"a\x00b", "a\ufffdb", {"nul_byte"}),
        (b"a\xf0\x9fb", "a\ufffdb", {"invalid_utf8"}),
        (b"\x01\x1f\x7f", "\x01\x1f\x7f", {"control_char"}),
        (b"\x00\xff\x0b", "\ufffd\ufffd\x0b", {"nul_byte", "invalid_utf8", "control_char"}),
        ("\x85\u2028".encode(), "\x85\u2028", set()),
    ],
)
def test_repair(raw: bytes, text: str, codes: set[str]) -> None:
    found: set[str] = set()
    assert (repair(raw, found), found) == (text, codes)


def test_cut_at_the_last_whole_code_point() -> None:
    assert cut("aéé", 4) == "aé"
    assert cut("\U0001f600", 3) == ""
    assert is_wider("éé", 3)
    assert not is_wider("éé", 4)
