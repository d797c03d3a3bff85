"""Holes of NULs that copytruncate leaves in a log: section 7.9 of the format specification."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from fixtures.outcome import ACCESS, LINE, SCHEMATIC, SETTINGS, read

from ingest.parse.lines import Cutter, LongLine

LOG = LINE.encode() + b"\n"
HEADER = b"Action,SessionID,ClientIP\n"


def test_field_cases(field_cases: Path) -> None:
    folder = field_cases / "f18-copytruncate-hole"
    files = json.loads((folder / "expected.json").read_bytes())["files"]
    for name, expected in files.items():
        data = (folder / name).read_bytes()
        outcome = read(data, name=name)
        assert len(outcome.events) == expected["counts"]["events"]
        assert outcome.lines["warn"] == outcome.verdict.counts["nul_byte"] == 1
        (warned,) = [row for row in outcome.events if row["parse_status"] == "warn"]
        hole = data.index(b"\0")
        assert warned["source_offset"] == hole + data.count(0)
        assert "client_ip" in warned


def test_a_line_begins_behind_its_hole() -> None:
    row = read(LOG + b"\0" * 70 + LOG).events[1]
    assert (row["source_offset"], row["source_line"]) == (len(LOG) + 70, 2)
    assert row["parse_warnings"] == "nul_byte"
    assert row["client_ip"] == "192.0.2.1"


def test_a_csv_record_begins_behind_its_hole() -> None:
    outcome = read(b"\0\0" + HEADER + b"\0View,s,192.0.2.1\n", settings=SCHEMATIC)
    (row,) = outcome.events
    assert (row["source_offset"], row["event_name"]) == (len(HEADER) + 3, "View")
    assert row["parse_warnings"] == "no_timestamp,nul_byte"


def test_a_hole_inside_a_csv_record() -> None:
    outcome = read(HEADER + b'"x\n\0\0\0y"\n', settings=SCHEMATIC)
    assert outcome.rejects[0]["raw_length"] == len(b'"x\ny"')
    (row,) = read(HEADER + b'"x\n\0y",s,192.0.2.1\n', settings=SCHEMATIC).events
    assert row["event_name"] == "x\ny"
    assert row["parse_warnings"] == "no_timestamp,nul_byte"


@pytest.mark.parametrize(
    ("data", "skips"),
    [(b"\0\0\n", [2]), (b"\0\r\n", [1]), (b"#\n\0\0", [0]), (b"\0" * 70, []), (b"\0#\n", [1])],
)
def test_a_hole_is_no_line(data: bytes, skips: list[int]) -> None:
    outcome = read(data, settings=ACCESS)
    assert [row["source_offset"] for row in outcome.skips] == skips
    assert outcome.verdict.lines_read == len(skips)


def test_a_large_hole_is_not_a_long_line() -> None:
    outcome = read(b"\0" * (20 << 20) + LOG)
    assert outcome.verdict.counts == {"nul_byte": 1}
    assert outcome.events[0]["source_offset"] == 20 << 20


def test_behind_a_hole_a_line_may_be_too_long() -> None:
    outcome = read(b"\0" * 30 + b"x" * 300 + b"\n", settings=ACCESS)
    assert outcome.rejects[0]["raw_length"] == 300


def test_of_a_hole_only_a_chunk_is_held() -> None:
    cutter = Cutter(offset=0, first_line=1, max_line_bytes=1 << 20)
    piece = b"\0" * (8 << 20)
    for _ in range(16):
        assert list(cutter.feed(piece)) == []
        assert sum(map(len, cutter._parts)) <= 16 << 20
    (lines,) = [*cutter.feed(b"next\n"), *cutter.finish()]
    assert not isinstance(lines, LongLine)
    assert (lines.offset, lines.first_line) == (128 << 20, 1)
    assert lines.nuls is not None
    assert lines.nuls.tolist() == [128 << 20]


def test_the_format_is_found_behind_a_hole() -> None:
    assert read(b"\0" * 99 + HEADER[:-1] + b",Item,Brand\n").verdict.source_format == (
        "schematic-csv"
    )


def test_cuts_in_a_hole_of_many_blocks() -> None:
    hole = b"\0" * (300 << 10)
    data = LOG + hole + LOG + b"x" + hole + b"\n" + LOG
    cuts = range(0, len(data), 50_000)
    outcomes = [
        read(data, settings=SETTINGS, start=start, end=end)
        for start, end in pairwise([*cuts, len(data)])
    ]
    offsets = [row["source_offset"] for outcome in outcomes for row in outcome.events]
    behind = len(LOG) + len(hole)
    assert offsets == [0, behind, len(data) - len(LOG)]
    assert [row["source_offset"] for o in outcomes for row in o.rejects] == [behind + len(LOG)]
    assert sum(o.verdict.counts.get("nul_byte", 0) for o in outcomes) == 1
