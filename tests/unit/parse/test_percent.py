"""CloudFront's percent-encoding: section 3.9 of the format specification."""

from __future__ import annotations

import pytest

from ingest.parse.fields.percent import decode_agent, decode_percent


@pytest.mark.parametrize(
    ("sent", "text", "codes"),
    [
        ("", "", set()),
        ("a+b", "a+b", set()),
        ("/caf%C3%A9", "/café", set()),
        ("%2541", "%41", set()),
        ("100%25", "100%", set()),
        ("a%2", "a%2", {"bad_percent_encoding"}),
        ("%", "%", {"bad_percent_encoding"}),
        ("%zz%20", "%zz ", {"bad_percent_encoding"}),
        ("%C3%28", "\ufffd(", {"bad_percent_encoding"}),
        ("%f0%9f%98", "\ufffd", {"bad_percent_encoding"}),
        ("%ff%fe", "\ufffd\ufffd", {"bad_percent_encoding"}),
        ("a%00b", "a\ufffdb", {"nul_byte"}),
        ("%E2%82%ACé", "€é", set()),
    ],
)
def test_texts(sent: str, text: str, codes: set[str]) -> None:
    found: set[str] = set()
    assert (decode_percent(sent, found), found) == (text, codes)


@pytest.mark.parametrize(
    ("sent", "text", "codes"),
    [
        ("Mozilla/5.0%20(X11)", "Mozilla/5.0 (X11)", set()),
        ("Mozilla/5.0%2520(X11)", "Mozilla/5.0 (X11)", set()),
        ("a%20b%2541", "a b%41", set()),
        ("a%252541", "a%41", set()),
        ("100%25", "100%", set()),
        ("x%25ff", "x\ufffd", {"bad_percent_encoding"}),
    ],
)
def test_user_agents_are_decoded_again_where_no_blank_came_out(
    sent: str, text: str, codes: set[str]
) -> None:
    found: set[str] = set()
    assert (decode_agent(sent, found), found) == (text, codes)
