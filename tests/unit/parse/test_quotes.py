"""Where quoted fields end."""

from __future__ import annotations

import pytest

from ingest.parse.fields.quotes import closing_quote


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ('a"b"', 0, 1),
        ('"', 0, 0),
        ("a", 0, -1),
        ("a\\", 0, -1),
        (r"a\"", 0, -1),
        (r'a\"b"', 0, 4),
        (r'a\\"b"', 0, 3),
        (r'a\\\"b"', 0, 6),
        (r'\"\"\""', 0, 6),
        (r'\"a"', 1, 1),  # a backslash before the field escapes nothing in it
        ('a\\\n"', 0, 3),
        ('\\\n\\""', 0, 4),
    ],
)
def test_closing_quote(text: str, start: int, end: int) -> None:
    assert closing_quote(text, start) == end
