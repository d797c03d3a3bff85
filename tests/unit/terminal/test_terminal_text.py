"""Text for terminals: aligned, and free of anything that could steer one."""

from __future__ import annotations

import json
import logging

import pytest

from ingest.terminal.text import (
    PrintableFormatter,
    count_of,
    fitted_text,
    json_text,
    printable,
    printable_lines,
    table_text,
    wrapped,
)

# ESC, BEL, DEL, C1, bidi, a line separator, a tag beyond the BMP, half of a surrogate pair.
HOSTILE = "\x1b]0;a\x07\x7f\x9b2J\u202e\u2028\U000e0041\ud800"


def test_hostile_text_is_escaped() -> None:
    assert printable("a\x1b]0;owned\x07\nb\u202e\x9b") == r"a\x1b]0;owned\x07\nb\u202e\x9b"
    assert printable("Größe 漢字") == "Größe 漢字"
    assert printable(None) == ""
    assert printable(HOSTILE).isprintable()


def test_lines_stay_lines() -> None:
    text = printable_lines(f"a{HOSTILE}\r\n{HOSTILE}b\n")
    assert [line.isprintable() for line in text.split("\n")] == [True] * 3


def test_json_escapes_what_it_may_leave_as_it_is() -> None:
    text = json_text({"a": HOSTILE, "b": "Größe 漢字", "c": '"\\'})
    assert text.isprintable()
    assert "Größe 漢字" in text
    assert json.loads(text) == {"a": HOSTILE, "b": "Größe 漢字", "c": '"\\'}


def test_a_log_record_is_escaped_with_its_arguments() -> None:
    record = logging.LogRecord("a", logging.INFO, "a", 1, "%s\nb", (HOSTILE,), None)
    first, second = PrintableFormatter("%(message)s").format(record).split("\n")
    assert first.isprintable()
    assert second == "b"


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


ROWS = [("Norda", "a text that is long enough to be cut", 1_000_000)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, ["Norda  a text that is long enough to be cut  1,000,000"]),
        (53, ["Norda  a text that is long enough to be c…  1,000,000"]),
        (30, ["Norda  a text that…  1,000,000"]),
        (29, ["brand  Norda", "text   a text that is long enough to be cut", "count  1,000,000"]),
    ],
)
def test_a_table_is_fitted_to_the_terminal(width: int, expected: list[str]) -> None:
    """Texts are cut visibly, down to 12 characters, and numbers never; then come records."""
    lines = fitted_text(("brand", "text", "count"), ROWS, width).split("\n")
    assert lines[-len(expected) :] == expected
    assert lines[0] == "-- row 1" or max(map(len, lines)) <= width


def test_long_names_of_columns_are_not_cut() -> None:
    assert fitted_text(("a" * 20, "b" * 20), [("x", None), ("y", 2)], 40).split("\n") == [
        "-- row 1",
        "aaaaaaaaaaaaaaaaaaaa  x",
        "bbbbbbbbbbbbbbbbbbbb",
        "-- row 2",
        "aaaaaaaaaaaaaaaaaaaa  y",
        "bbbbbbbbbbbbbbbbbbbb  2",
    ]


def test_long_lines_are_wrapped_below_their_beginning() -> None:
    text = "ingest   1 batch, 35 objects and more\n  a_file = another\n/path/that/is/never/broken"
    assert wrapped(text, 20).split("\n") == [
        "ingest   1 batch, 35",
        "         objects and",
        "         more",
        "  a_file = another",
        "/path/that/is/never/broken",
    ]
    assert wrapped(text, None) == text


@pytest.mark.parametrize("name", ["CLICKSTREAM_DATA", "AWS_ENDPOINT_URL_S3"])
def test_a_command_is_not_broken(name: str) -> None:
    """Half of it, pasted, would do something else: here it would ask the default folder."""
    line = f"  query    {name}='/a b' clickstream query 'select 1'"
    assert wrapped(line, 20) == line
