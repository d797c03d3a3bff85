"""What the queries of the report find."""

from __future__ import annotations

import re

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.report import queries
from ingest.report.gather import Asker, _views


def test_what_a_later_batch_could_read_is_no_longer_refused() -> None:
    warehouse = MemoryWarehouse()
    warehouse.make("landing.batches", [{"batch_id": n, "batch_number": n} for n in (1, 2)])
    verdicts = [(1, "a", "failed"), (1, "b", "rejected"), (2, "a", "ok"), (2, "c", "corrupt_gzip")]
    warehouse.make(
        "clickstream_staging.stg_landing__files",
        [
            {"batch_id": batch, "source_file": name, "file_status": status, "file_reason": "why"}
            for batch, name, status in verdicts
        ],
    )

    assert Asker(warehouse=warehouse).rows(queries.REFUSED) == [
        ("b", "rejected", "why"),
        ("c", "corrupt_gzip", "why"),
    ]


def test_a_session_without_views_is_none_of_the_most_viewed() -> None:
    warehouse = MemoryWarehouse()
    cells = [("a", "purchase", 0), ("b", "view", 2), ("b", "purchase", 0), ("c", "view", None)]
    warehouse.make(
        "clickstream.number_of_views_per_session",
        [
            {"sessionid": session, "action": action, "number_of_views": views}
            for session, action, views in cells
        ],
    )

    assert Asker(warehouse=warehouse).rows(queries.TOP_SESSIONS) == [
        ("b", "purchase", 0),
        ("b", "view", 2),
    ]


@pytest.mark.parametrize(
    ("session", "lead"),
    [
        ("a", "The 25 sessions with the most views, of 1. Every"),
        (None, "No event belongs to a shopping session: .* JSESSIONID.* session_parameter"),
    ],
)
def test_without_sessions_the_chart_says_what_makes_one(session: str | None, lead: str) -> None:
    warehouse = MemoryWarehouse()
    cell = {"sessionid": session, "action": "view", "number_of_views": 0}
    warehouse.make("clickstream.number_of_views_per_session", [cell])

    chart, count = _views(Asker(warehouse=warehouse))

    assert count == (session is not None)
    assert re.match(lead, chart.lead)
