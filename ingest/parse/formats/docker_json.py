"""Docker's json-file log around the lines of a server, `docker_json`: issue 12.

    {"log":"the line\\n","stream":"stdout","time":"2024-05-06T07:08:09.123456789Z"}

Docker cuts a line after 16 kB; only the last piece ends in a line break. A piece is refused, also
the last: what a client wrote into a long URL could otherwise pass for a request of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.fields.text import is_blank
from ingest.parse.format import Format, Head, ParserOfLines
from ingest.parse.formats import access
from ingest.parse.json_lines import (
    EMPTY,
    fast_objects,
    is_json,
    read_line,
    refuse_pretty_printed,
    shapes,
)
from ingest.parse.json_object import Members
from ingest.parse.json_value import BadValue, read_value
from ingest.parse.model import Identity, Lines
from ingest.parse.registry import register
from ingest.parse.verdict import BLANK, Event, EventArray, Reject, Verdict
from ingest.settings import ParseSettings

GRAMMAR = """\
{"log":"...\\n","stream":"stdout","time":"..."}

log             a line of the format access, or of one that jsonl chooses
time, stream    extra.relay

A line of more than 16 kB, which Docker cuts into several, is rejected as no_match."""
_NAMES = ("log", "stream", "time")
_PIECE = Reject("no_match", "a piece of a line that docker cut after 16 kB")


def is_wrapped(line: bytes) -> bool:
    """Return whether the line looks like one that Docker wrote."""
    return line.startswith(b'{"log":"') and b'","stream":"' in line


def score(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample Docker wrote."""
    return sum(map(is_wrapped, head.sample))


class LineReader:
    """Reads the lines of one object in their order: each may be the rest of a line before it."""

    def __init__(self, settings: ParseSettings) -> None:
        """No line is cut yet."""
        self._settings = settings
        self._shapes = shapes()
        self._objects = fast_objects(self._shapes, settings)
        self._cut_streams: set[str] = set()

    def __call__(self, raw: bytes) -> Verdict:
        """Return the verdict on one line, given without its line end."""
        if is_blank(raw):
            return BLANK
        warnings: set[str] = set()
        try:
            value = read_value(raw, warnings)
        except BadValue as error:
            return Reject(error.reason, error.detail)
        if not isinstance(value, dict):
            return Reject("not_an_object", "not an object")
        if not all(isinstance(value.get(name), str) for name in _NAMES):
            return Reject("no_match", f"docker_json needs the texts {', '.join(_NAMES)}")
        log, stream, time = (value.pop(name) for name in _NAMES)
        if self._is_piece(log, stream):
            return _PIECE
        verdict = _inside(self._read(log.removesuffix("\n").removesuffix("\r")))
        for event in _events(verdict):
            event.warnings |= warnings
            _put_relay(event, f"{time} {stream}", value)
        return verdict

    def parse_fast(
        self, lines: Lines, identity: Identity, settings: ParseSettings
    ) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """Read the lines of a usual shape that are surely whole; see `FastPath`."""
        from ingest.parse.kernels.wrapped import parse_wrapped

        return parse_wrapped(
            lines,
            identity,
            settings,
            cut_streams=self._cut_streams,
            access=_parse_access,
            objects=self._objects,
        )

    def _is_piece(self, log: str, stream: str) -> bool:
        was_cut = stream in self._cut_streams
        if log.endswith("\n"):
            self._cut_streams.discard(stream)
            return was_cut
        self._cut_streams.add(stream)
        return True

    def _read(self, text: str) -> Verdict:
        if "\n" in text:
            return Reject("no_match", "several lines in one log")
        raw = text.encode()
        if is_json(raw):
            return read_line(raw, self._shapes, self._settings)
        verdict = access.parse_line(raw, self._settings)
        for event in _events(verdict):
            event.values["source_format"] = "access"
        return verdict


def _parse_access(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    return access.parse_fast(lines, identity, replace(settings, format="access"))


def _inside(verdict: Verdict) -> Verdict:
    """Return `verdict`; the place that a reject names is one in the log of the line."""
    if isinstance(verdict, Reject) and verdict.detail is not None:
        return replace(verdict, detail=f"{verdict.detail} of its log")
    return verdict


def _events(verdict: Verdict) -> tuple[Event, ...]:
    if isinstance(verdict, Event):
        return (verdict,)
    return verdict.events if isinstance(verdict, EventArray) else ()


def _put_relay(event: Event, relay: str, rest: dict[str, Any]) -> None:
    """Keep what Docker wrote around the line, before what another relay wrote into it."""
    inner = event.extra.get("relay")
    if isinstance(inner, str):
        event.extra["relay"] = f"{relay} {inner}"
        Members(rest, EMPTY).put_rest(event)
    else:
        Members({**rest, "relay": relay}, EMPTY).put_rest(event)


def docker_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object."""
    reader = LineReader(settings)
    return ParserOfLines(identity, settings, reader, fast_path=reader.parse_fast)


register(
    Format(
        name="docker_json",
        description="Docker's json-file log around access lines or JSON lines",
        grammar=GRAMMAR,
        parser=docker_parser,
        score=score,
        rank=2,
        refusal=refuse_pretty_printed,
    )
)
