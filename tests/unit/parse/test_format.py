"""A format is what it registers: no other module has to know it."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from fixtures.outcome import IDENTITY, LINE, SETTINGS, Outcome, read

from ingest.cli.preview import explain, formats, json_lines
from ingest.errors import ClickstreamError, SettingsError
from ingest.parse import formats as package
from ingest.parse import registry
from ingest.parse.collector import Collector
from ingest.parse.fields.times import micros_of
from ingest.parse.format import FEW_LINES, FastPath, Format, Head, ParserOfLines
from ingest.parse.model import Identity, Lines
from ingest.parse.registry import check_settings, names, register
from ingest.parse.sniff import Sniffed, sniff
from ingest.parse.verdict import BLANK, Event, EventArray, Refused, Reject, Verdict
from ingest.settings import ParseSettings

NOW = micros_of(datetime(2024, 5, 1, tzinfo=UTC))
LATER = micros_of(datetime(2025, 5, 1, tzinfo=UTC))
TOY = ParseSettings(format="made-up")


def _event(name: str) -> Event:
    """Return an event of the name; a name in capitals lies in the future."""
    time = LATER if name.isupper() else NOW
    return Event(values={"event_type": "other", "event_name": name, "event_time": time})


def parse_toy(raw: bytes) -> Verdict:
    """Read `one a` to one event and `many a b c` to three."""
    kind, *words = raw.decode().split(" ")
    match kind:
        case "":
            return BLANK
        case "one":
            return _event(words[0])
        case "many":
            return EventArray(tuple(map(_event, words)))
        case "broken":
            raise Refused("broken_toy")
    return Reject("no_match")


def fast_toys(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Take the lines `one a`, which have five bytes."""
    handled = lines.ends - lines.starts == 5
    collector = Collector(identity, settings)
    for index in np.flatnonzero(handled):
        raw = bytes(lines.buffer[lines.starts[index] : lines.ends[index]])
        offset = int(lines.starts[index]) + lines.offset
        line = None if lines.first_line is None else int(index) + lines.first_line
        collector.add(parse_toy(raw), offset=offset, line=line, raw=raw)
    return collector.parsed().events, handled


def toy_format(
    name: str = "made-up", *, rank: int = 99, fast_path: FastPath | None = None
) -> Format:
    def score(head: Head, _settings: ParseSettings) -> int:
        return sum(line.startswith((b"one ", b"many ", b"broken")) for line in head.sample)

    def parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
        return ParserOfLines(identity, settings, parse_toy, fast_path=fast_path)

    return Format(
        name=name,
        description="events by name",
        grammar="one NAME, or many NAME ...",
        splittable=True,
        parser=parser,
        score=score,
        rank=rank,
        reads=frozenset({"mapping"}),
        remedies={"broken_toy": "mend the toy"},
    )


@pytest.fixture(autouse=True)
def _own_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after each test what it registers."""
    names()  # the formats of the package are loaded once
    monkeypatch.setattr(registry, "_formats", dict(registry._formats))


@pytest.fixture
def toy() -> None:
    register(toy_format())


DATA = b"one a\nmany bc d e\n\nnonsense\nmany F\nmany G H\n"


def balance(outcome: Outcome) -> tuple[int, int, dict[str, int]]:
    return outcome.verdict.lines_read, outcome.verdict.events, outcome.lines


@pytest.mark.usefixtures("toy")
def test_a_registered_format_is_found_listed_and_explained() -> None:
    assert sniff(DATA, settings=SETTINGS) == Sniffed(format="made-up", splittable=True)
    assert read(DATA).events == read(DATA, settings=TOY).events
    assert {row["source_format"] for row in read(DATA).events} == {"made-up"}
    assert ("made-up", "events by name") in formats()
    assert explain("made-up") == "one NAME, or many NAME ..."


def test_what_is_not_registered_is_unknown() -> None:
    assert sniff(DATA, settings=SETTINGS) == Sniffed(reason="unknown_format")
    with pytest.raises(SettingsError, match="format 'made-up' is unknown"):
        read(DATA, settings=TOY)


def test_a_name_is_taken_once() -> None:
    for name in ("access", "auto"):
        with pytest.raises(ValueError, match=name):
            register(toy_format(name))


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(("rank", "winner"), [(98, "another"), (100, "made-up")])
def test_of_equal_scores_the_lowest_rank_wins(rank: int, winner: str) -> None:
    register(toy_format("another", rank=rank))
    assert read(DATA).verdict.source_format == winner


@pytest.mark.usefixtures("toy")
def test_the_most_lines_win_whatever_the_rank() -> None:
    assert read(f"one a\n{LINE}\n{LINE}".encode()).verdict.source_format == "access"
    assert read(f"one a\none b\n{LINE}".encode()).verdict.source_format == "made-up"


@pytest.mark.usefixtures("toy")
def test_each_element_of_an_array_is_an_event_in_its_own_place() -> None:
    events = read(DATA, settings=TOY).events
    places = [(row["event_name"], row["source_line"], row["source_offset"]) for row in events]
    assert places == [
        ("a", 1, 0),
        ("bc", 2, 6), ("d", 2, 7), ("e", 2, 8),
        ("F", 5, 28),
        ("G", 6, 35), ("H", 6, 36),
    ]  # fmt: skip
    # The prefix is that of this source_file in the specification.
    assert [row["event_id"] for row in events[1:4]] == [
        f"63c576d511cab0cebef1{offset:012x}" for offset in (6, 7, 8)
    ]


@pytest.mark.usefixtures("toy")
def test_lines_are_counted_once_and_events_each() -> None:
    outcome = read(DATA, settings=TOY)
    # 6 = 1 + 3 + 1 + 1 lines; 7 events = 1 + 3 lines, and 2 + 0 + 1 beyond the first of a line.
    assert balance(outcome) == (6, 7, {"ok": 1, "warn": 3, "skip": 1, "reject": 1})
    assert outcome.verdict.counts == {
        "json_array": 3,
        "future_timestamp": 2,
        "blank": 1,
        "no_match": 1,
    }
    codes = [row.get("parse_warnings") for row in outcome.events]
    assert codes == [None, *["json_array"] * 3, *["future_timestamp,json_array"] * 3]
    assert outcome.verdict.max_event_time == datetime(2025, 5, 1, tzinfo=UTC)


def test_arrays_are_counted_right_beside_a_fast_path() -> None:
    register(toy_format())
    many = DATA * (FEW_LINES // len(DATA.splitlines()) + 1)
    expected = read(many, settings=TOY)
    register(toy_format("fast", fast_path=fast_toys))
    outcome = read(many, settings=ParseSettings(format="fast"))
    assert outcome.verdict.counts == expected.verdict.counts
    assert balance(outcome) == balance(expected)
    assert [row["event_id"] for row in outcome.events] == [
        row["event_id"] for row in expected.events
    ]


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("cut", [1, 6, 7, 17, 18, 29, 40])
def test_an_array_belongs_to_the_range_that_holds_its_first_byte(cut: int) -> None:
    parts = [read(DATA, settings=TOY, end=cut), read(DATA, settings=TOY, start=cut)]
    whole = read(DATA, settings=TOY)
    assert [row["event_id"] for part in parts for row in part.events] == [
        row["event_id"] for row in whole.events
    ]
    assert sum(part.verdict.lines_read for part in parts) == whole.verdict.lines_read


@pytest.mark.usefixtures("toy")
def test_the_preview_shows_each_event_of_an_array(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"many a b\nx\none c\n")
    rows = [json.loads(line) for line in json_lines(path, TOY, ingest_time=IDENTITY.ingest_time)]
    assert [(row["offset"], row["status"], row["warnings"]) for row in rows] == [
        (0, "warn", ["json_array"]),
        (1, "warn", ["json_array"]),
        (9, "reject", []),
        (11, "ok", []),
    ]
    assert [row["event"]["event_name"] for row in rows if row["event"]] == ["a", "b", "c"]


@pytest.mark.usefixtures("toy")
def test_a_parser_refuses_the_object_and_the_format_knows_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one a\nbroken\n")
    verdict = read(path.read_bytes(), settings=TOY).verdict
    assert (verdict.file_status, verdict.file_reason) == ("rejected", "broken_toy")
    with pytest.raises(ClickstreamError, match=re.escape("(broken_toy): mend the toy")):
        list(json_lines(path, SETTINGS))


@pytest.mark.usefixtures("toy")
def test_settings_that_only_some_formats_read() -> None:
    pairs = (("event_name", "a.b"),)
    check_settings(ParseSettings(format="made-up", mapping=pairs))
    with pytest.raises(SettingsError) as caught:
        check_settings(
            ParseSettings(format="made-up", log_format="%h", mapping=pairs, time_unit="s")
        )
    log_format, time_unit = str(caught.value).splitlines()
    assert log_format == (
        "log_format needs a format that reads it; `made-up` does not"
        " (these do: log_format, nginx_json)"
    )
    assert time_unit.startswith("time_unit needs a format that reads it; `made-up` does not")


def test_auto_reads_none_of_these_settings() -> None:
    with pytest.raises(SettingsError, match="fields needs a format that reads it; `auto` does not"):
        read(b"", settings=ParseSettings(fields=("a",)))


def test_a_module_among_the_formats_is_all_that_a_format_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "found.py").write_text(
        "from ingest.parse.format import Format\n"
        "from ingest.parse.formats.access import access_parser\n"
        "from ingest.parse.registry import register\n"
        "register(Format(name='found', description='', parser=access_parser))\n"
    )
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    registry._load.cache_clear()
    try:
        (event,) = read(LINE.encode(), settings=ParseSettings(format="found")).events
    finally:
        sys.modules.pop("ingest.parse.formats.found", None)
    assert event["source_format"] == "found"
