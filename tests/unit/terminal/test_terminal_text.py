"""Text for terminals: aligned, and free of anything that could steer one."""

from __future__ import annotations

from ingest.terminal.text import count_of, printable, table_text


def test_hostile_text_is_escaped() -> None:
    assert printable("a\x1b]0;owned\x07\nb\u202e\x9b") == r"a\x1b]0;owned\x07\nb\u202e\x9b"
    assert printable("Größe 漢字") == "Größe 漢字"
    assert printable(None) == ""


def test_numbers_are_right_aligned() -> None:
    text = table_text(["brand", "events"], [("Orion", 1234), ("X", None), ("Y", 5)])
    assert text.splitlines() == [
        "brand  events",
        "-----  ------",
        "Orion   1,234",
        "X",
        "Y           5",
    ]


def test_no_rows_is_a_header() -> None:
    assert table_text(["a"], []).splitlines() == ["a", "-"]


def test_numbers_agree_with_their_nouns() -> None:
    assert [count_of(n, "line") for n in (0, 1, 2, 1234)] == [
        "0 lines",
        "1 line",
        "2 lines",
        "1,234 lines",
    ]
    assert [count_of(n, "batch", "batches") for n in (1, 2)] == ["1 batch", "2 batches"]
