"""Mutated lines of every format that is registered, read with kernels and without.

A new format takes part by itself: its seeds are its sample, and each format has one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from fixtures.outcome import IDENTITY as ANY

from ingest.parse.model import ObjectVerdict, Parsed
from ingest.parse.place import place_in
from ingest.parse.reader import parse_object
from ingest.parse.registry import AUTO, names
from ingest.parse.rows import EVENTS_SCHEMA
from ingest.sample import FORMATS, MIXED, write_sample
from ingest.sample.kinds import KINDS
from ingest.settings import ParseSettings
from ingest.unpack.layers import unwrap

# Later than the sample, so that its times are none of the future.
IDENTITY = replace(ANY, ingest_time=datetime(2026, 1, 1, tzinfo=UTC))
_FORMATS = tuple(name for name in names() if name != AUTO)
# The records of a format that may be objects as well.
_COLUMNS, _OBJECTS = "cloudfront_v2", "cloudfront_v2_json"
NAMES = (*_FORMATS, _OBJECTS)
_HEAD_LINES = 4
_LINES_OF_SAMPLE = 400
_SOUND_HEADERS = 10  # of which one is mutated
_LONGEST = 1 << 14  # of a seed: the sample has lines over the limit too
PIECES = (
    b'"', b"\\", b'\\"', b" ", b"-", b"[", b"]", b"?", b"&", b"=", b"%00", b"%", b"+", b"/", b":",
    b";jsessionid=X", b", ", b"\t", b"\x1b[0m", b"\xff", "é".encode(), b"\0", b"\r", b"0", b"#",
    b"9" * 20, b"HTTP/1.1", b"http://", b"2024", b"[::1]", b"-1", b"000", b".5", b"1e400", b"{",
    b"}", b",", b'":"', b"null", b"\\u0000", b"\\ud800", b'""', b"'", b";", b"%2522", b"\x7f",
    b"192.0.2.1", b"a.example", b"T", b"Z", b"+02:00", b"[]", b"{}", b"true", b"itemId=1",
)  # fmt: skip
# Settings under which texts are read otherwise.
TURNS: tuple[Mapping[str, Any], ...] = (
    {},
    {"timezone": "Europe/Berlin", "client_from": "forwarded_for"},
    {"keep_cookie": False, "item_parameter": "page", "session_parameter": "sid"},
)


# Reasons to which no detail would add anything.
_SAY_IT_ALL = ("line_too_long", "wrong_log_type")


class Reading(NamedTuple):
    """All that one reading of a content gives. `by_kernels` counts events, not lines."""

    events: pa.Table
    rejects: pa.Table
    skips: pa.Table
    verdict: ObjectVerdict
    by_kernels: int


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Lines of a format, each with its end, and the settings that read them."""

    lines: Sequence[bytes]
    settings: ParseSettings

    @property
    def head(self) -> bytes:
        """The first lines: a header, or enough of the rest for the format to be found."""
        return b"".join(self.lines[:_HEAD_LINES])

    def content(self, count: int, chance: random.Random) -> bytes:
        """Return the first lines as they are, and `count` mutated ones behind them."""
        return self.head + b"".join(self.mutated(chance) for _ in range(count))

    def mutated(self, chance: random.Random) -> bytes:
        """Return a line with a few pieces put in, taken out, doubled or taken from another."""
        line = bytearray(chance.choice(self.lines))
        # A broken header breaks all lines behind it.
        if line.startswith(b"#") and chance.randrange(_SOUND_HEADERS):
            return bytes(line)
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(line))
            match chance.randrange(5):
                case 0:
                    line[at:at] = chance.choice(PIECES)
                case 1:
                    del line[at : min(at + chance.randrange(1, 9), len(line) - 1)]
                case 2:
                    line[at : at + 1] = bytes([chance.randrange(256)])
                case 3:
                    line[at:at] = line[at : at + chance.randrange(1, 30)]
                case _:
                    other = chance.choice(self.lines)
                    line[at:] = other[chance.randrange(len(other)) :]
        return bytes(line) if line.endswith(b"\n") else bytes(line) + b"\n"


def seeds_of_all(folder: Path) -> dict[str, Seeds]:
    """Return the seeds of each format that is registered, from a sample written to `folder`."""
    write_sample(folder, lines=_LINES_OF_SAMPLE * len(FORMATS), seed=5, formats=[MIXED, *_FORMATS])
    seeds = {name: Seeds(lines=_lines(folder, name), settings=_settings(name)) for name in _FORMATS}
    return seeds | {_OBJECTS: _as_objects(seeds[_COLUMNS])}


def _as_objects(seeds: Seeds) -> Seeds:
    """Return the records below the last header of `seeds`, each as a JSON object of its names."""
    names: list[str] = []
    lines = []
    for line in seeds.lines:
        text = line.decode(errors="replace").rstrip("\r\n")
        if text.startswith("#Fields:"):
            names = text.split()[1:]
        elif len(texts := text.split("\t")) == len(names):
            lines.append(json.dumps(dict(zip(names, texts, strict=True))).encode() + b"\n")
    return replace(seeds, lines=lines)


def replaced(settings: ParseSettings, turn: Mapping[str, Any]) -> ParseSettings:
    """Return `settings` with what the `turn` says."""
    return replace(settings, **turn)


def _lines(folder: Path, name: str) -> list[bytes]:
    (path,) = (path for path in (folder / "raw" / name).iterdir() if path.is_file())
    content = b"".join(unwrap(iter([path.read_bytes()]), _LONGEST, most=1 << 30).pieces)
    return [line for line in content.splitlines(keepends=True) if len(line) < _LONGEST]


def _settings(name: str) -> ParseSettings:
    kind = KINDS.get(name)
    given = {"format": name, **(kind.settings if kind else {})}
    return ParseSettings(**given)


def reading(
    content: bytes, settings: ParseSettings, *, start: int = 0, end: int | None = None
) -> Reading:
    """Return the verdicts on a content, or on a range of it, after checking its books."""
    *chunks, verdict = parse_object(
        lambda first, last: content[first:last],
        len(content),
        name="a.log",
        identity=IDENTITY,
        settings=settings,
        start=start,
        end=end,
    )
    assert isinstance(verdict, ObjectVerdict)
    parsed = [chunk for chunk in chunks if isinstance(chunk, Parsed)]
    found = Reading(
        events=_joined([chunk.events.unify_dictionaries().cast(EVENTS_SCHEMA) for chunk in parsed]),
        rejects=_joined([chunk.rejects for chunk in parsed]),
        skips=_joined([chunk.skips for chunk in parsed]),
        verdict=verdict,
        by_kernels=sum(chunk.table.num_rows for chunk in parsed),
    )
    check_books(found)
    return found


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).sort_by("source_offset") if tables else pa.table({})


def check_books(found: Reading) -> None:
    """Check that each line has one verdict, and that what was given out is what was counted."""
    verdict = found.verdict
    with_events = verdict.lines_ok + verdict.lines_warn
    assert verdict.lines_read == with_events + verdict.lines_skip + verdict.lines_reject
    if verdict.file_status == "rejected":
        assert verdict.lines_read == 0
        return
    assert (verdict.lines_skip, verdict.lines_reject) == (len(found.skips), len(found.rejects))
    assert verdict.events == len(found.events)
    elements = len(found.events) - (verdict.lines_ok + verdict.lines_warn)
    assert elements >= 0 if "json_array" in verdict.counts else elements == 0
    if len(found.events):
        assert pc.count_distinct(found.events["event_id"]).as_py() == len(found.events)


def check_details(found: Reading) -> None:
    """Check that a reject says why, and that the place that it names is in its line."""
    if not found.rejects.num_rows:
        return
    told = found.rejects.select(["reason", "detail", "raw_length"])
    for reason, detail, length in zip(*told.to_pydict().values(), strict=True):
        assert detail or reason in _SAY_IT_ALL, reason
        assert (place_in(detail or "") or 0) <= length, detail


def check_same(content: bytes, one: Reading, other: Reading) -> None:
    """Check that two readings of a content are equal, or name the first line that they part at."""
    for name in ("events", "rejects", "skips"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if not mine.equals(theirs):
            raise AssertionError(_difference(content, name, mine, theirs))
    assert one.verdict == other.verdict


def _difference(content: bytes, name: str, one: pa.Table, other: pa.Table) -> str:
    rows = [{row["source_offset"]: row for row in table.to_pylist()} for table in (one, other)]
    for offset in sorted(rows[0].keys() | rows[1].keys()):
        mine, theirs = (table.get(offset, {}) for table in rows)
        apart = {
            key: (mine.get(key), theirs.get(key))
            for key in mine.keys() | theirs.keys()
            if mine.get(key) != theirs.get(key)
        }
        if apart:
            line = content[offset:].partition(b"\n")[0]
            return f"{name} differ at byte {offset}: {line!r}: {apart}"
    return f"{name} differ in their schemas: {one.schema} and {other.schema}"


def check_kernels(content: bytes, settings: ParseSettings) -> Reading:
    """Check that kernels read what the reference parser reads; return that."""
    fast = reading(content, settings)
    check_details(fast)
    check_same(content, fast, reading(content, replace(settings, fast=False)))
    return fast


def check_ranges(content: bytes, whole: Reading, settings: ParseSettings, cuts: list[int]) -> None:
    """Check that a content that is cut at `cuts` has the same lines as the `whole`."""
    borders = sorted({0, len(content), *cuts})
    parts = [reading(content, settings, start=start, end=end) for start, end in pairwise(borders)]
    for name in ("events", "rejects", "skips"):
        tables = [table for part in parts if len(table := getattr(part, name))]
        mine = _joined(tables)
        theirs = getattr(whole, name)
        if len(mine) == len(theirs) == 0:
            continue
        mine, theirs = (table.drop_columns(["source_line"]) for table in (mine, theirs))
        if not mine.equals(theirs):
            raise AssertionError(_difference(content, name, mine, theirs))


def cuts(size: int, count: int, chance: random.Random) -> list[int]:
    """Return up to `count` places inside a content of `size` bytes."""
    return [chance.randrange(1, size) for _ in range(count)]


def batches(lines: int, at_once: int) -> Iterator[int]:
    """Yield sizes of at most `at_once` that add up to `lines`."""
    for first in range(0, lines, at_once):
        yield min(at_once, lines - first)
