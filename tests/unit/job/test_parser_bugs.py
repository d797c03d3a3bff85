"""A fault of a parser stops the reading of the object that shows it, and of no other one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fixtures.outcome import CSV_HEADER
from support.memory_lake import Site, pages, paths_in

from ingest.cli.preview import json_lines
from ingest.errors import ParserBug
from ingest.parse import opened
from ingest.parse.formats import access, schematic
from ingest.parse.formats.access import parse_line
from ingest.parse.formats.schematic import SchematicParser
from ingest.parse.kernels import access as kernels
from ingest.parse.verdict import Event, Verdict
from ingest.settings import ParseSettings

LINE = b'192.0.2.1 - - [01/May/2024:00:00:00 +0000] "GET /p HTTP/1.1" 200 1 "-" "-"\n'
LINES = LINE * 200  # more than those that the format is guessed from
RECORDS = CSV_HEADER.encode() + b"\n" + b"view,1,x\n" * 200
SAID = (
    r"bug: the parser failed at byte {} \(IndexError in \w+\.py:\d+\): please report it together"
    r" with that line"
)


def _fail_at(module: ModuleType, name: str, word: bytes, patch: pytest.MonkeyPatch) -> None:
    """Let the function `name` fail on what has `word` in it."""
    parse: Callable[..., Any] = getattr(module, name)

    def fail(what: Any, *rest: Any, **named: Any) -> Any:
        content = what.encode() if isinstance(what, str) else bytes(getattr(what, "buffer", what))
        if word in content:
            raise IndexError(content)
        return parse(what, *rest, **named)

    patch.setattr(module, name, fail)


@pytest.mark.parametrize(
    ("module", "name", "content", "place"),
    [
        (access, "read_head", LINES + b"boom\n" + LINE, f"{len(LINES)} (line 201)"),
        (kernels, "read_parts", LINES + b"boom\n" + LINE, "0 (line 1)"),
        (schematic, "split_record", RECORDS + b"boom,\n", f"{len(RECORDS)} (line 202)"),
        (opened, "find_format", LINES + b"boom\n", "0 (line 1)"),
    ],
)
def test_its_object_fails_with_the_place_and_all_others_go_on(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    content: bytes,
    place: str,
) -> None:
    site.put("good.log", 3)
    site.raw.put("bad.log", content)
    with monkeypatch.context() as patch:
        _fail_at(module, name, b"boom", patch)
        summary = site.ingest()
    (failed,) = summary.failed
    assert failed.key == "bad.log"
    assert re.fullmatch(SAID.format(re.escape(place)), failed.reason)
    assert (len(summary.sealed), summary.exit_code) == (1, 1)
    assert paths_in(site.settings) == pages("good.log", 0, 3)
    again = site.ingest()
    assert (len(again.sealed), again.exit_code) == (1, 0)


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("status_code", 1 << 31, "ValueError"),
        ("response_bytes", 1 << 63, "ValueError"),
        ("user_name", "\ud800", "UnicodeEncodeError"),
    ],
)
@pytest.mark.parametrize("lines", [1, 200])
def test_a_value_that_its_column_cannot_hold_is_a_fault_of_its_object(
    site: Site, monkeypatch: pytest.MonkeyPatch, column: str, value: Any, kind: str, lines: int
) -> None:
    """Its rows may wait for those of other objects: together they would all fail."""
    site.put("good.log", 3)
    site.raw.put("bad.log", LINE * lines + b"boom\n")

    def parse(raw: bytes, settings: ParseSettings) -> Verdict:
        if raw != b"boom":
            return parse_line(raw, settings)
        return Event(values={"event_type": "other", column: value})

    with monkeypatch.context() as patch:
        patch.setattr(access, "parse_line", parse)
        summary = site.ingest()
    (failed,) = summary.failed
    assert failed.key == "bad.log"
    assert re.match(rf"bug: the parser failed at byte 0 \(line 1\) \({kind} in ", failed.reason)
    assert paths_in(site.settings) == pages("good.log", 0, 3)


@pytest.mark.parametrize(
    ("method", "content", "place"),
    # What lies before the wanted lines, here nothing, is finished first.
    [("finish", RECORDS, 0), ("reject_long", RECORDS + b"x" * (2 << 20) + b"\n", len(RECORDS))],
)
def test_a_fault_at_the_end_or_in_a_long_line_is_one_of_its_object(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str, content: bytes, place: int
) -> None:
    site.put("good.log", 3)
    site.raw.put("bad.log", content)

    def fail(*_: Any) -> Any:
        raise IndexError("out of range")

    with monkeypatch.context() as patch:
        patch.setattr(SchematicParser, method, fail)
        (failed,) = site.ingest().failed
    assert failed.key == "bad.log"
    assert failed.reason.startswith(f"bug: the parser failed at byte {place} ")
    assert paths_in(site.settings) == pages("good.log", 0, 3)


def test_parse_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(LINES + b"boom\n")
    _fail_at(access, "read_head", b"boom", monkeypatch)
    with pytest.raises(ParserBug, match=rf"a\.log: bug: .* at byte {len(LINES)} \(line 201\)"):
        list(json_lines(log, ParseSettings()))
