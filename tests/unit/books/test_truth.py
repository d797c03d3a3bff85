"""The marts compared with the generator's answers: every difference is seen, in any mart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.records import make_draft, raw_object

from ingest.books.truth import lake_checks, mart_checks, read_truth
from ingest.errors import SettingsError
from ingest.lake.checks import Check
from ingest.lake.counts import COUNTS
from ingest.warehouse import Rows

MART = "events_per_color"
TRUTH = {
    "marts": {
        MART: {
            "key": "color",
            "rows": {
                "red": {"row_count": 2, "total_events": 7, "human_events": 5},
                "404": {"row_count": 1, "total_events": 1, "human_events": 0},
            },
        }
    }
}


def mart(**changed: Any) -> MemoryWarehouse:
    """Return a warehouse with the mart of TRUTH; `changed` is the difference of its last row."""
    last = {"color": 404, "total_events": 1, "human_events": 0, "not_compared": 9, **changed}
    warehouse = MemoryWarehouse()
    warehouse.make(
        f"clickstream.{MART}",
        [
            {"color": "red", "total_events": 4, "human_events": 2, "not_compared": 1},
            {"color": "red", "total_events": 3, "human_events": 3, "not_compared": 1},
            last,
        ],
    )
    return warehouse


def test_a_mart_that_says_the_truth() -> None:
    (check,) = mart_checks(TRUTH, mart())

    assert (check.name, check.expected, check.found) == (f"{MART} = truth", 2, 2)


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"total_events": 2}, "404"),
        ({"human_events": 1}, "404"),
        ({"human_events": None}, "404"),
        ({"color": "blue"}, "404, blue"),
        ({"color": None}, "404, None"),
        # The sums of red are right, but it has a row too many.
        ({"color": "red", "total_events": 0}, "404, red"),
    ],
)
def test_a_row_that_differs_is_named(changed: dict[str, Any], detail: str) -> None:
    (check,) = mart_checks(TRUTH, mart(**changed))

    assert not check.ok
    assert check.detail == detail


def test_a_log_that_was_read_in_parts_and_moved_is_compared_as_a_whole() -> None:
    parts = [raw_object("a.log", start=0, end=2), raw_object("a.log", start=2, end=3)]
    moved = replace(raw_object("a.log", start=3, end=3), source_format=None)
    records = [make_draft(str(n), found) for n, found in enumerate([*parts, moved])]
    row = {
        "file_status": "ok",
        "source_format": "access",
        **dict.fromkeys(COUNTS, 0),
        "lines_read": 3,
    }

    def files(**changed: int) -> Check:
        truth = {"files": {"a.log": {**row, **changed}}, "totals": {"counts": {"no_match": 0}}}
        return lake_checks(truth, records)[0]

    assert files().ok
    assert not files(lines_read=1).ok


def test_a_mart_that_must_be_empty() -> None:
    (check,) = mart_checks({"marts": {MART: {"key": "color", "rows": {}}}}, mart())

    assert (check.ok, check.detail) == (False, "404, red")


def test_hours_are_compared_in_utc() -> None:
    class Answers(MemoryWarehouse):
        """Gives times as every warehouse does: as datetimes in UTC."""

        def query(self, sql: str, *, at_most: int | None = None) -> Rows:  # noqa: ARG002
            assert " clickstream.hours " in sql
            at = datetime(2025, 3, 4, 9, tzinfo=UTC)
            return Rows(columns=("hour", "a", "b"), rows=[(at, 1, 5)])

    row = {"row_count": 1, "total_events": 5}
    truth = {"marts": {"hours": {"key": "hour", "rows": {"2025-03-04T09:00:00+00:00": row}}}}

    (check,) = mart_checks(truth, Answers())

    assert check.ok


def written(path: Path, truth: object) -> Path:
    path.write_text(json.dumps(truth), encoding="utf-8")
    return path


def test_a_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    truth = {"files": {}, "totals": {}, **TRUTH}

    assert read_truth(written(tmp_path / "truth.json", truth)) == truth


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"files": {}}',
        "\udcff",
        '{"files": {}, "totals": {}, "marts": {"m": {"a": 1}}}',
    ],
)
def test_another_file_is_not_taken_for_a_truth(tmp_path: Path, content: str) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(content.encode(errors="surrogateescape"))

    with pytest.raises(
        SettingsError, match=r"is not a truth\.json written by .*`clickstream sample`"
    ):
        read_truth(path)


@pytest.mark.parametrize(
    "marts",
    [
        {"m; drop table m": {"key": "k", "rows": {}}},
        {"m": {"key": "k, (select 1)", "rows": {}}},
        {"m": {"key": 1, "rows": {}}},
        {"m": {"key": "k", "rows": {"value": {"1) from n --": 1}}}},
    ],
)
def test_only_names_come_into_sql(tmp_path: Path, marts: dict[str, Any]) -> None:
    path = written(tmp_path / "truth.json", {"files": {}, "totals": {}, "marts": marts})

    with pytest.raises(SettingsError, match="has invalid names of marts or columns"):
        read_truth(path)
