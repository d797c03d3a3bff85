"""The generator's answers compared with what came out: objects, lines, marts.

`truth.json` was counted while the logs were generated, without any parser or query of ours.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.errors import SettingsError
from ingest.lake.checks import Check, compare_rows, first_few
from ingest.lake.counts import COUNTS, add_counts
from ingest.lake.records import BatchRecord, ObjectRecord
from ingest.warehouse import Warehouse

_PER_FILE = ("file_status", "source_format", *COUNTS)


def read_truth(path: Path) -> dict[str, Any]:
    """Return the content of a truth.json; raises SettingsError for any other file."""
    try:
        truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        truth["files"], truth["totals"]
        names = {str(name) for mart in truth["marts"].items() for name in _names(*mart)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path} is not a truth.json written by this version of `clickstream sample` "
            f"({type(error).__name__}: {error})"
        ) from error
    # These names go into SQL.
    wrong = sorted(name for name in names if not re.fullmatch("[a-z_]+", name))
    if wrong:
        raise SettingsError(f"{path} has invalid names of marts or columns: {first_few(wrong)}")
    return truth


def _names(name: str, mart: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a mart and of its columns."""
    yield from (name, mart["key"])
    for row in mart["rows"].values():
        yield from row


def other_objects(truth: Mapping[str, Any], live: Sequence[BatchRecord]) -> str:
    """Return which raw objects only the lake or only the truth has, as text; empty when none.

    A truth about other objects proves nothing.
    """
    here = {found.key for record in live for found in record.objects}
    return first_few(sorted(here ^ truth["files"].keys()))


def lake_checks(truth: Mapping[str, Any], live: Sequence[BatchRecord]) -> list[Check]:
    """Compare the verdicts on objects and lines with the truth."""
    ranges: defaultdict[str, list[ObjectRecord]] = defaultdict(list)
    for record in live:
        for found in record.objects:
            if not found.is_move:  # of which nothing was read
                ranges[found.key].append(found)
    objects = {key: _as_truth(found) for key, found in ranges.items()}
    files = {key: {name: row[name] for name in _PER_FILE} for key, row in truth["files"].items()}
    counts: Counter[str] = Counter()
    for record in live:
        counts.update(record.totals.counts)
    return [
        compare_rows("files = truth", files, objects),
        compare_rows("lines by code and reason = truth", truth["totals"]["counts"], counts),
    ]


def _as_truth(ranges: Sequence[ObjectRecord]) -> dict[str, Any]:
    """Return what was read of one object, in all batches, as the truth says it."""
    last = ranges[-1]
    return {
        "file_status": last.file_status,
        "source_format": last.source_format,
        **add_counts(ranges),
    }


def mart_checks(truth: Mapping[str, Any], warehouse: Warehouse) -> list[Check]:
    """Compare each mart with the truth: for each value of a key its rows, and their sums."""
    return [_mart_check(name, mart, warehouse) for name, mart in truth["marts"].items()]


def _mart_check(name: str, mart: Mapping[str, Any], warehouse: Warehouse) -> Check:
    key, rows = mart["key"], mart["rows"]
    sums = sorted({column for row in rows.values() for column in row} - {"row_count"})
    columns = ("row_count", *sums)
    measures = ", ".join(["count(*)", *(f"sum({column})" for column in sums)])
    relation = f"{warehouse.schemas.marts}.{name}"
    answer = warehouse.query(f"select {key}, {measures} from {relation} group by {key}")  # noqa: S608
    found = {_text(value): dict(zip(columns, cells, strict=True)) for value, *cells in answer.rows}
    return compare_rows(f"{name} = truth", rows, found)


def _text(value: object) -> str:
    """Return the value of a key as JSON writes it, where all keys are strings."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
