"""The verdicts on one file as JSON lines, and the formats explained: no Spark, no lake."""

from __future__ import annotations

import heapq
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.errors import ClickstreamError, ObjectUnreadable, ParserBug
from ingest.parse.fields.colours import without_colours
from ingest.parse.fields.text import repair
from ingest.parse.layout.caret import pointed
from ingest.parse.layout.explain import explained
from ingest.parse.layout.guess import guess
from ingest.parse.model import Identity, ObjectVerdict, Parsed, ReadRange
from ingest.parse.peek import Content
from ingest.parse.place import place_in
from ingest.parse.reader import parse_object
from ingest.parse.registry import AUTO, check_settings, configured, lookup, supported
from ingest.parse.rows import EVENTS_SCHEMA
from ingest.parse.sniff import SNIFF_BYTES, find_format, remedy
from ingest.settings import ParseSettings
from ingest.terminal.text import count_of, json_text, printable

BATCH_ID = "parse"
_USUAL = ParseSettings()
# Takes lines with any keys.
_ANY_JSON = "jsonl"
_GUESS_LINES = 100
_ROWS = 1024  # turned into Python objects at once
_SKIPPED = ["source_offset", "reason"]
_LAST_CHANGE = datetime(2999, 12, 31, tzinfo=UTC).timestamp()
_AUTO = """\
The format of each file is detected from its first 64 KiB: the one that fits most of up to
100 lines. A file that no format fits is refused as a whole (unknown_format). A file has one
format."""

logger = logging.getLogger(__name__)


def json_lines(
    path: Path,
    settings: ParseSettings,
    *,
    called: str | None = None,
    ingest_time: datetime | None = None,
) -> Iterator[str]:
    """Yield {"offset", "status", "warnings", "reason", "detail", "event"} per line, in order.

    A line that is an array of records gives one for each of its events. `event` holds the columns
    that are not null, for `ok` and `warn`, else it is null; `detail` is for rejects. Messages name
    the file as it is `called`, None = by its path.
    `ingest_time` (UTC) is by default the time of the file's last change, so that the same file
    gives the same text. Lines come as they are read. Raises ClickstreamError at the end when the
    file is damaged or refused as a whole, ParserBug when its parser fails, ObjectUnreadable when it
    cannot be read, SettingsError for a format that is not supported or does not read the settings
    given for it.
    """
    check_settings(settings)
    called = called or str(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ObjectUnreadable(f"{called} is not a regular file")
        identity = Identity(
            source_file=os.fsencode(path.name).decode(errors="backslashreplace"),
            batch_id=BATCH_ID,
            ingest_time=ingest_time or _changed(found.st_mtime),
        )
        with path.open("rb", buffering=0) as file:
            read = _reader(file.fileno())
            for item in parse_object(
                read, found.st_size, name=path.name, identity=identity, settings=settings
            ):
                if isinstance(item, ObjectVerdict):
                    _conclude(called, item)
                else:
                    yield from _shown(item)
    except ParserBug as error:
        raise ParserBug(f"{called}: {error}") from error
    except OSError as error:
        raise ObjectUnreadable(f"{called} cannot be read: {error.strerror}") from error


def _changed(seconds: float) -> datetime:
    """Return the time of the last change, kept within 1970 to 2999: a file may claim any time."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_CHANGE), tz=UTC)


def _reader(descriptor: int) -> ReadRange:
    def read(start: int, end: int) -> bytes:
        parts = []
        while start < end and (part := os.pread(descriptor, end - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    return read


def _conclude(called: str, verdict: ObjectVerdict) -> None:
    """Raise ClickstreamError when none of the file would be loaded; warn of other oddities."""
    status, reason = verdict.file_status, verdict.file_reason or ""
    if status == "corrupt_gzip":
        raise ClickstreamError(f"{called} is damaged, so none of it would be loaded: {reason}")
    if status == "rejected":
        advice = remedy(reason)
        text = f"({reason}): {advice}" if advice else f"({reason})"
        raise ClickstreamError(f"{called} is refused as a whole {text}")
    if status != "ok":
        logger.warning("%s: %s (%s)", called, status, reason)


def _shown(parsed: Parsed) -> Iterator[str]:
    """Yield the verdicts of one chunk as JSON, in input order."""
    return map(json_text, _rows(parsed))


def _rows(parsed: Parsed) -> Iterator[dict[str, Any]]:
    return heapq.merge(
        _events(parsed.events),
        _others(parsed.skips.select(_SKIPPED), "skip"),
        _others(parsed.rejects.select([*_SKIPPED, "detail"]), "reject"),
        key=lambda row: row["offset"],
    )


def _events(events: pa.Table) -> Iterator[dict[str, Any]]:
    # The fast path's events come before the others of their chunk.
    ordered = events.cast(EVENTS_SCHEMA).sort_by("source_offset")
    for batch in ordered.to_batches(max_chunksize=_ROWS):
        for row in batch.to_pylist():
            codes = row["parse_warnings"]
            yield {
                "offset": row["source_offset"],
                "status": row["parse_status"],
                "warnings": codes.split(",") if codes else [],
                "reason": None,
                "detail": None,
                "event": {k: _json_value(k, v) for k, v in row.items() if v is not None},
            }


def _json_value(column: str, value: Any) -> Any:
    """Return `value` as JSON has it: times with six digits and Z, `extra` as an object."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return json.loads(value) if column == "extra" else value


def _others(table: pa.Table, status: str) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=_ROWS):
        for row in batch.to_pylist():
            yield {
                "offset": row["source_offset"],
                "status": status,
                "warnings": [],
                "reason": row["reason"],
                "detail": row.get("detail"),
                "event": None,
            }


def formats() -> list[tuple[str, str]]:
    """Return (name, description) of each format that can be configured."""
    auto = (AUTO, "detects the format of each file from its content")
    return [auto, *((form.name, form.description) for form in supported())]


def explain(what: str, line: str | None = None, settings: ParseSettings = _USUAL) -> str:
    """Return what the format named `what`, or the log format string `what`, captures.

    With a `line`, then also the verdict on it as `settings` say, and where it stops fitting. Raises
    SettingsError for a format that is not supported or a string that cannot be compiled.
    """
    is_string = any(mark in what for mark in "%$")
    settings = replace(settings, log_format=what) if is_string else replace(settings, format=what)
    form = configured(settings)
    string = what if is_string else None if form is None else form.layout
    parts = [] if string is None else [string.strip(" "), explained(string)]
    if not is_string:
        parts.append(_AUTO if form is None else form.explanation)
    if line is not None:
        header = b"" if form is None or line.startswith("#") else form.usual_header
        if header:
            parts.append(f"The line is read below the usual header:\n{header.decode().strip()}")
        parts.append(_tried(line, settings, header))
    return "\n\n".join(parts)


def guessed(path: Path) -> str:
    """Return a log format for the lines of `path`, and what it captures.

    Raises ObjectUnreadable when the file cannot be read, ClickstreamError when no string is found
    or `auto` finds a format that no string describes.
    """
    try:
        with path.open("rb", buffering=0) as file:
            content = Content(_reader(file.fileno()), os.fstat(file.fileno()).st_size)
            head = next(iter(content.pieces()), b"")[:SNIFF_BYTES]
    except OSError as error:
        raise ObjectUnreadable(f"{path} cannot be read: {error.strerror}") from error
    known = find_format(head, whole=len(head) < SNIFF_BYTES, settings=ParseSettings()).format
    if known is not None and known != _ANY_JSON and not lookup(known).is_fallback:
        raise ClickstreamError(
            f"{path}: its lines look like the format {known};"
            f" see `clickstream formats explain {known}`"
        )
    *lines, last = head.decode(errors="replace").replace("\r\n", "\n").split("\n")
    sample = [line for line in (lines or [last])[:_GUESS_LINES] if line.strip(" ")]
    if not sample:
        raise ClickstreamError(f"{path} has no lines from which a format could be guessed")
    if all(line.lstrip(" \t").startswith(("{", "[{")) for line in sample):
        raise ClickstreamError(
            f"{path}: its lines are JSON, which needs no such string: try `clickstream parse`; if"
            " that rejects them, see `clickstream formats explain json_mapping`"
        )
    found = guess(sample)
    if found is None:
        raise ClickstreamError(
            f"{path}: its lines have no common layout; see `clickstream formats`"
        )
    counted = (
        f"{found.fitting} of {count_of(len(sample), 'line')} fit; check the names against the"
        " configuration of your server, and give each $field_N one"
    )
    return f"{printable(found.string)}\n\n{explained(found.string)}\n\n{counted}"


def _tried(line: str, settings: ParseSettings, header: bytes) -> str:
    """Return the verdict on `line` below `header`; of a reject why, and the place."""
    raw = header + line.encode(errors="replace")
    identity = Identity(source_file=BATCH_ID, batch_id=BATCH_ID, ingest_time=datetime.now(UTC))
    items = list(
        parse_object(
            lambda start, end: raw[start:end],
            len(raw),
            name=BATCH_ID,
            identity=identity,
            settings=settings,
        )
    )
    parsed = [item for item in items if isinstance(item, Parsed)]
    shown = [row for item in parsed for row in _rows(item) if row["offset"] >= len(header)]
    for item in items:
        if isinstance(item, ObjectVerdict):
            _conclude("the line", item)
    return "\n".join(text for row in shown for text in (json_text(row), *_why(row, line)))


def _why(row: Mapping[str, Any], line: str) -> Iterator[str]:
    """Yield why `line` was rejected beyond the reason, with a caret at the place it names."""
    detail = row["detail"]
    if detail is None:
        return
    yield f"{row['reason']}: {printable(detail)}"
    at = place_in(detail)
    if at is not None:
        yield pointed(without_colours(repair(line.encode(errors="replace"), set())), at)
