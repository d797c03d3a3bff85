"""What would mend a rejected line or a refused object: advice, and commands to copy.

Whatever can be tried is tried: the line is read again with settings that changed since, and by each
format.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.errors import ClickstreamError
from ingest.parse.model import Identity, ObjectVerdict
from ingest.parse.reader import parse_object
from ingest.parse.registry import AUTO
from ingest.parse.sniff import remedy
from ingest.settings import BY_FORMAT, MAX_LINE_BYTES, ParseSettings, Source

# A longer line is no longer looked at in a shell.
_MOST_COPIED = 400
_GONE = "its source is no longer in clickstream.toml: add it there"
_READ_NOW = "settings or parser have changed since: this line is read now"
_REPAIR = "the line was damaged where it was written: repair the file in place, or leave it"
_LAYOUT = "the line does not fit its format: correct {settings}"
_OWN_SOURCE = (
    "a source of its own: move it to another folder, or tell it apart by the pattern in each `uri`"
)
_OWN_JSON = (
    'no known JSON format has such keys: say where each column is, with format = "json_mapping" and'
    f" `mapping`; beside logs of other formats this log needs {_OWN_SOURCE}"
)
_ADVICE = {
    "no_match": _LAYOUT,
    "wrong_field_count": _LAYOUT,
    "bad_timestamp": (
        "the time does not exist, or is written in another layout: correct the file or {settings}"
    ),
    "wrong_log_type": f"the line is of a sibling log: give that log {_OWN_SOURCE}",
    "bad_json": _REPAIR,
    "trailing_data": _REPAIR,
    "not_an_object": _REPAIR,
    "bad_csv": _REPAIR,
}
_UPLOAD = "upload it again, whole: the next run reads a changed file"
_UNKNOWN_FORMAT = "unknown_format"
_JSON = "jsonl"
_USUAL = ParseSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to do, as one sentence, and commands for a shell in their order."""

    advice: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A rejected line of many alike: why it was rejected, and the format that it was read as.

    `raw` are its bytes, or the first of them when `is_cut`. `longest` counts the bytes of the
    longest such line. `has_changed` tells whether settings or parser are others since. `key` is
    the path of its log within the source, `file` that on this machine, None when it does not lie
    there.
    """

    reason: str
    source_format: str
    raw: bytes
    is_cut: bool
    longest: int
    has_changed: bool
    key: str
    file: Path | None


def mend_line(line: Rejected, source: Source | None) -> Remedy:
    """Return what would mend the line; `source` None = it is no longer in the settings."""
    if source is None:
        return Remedy(advice=_GONE)
    again = f"clickstream replay {shlex.quote(source.name)} --rejects"
    # Else the line alone may be read only because it is alone: its header would be missing.
    if line.has_changed and _reads(line, source.parse) is not None:
        return Remedy(advice=_READ_NOW, commands=(again,))
    if line.reason == "line_too_long":
        return _mend_length(line.longest, source, again)
    unset: dict[str, Any] = dict.fromkeys(BY_FORMAT)
    other = _reads(line, replace(source.parse, format=AUTO, **unset))
    if other is not None and other != line.source_format:
        own = _own_settings(source.parse)
        without = f" without {' and '.join(own)}" if own else ""
        explain = (_explain(line, source.parse),) if own else ()
        settings = ParseSettings(format=other, timezone=source.parse.timezone)
        return Remedy(
            advice=(
                f'the format {other} reads this line: set format = "{other}"{without} for source'
                f" {source.name}, or give this log {_OWN_SOURCE}"
            ),
            commands=(*explain, *_previews(line.file, settings), again),
        )
    advice = _ADVICE.get(line.reason, _LAYOUT)
    if advice is _REPAIR:
        name, key = shlex.quote(source.name), shlex.quote(line.key)
        return Remedy(
            advice=advice,
            commands=(
                *_previews(line.file, source.parse),
                f"clickstream replay {name} --key {key}",
            ),
        )
    if line.reason == "no_match" and line.source_format == _JSON:
        advice = _OWN_JSON
    names = _own_settings(source.parse) or ["`log_format`"]
    return Remedy(
        advice=advice.format(settings=" or ".join(["`format`", *names])),
        commands=(_explain(line, source.parse), *_previews(line.file, source.parse), again),
    )


def mend_object(reason: str, file: Path | None, source: Source | None) -> Remedy:
    """Return what to do about an object that was refused as a whole, for the file_reason `reason`.

    `file` is where it lies on this machine, None when it does not.
    """
    if source is None:
        return Remedy(advice=_GONE)
    commands = list(_previews(file, source.parse))
    if reason == _UNKNOWN_FORMAT and file is not None:
        commands.insert(0, f"clickstream formats explain --guess {shlex.quote(str(file))}")
    again = f"clickstream replay {shlex.quote(source.name)} --rejects"
    return Remedy(advice=remedy(reason) or _UPLOAD, commands=(*commands, again))


def _own_settings(settings: ParseSettings) -> list[str]:
    """Return which settings describe lines of a user's own."""
    return [f"`{name}`" for name in BY_FORMAT if getattr(settings, name) is not None]


def _mend_length(longest: int, source: Source, again: str) -> Remedy:
    if longest > MAX_LINE_BYTES:
        return Remedy(
            advice=f"a line has {longest:,} bytes, and no source may allow more than"
            f" {MAX_LINE_BYTES:,}: such lines stay rejected"
        )
    return Remedy(
        advice=f"set max_line_bytes = {longest} or more for source {source.name}", commands=(again,)
    )


def _reads(line: Rejected, settings: ParseSettings) -> str | None:
    """Return the format that reads the line by `settings`; None when it is rejected or refused."""
    if line.is_cut:
        return None
    identity = Identity(source_file="", batch_id="", ingest_time=datetime.now(UTC))
    raw = line.raw
    try:
        *_, verdict = parse_object(
            lambda start, end: raw[start:end],
            len(raw),
            name="",
            identity=identity,
            settings=settings,
        )
    except ClickstreamError:
        return None  # settings that no run would take, or a bug that made the file fail
    assert isinstance(verdict, ObjectVerdict)  # noqa: S101  it comes last
    is_read = verdict.lines_read and not verdict.lines_reject
    return verdict.source_format if is_read else None


def _explain(line: Rejected, settings: ParseSettings) -> str:
    """Return the command that shows where the line stops fitting its format.

    The line is left out where a shell would not get exactly its bytes.
    """
    format_or_string = settings.log_format or line.source_format
    command = f"clickstream formats explain {shlex.quote(format_or_string)}{_reading(settings)}"
    text = line.raw.decode(errors="replace")
    is_exact = not line.is_cut and text.isprintable() and text.encode() == line.raw
    if is_exact and len(text) <= _MOST_COPIED:
        command += f" --line {shlex.quote(text)}"
    return command


def _previews(file: Path | None, settings: ParseSettings) -> Iterator[str]:
    """Yield the command that shows the verdict on each line of a file on this machine."""
    if file is not None:
        options = f" --format {settings.format}"
        if settings.log_format is not None:
            options += f" --log-format {shlex.quote(settings.log_format)}"
        yield f"clickstream parse {shlex.quote(str(file))}{options}{_reading(settings)}"


def _reading(settings: ParseSettings) -> str:
    """Return the options without which the lines would be read in another way, or not at all."""
    options = [
        ("--timezone", settings.timezone if settings.timezone != _USUAL.timezone else None),
        *(("--mapping", f"{column}={path}") for column, path in settings.mapping or ()),
        ("--time-unit", settings.time_unit),
        ("--fields", None if settings.fields is None else " ".join(settings.fields)),
        ("--delimiter", settings.delimiter),
    ]
    given = [(name, value) for name, value in options if value is not None]
    return "".join(f" {name} {shlex.quote(value)}" for name, value in given)
