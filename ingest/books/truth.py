"""The generator's answer beside what came out: files, lines, marts.

`truth.json` was counted while the logs were drawn, without any parser or query of ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.errors import SettingsError
from ingest.lake.checks import Check, compare_rows, first_few
from ingest.lake.records import BatchRecord
from ingest.warehouse import Warehouse

_PER_FILE = (
    "file_status", "source_format", "lines_read", "lines_ok", "lines_warn", "lines_skip",
    "lines_reject", "events",
)  # fmt: skip


def read_truth(path: Path) -> dict[str, Any]:
    """Return the content of a truth.json; raises SettingsError when it is none."""
    try:
        truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        truth["files"], truth["marts"], truth["totals"], truth["events"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} is no truth.json of `clickstream sample` ({type(error).__name__}: {error})"
        ) from error
    return truth


def other_objects(truth: Mapping[str, Any], live: Sequence[BatchRecord]) -> str:
    """Return which raw objects the lake and the truth do not share, as text; empty when none.

    A truth about other files proves nothing.
    """
    here = {found.source_file for record in live for found in record.objects}
    return first_few(sorted(here ^ truth["files"].keys()))


def lake_checks(truth: Mapping[str, Any], live: Sequence[BatchRecord]) -> list[Check]:
    """Compare the verdicts on files and lines with the truth."""
    objects = {
        found.source_file: {name: getattr(found, name) for name in _PER_FILE}
        for record in live
        for found in record.objects
    }
    files = {key: {name: row[name] for name in _PER_FILE} for key, row in truth["files"].items()}
    counts: Counter[str] = Counter()
    for record in live:
        counts.update(record.totals.counts)
    return [
        compare_rows("files = truth", files, objects),
        compare_rows("lines by code and reason = truth", truth["totals"]["counts"], counts),
    ]


def mart_checks(truth: Mapping[str, Any], warehouse: Warehouse) -> list[Check]:
    """Compare each mart with the truth, row by row where the truth has rows."""
    marts = truth["marts"]

    def rows(sql: str) -> dict[object, object]:
        found = warehouse.query(sql.format(schema=warehouse.schemas.marts)).rows
        return {_key(row[0]): row[1:] for row in found}

    return [
        compare_rows(
            "number_of_views_per_session by action = truth",
            {
                action: (cell["rows"], cell["number_of_views"])
                for action, cell in marts["number_of_views_per_session"]["by_action"].items()
            },
            rows(_VIEWS),
        ),
        compare_rows(
            "number_of_sessions_per_ip = truth",
            {
                client: (cell["total_sessions"], cell["total_events"])
                for client, cell in marts["number_of_sessions_per_ip"].items()
            },
            rows(_CLIENTS),
        ),
        compare_rows(
            "number_of_events_per_http_response = truth",
            {
                status: (count,)
                for status, count in marts["number_of_events_per_http_response"].items()
            },
            rows(_STATUSES),
        ),
        compare_rows(
            "number_of_events_per_brand = truth",
            {
                brand: (cell["total_events"], cell["views"], cell["purchases"])
                for brand, cell in marts["number_of_events_per_brand"].items()
            },
            rows(_BRANDS),
        ),
        compare_rows(
            "fct_traffic_hourly = truth",
            {
                hour: (cell["events"], cell["events"] - cell["bots"])
                for hour, cell in truth["events"]["by_hour"].items()
            },
            rows(_HOURS),
        ),
    ]


def _key(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


_VIEWS = """
    select action, count(*), sum(number_of_views)
    from {schema}.number_of_views_per_session group by action
"""
_CLIENTS = "select clientip, total_sessions, total_events from {schema}.number_of_sessions_per_ip"
_STATUSES = "select status_code, total_events from {schema}.number_of_events_per_http_response"
_BRANDS = "select brand, total_events, views, purchases from {schema}.number_of_events_per_brand"
_HOURS = """
    select event_hour, total_events, human_events from {schema}.fct_traffic_hourly
"""
