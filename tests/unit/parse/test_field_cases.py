"""Lines of public bug reports, with the values that are right for each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fixtures.outcome import ACCESS, IDENTITY, SETTINGS, Outcome, read

CASES = (
    "f01-syslog-prefix",
    "f05-vhost-hostname-client",
    "f07-ingress-nginx-old",
    "f09-quoted-host-before-referrer",
    "f11-forwarded-then-time",
    "f13-gzip-ratio-is-no-cookie",
    "f14-traefik-status-0",
    "f16-zone-utc-gmt",
    "f26-zero-time-query",
    "f27-host-name-clients",
    "f28-flask-colours",
    "f29-lines-that-work",
    "f30-fields-behind-the-time",
)
# Fields between the time and the request are outside the grammar: `auto` finds no format.
UNKNOWN = "f30-fields-behind-the-time"
TODAY = replace(IDENTITY, ingest_time=datetime(2026, 11, 25, tzinfo=UTC))


@pytest.fixture(autouse=True)
def after_all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the lines later than any of them was written."""
    monkeypatch.setattr("fixtures.outcome.IDENTITY", TODAY)


def verdicts(outcome: Outcome) -> dict[int, dict[str, Any]]:
    """Return what each line became by its number: its status, and reason or codes and columns."""
    events = {
        row["source_line"]: {
            "status": row["parse_status"],
            "warnings": row["parse_warnings"].split(",") if "parse_warnings" in row else [],
            "fields": row,
        }
        for row in outcome.events
    }
    rejects = {
        row["source_line"]: {"status": "reject", "reason": row["reason"]} for row in outcome.rejects
    }
    return events | rejects


def agrees(verdict: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether `verdict` is as `expected`, which names only the columns that matter."""
    columns = verdict.get("fields", {})
    named = {name: shown(columns.get(name)) for name in expected.get("fields", {})}
    told = {key: verdict.get(key) for key in expected} | ({"fields": named} if named else {})
    return told == expected


def shown(value: Any) -> Any:
    """Return `value` as the cases write it; strftime pads no year."""
    return f"{value.year:04}-{value:%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


def is_shifted(verdict: dict[str, Any]) -> bool:
    """Return whether a field of the row is another's: what the cases say must never come out."""
    row = verdict.get("fields", {})
    return (
        row.get("referrer") == "www.example.com"
        or row.get("user_agent", "").startswith("https://www.example.com")
        or "Mozilla" in row.get("cookie", "")
    )


@pytest.mark.parametrize("name", CASES)
def test_case(field_cases: Path, name: str) -> None:
    folder = field_cases / name
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    expected = expected["files"]["input.log"]
    outcome = read(
        (folder / "input.log").read_bytes(), settings=ACCESS if name == UNKNOWN else SETTINGS
    )
    assert outcome.lines == expected["counts"]
    found = verdicts(outcome)
    assert sorted(found) == list(range(1, len(expected["lines"]) + 1))
    for number, line in enumerate(expected["lines"], 1):
        assert any(agrees(found[number], choice) for choice in line.get("any_of", [line])), number
        assert "never" not in line or not is_shifted(found[number]), line["never"]


def test_lines_outside_the_grammar_are_no_format(field_cases: Path) -> None:
    verdict = read((field_cases / UNKNOWN / "input.log").read_bytes()).verdict
    assert (verdict.file_status, verdict.file_reason) == ("rejected", "unknown_format")


def test_times_are_shown_as_the_cases_write_them() -> None:
    assert shown(datetime(1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "0001-02-03T04:05:06.000000Z"
