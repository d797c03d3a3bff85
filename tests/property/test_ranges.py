"""Byte ranges: however an object is cut, its lines come out once and the same."""

from __future__ import annotations

import gzip
from itertools import pairwise
from typing import Any

import pytest
from fixtures.outcome import ACCESS, LINE, SETTINGS, Outcome, read
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.settings import ParseSettings

SHORT = ParseSettings(format="access", max_line_bytes=200)
PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"#comment\n",
        b"x",
        b"\xef\xbb\xbf",
        LINE.encode() + b"\n",
        LINE.encode() + b"\r\n",
        LINE.encode(),
        b"y" * 300 + b"\n",
        b"\0",
        b"\0" * 250,
    ]
)


def everything(outcomes: list[Outcome]) -> list[list[dict[str, Any]]]:
    """Return the events, rejects and skips of all ranges, without line numbers."""
    tables = [
        [row for outcome in outcomes for row in getattr(outcome, name)]
        for name in ("events", "rejects", "skips")
    ]
    return [[{k: v for k, v in row.items() if k != "source_line"} for row in t] for t in tables]


@settings(deadline=None, max_examples=100)
@given(st.lists(PIECES, max_size=12), st.lists(st.integers(0, 1200), max_size=5))
def test_any_cut_gives_the_same_lines(pieces: list[bytes], places: list[int]) -> None:
    data = b"".join(pieces)
    borders = sorted({0, len(data), *(place for place in places if place < len(data))})
    ranges = [read(data, settings=SHORT, start=start, end=end) for start, end in pairwise(borders)]
    if data:
        assert everything(ranges) == everything([read(data, settings=SHORT)])


def test_a_range_has_no_line_numbers() -> None:
    data = f"{LINE}\nx\n".encode()
    outcome = read(data, start=0, end=10)
    assert [row.get("source_line") for row in outcome.events] == [None]
    outcome = read(data, start=10)
    assert [row.get("source_line") for row in outcome.rejects] == [None]


def test_auto_looks_at_the_head_of_the_object() -> None:
    data = f"{LINE}\n".encode() + b"x\n" * 100
    outcome = read(data, start=len(LINE) + 21)
    assert outcome.verdict.source_format == "access"
    assert outcome.verdict.lines_reject == 90


def test_a_line_over_many_ranges_belongs_to_the_first() -> None:
    data = b"a\n" + b"x" * (300 << 10) + b"\nb\n"
    size = len(data)
    cuts = [0, 1, 1000, 200 << 10, size - 1, size]
    outcomes = [read(data, settings=ACCESS, start=start, end=end) for start, end in pairwise(cuts)]
    assert [outcome.verdict.lines_read for outcome in outcomes] == [1, 1, 0, 1, 0]
    assert outcomes[1].rejects[0]["raw_length"] == 300 << 10


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(LINE.encode()),
        b"Action,SessionID,ClientIP,Brand,Category\nView,s,,,\n",
        b"# only a comment\n\n",
    ],
    ids=["gzip", "csv", "no format"],
)
def test_what_cannot_be_split_is_not_read_in_ranges(data: bytes) -> None:
    with pytest.raises(ValueError, match="splittable"):
        read(data, settings=SETTINGS, start=0, end=10)
