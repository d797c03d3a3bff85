"""What the queries of the report find."""

from __future__ import annotations

from fixtures.memory_warehouse import MemoryWarehouse

from ingest.report import queries
from ingest.report.gather import Asker


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
