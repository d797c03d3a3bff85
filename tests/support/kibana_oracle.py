"""What a panel must show, counted in the reference file with csv and dictionaries."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from support.kibana_search import Row, Search

Event = Mapping[str, str | None]
_COLUMNS = {
    "session.id": "SessionID",
    "source.ip": "ClientIP",
    "product.brand": "Brand",
    "http.response.status_code": "Rstat",
    "http.response.bytes": "Rbytes",
    "http.request.referrer": "URL",
    "clickstream.purchases": "# Of Purchases",
    "clickstream.views": "# Of Views",
}
# The same for each line: the file has no times and no pages, and counts bodies.
_OF_ALL = {
    "url.path": None,
    "@timestamp": None,
    "event.dataset": "schematic-csv",
    "log.file.path": "raw/Schematic_Log.csv",
    "clickstream.parse_status": "warn",
    "clickstream.warnings": "no_timestamp",
    "clickstream.bytes_scope": "body",
}


def events(path: Path, *, batch_id: str) -> list[Event]:
    """Return the fields of each line of the file."""
    of_all = {**_OF_ALL, "clickstream.batch_id": batch_id}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [
            {
                **of_all,
                **{field: line[column] for field, column in _COLUMNS.items()},
                "event.action": line["Action"].lower(),
            }
            for line in csv.DictReader(lines)
        ]


def check(search: Search, rows: Sequence[Row], found: Sequence[Event]) -> None:
    """Fail unless `rows` are those of `search` over `found`: each bucket, the best ones first."""
    shown = dict(rows)
    _check_level(search, shown, (), found)


def _check_level(
    search: Search,
    shown: Mapping[tuple[str, ...], tuple[float, ...]],
    keys: tuple[str, ...],
    found: Sequence[Event],
) -> None:
    # Kibana's unique counts are approximate.
    assert shown[keys] == pytest.approx(_metrics(search, found), rel=0.01)
    if len(keys) == len(search.splits):
        return
    field, size = search.splits[len(keys)]
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in found:
        if (value := event[field]) is not None:
            groups[value].append(event)
    below = [other for other in shown if other[:-1] == keys and other]
    best = sorted((_metrics(search, group)[0] for group in groups.values()), reverse=True)
    assert [shown[other][0] for other in below] == pytest.approx(best[:size], rel=0.01)
    for other in below:
        _check_level(search, shown, other, groups[other[-1]])


def _metrics(search: Search, found: Sequence[Event]) -> tuple[float, ...]:
    return tuple(_metric(op, field, found) for op, field in search.metrics)


def _metric(op: str, field: str | None, found: Sequence[Event]) -> float:
    values = [value for event in found if field and (value := event[field]) is not None]
    match op:
        case "count":
            return len(found)
        case "sum":
            return sum(map(int, values))
    return len(set(values))
