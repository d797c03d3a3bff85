"""One line of JSON in, what it says out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fixtures.outcome import read

from ingest.settings import ParseSettings

_SHARED = ("event_id", "batch_id", "ingest_time", "source_file", "source_line", "source_offset")
JSONL = ParseSettings(format="jsonl")


def encoded(value: Any) -> bytes:
    """Return `value` as a line; bytes as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def row_of(value: Any, settings: ParseSettings = JSONL, **changes: Any) -> dict[str, Any]:
    """Return what the one line `value` says, `extra` decoded, times as text, codes as a list."""
    outcome = read(encoded(value), settings=replace(settings, **changes))
    assert [row["detail"] for row in outcome.rejects] == []
    (row,) = outcome.events
    row["extra"] = json.loads(row.get("extra", "{}"))
    row["warnings"] = row.pop("parse_warnings", "").split(",") if "parse_warnings" in row else []
    if "event_time" in row:
        row["event_time"] = f"{row['event_time']:%Y-%m-%dT%H:%M:%S.%fZ}"
    return {name: value for name, value in row.items() if name not in _SHARED}


def reason_of(value: Any, settings: ParseSettings = JSONL, **changes: Any) -> str:
    """Return why the one line `value` is skipped or rejected."""
    outcome = read(encoded(value), settings=replace(settings, **changes))
    assert outcome.events == []
    (row,) = outcome.skips + outcome.rejects
    return str(row["reason"])


def check(row: dict[str, Any], expected: dict[str, Any], extra: dict[str, Any]) -> None:
    """Assert that `row` has `expected`, where None is null, and all of `extra` and no more."""
    assert {name: row.get(name) for name in expected} == expected
    assert row["extra"] == extra
