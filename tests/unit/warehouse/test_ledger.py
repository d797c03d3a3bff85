"""What a target keeps of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ingest.lake.records import RECORD_FORMAT, BatchRecord, NamedFile, Totals
from ingest.warehouse.ledger import LedgerRow, manifest_hash, to_arrow

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def record(
    number: int, batch_id: str, *, replaces: Sequence[str] = (), read: int = 0, rejected: int = 0
) -> BatchRecord:
    totals = Totals(
        objects=1,
        bytes=10,
        lines_read=read,
        lines_ok=read - rejected,
        lines_warn=0,
        lines_skip=0,
        lines_reject=rejected,
        events=read - rejected,
        rejects=rejected,
        min_event_time=None,
        max_event_time=AT,
        counts={},
    )
    return BatchRecord(
        format=RECORD_FORMAT,
        number=number,
        batch_id=batch_id,
        writer="w",
        sealed_at=AT,
        ingest_time=AT,
        source="raw",
        contract_version=1,
        parser_version=1,
        settings_hash="s",
        range_bytes=8 << 20,
        reject_limit_ratio=0.01,
        replaces=tuple(replaces),
        objects=(),
        files={"events": (NamedFile(path="events/x", rows=read, bytes=5),), "rejects": ()},
        totals=totals,
    )


A, B = record(1, "a"), record(2, "b", replaces=["a"])


def test_the_manifest_hash_follows_the_files_and_nothing_else() -> None:
    moved = replace(A, files={"events": (NamedFile(path="events/y", rows=0, bytes=5),)})

    assert manifest_hash(A) == manifest_hash(replace(A, writer="another", number=9))
    assert manifest_hash(A) != manifest_hash(moved)


def test_the_ledger_has_a_row_per_batch_in_number_order() -> None:
    entries = [
        LedgerRow(record=one, state=state, replaced_by=by, manifest_hash=None, loaded_at=AT)
        for one, state, by in ((B, "live", None), (A, "replaced", "b"))
    ]

    rows = to_arrow(entries).to_pylist()

    assert [(row["batch_number"], row["state"], row["replaced_by"]) for row in rows] == [
        (1, "replaced", "b"),
        (2, "live", None),
    ]
    assert rows[0]["min_event_time"] is None
    assert rows[0]["max_event_time"] == AT
    assert rows[0]["objects"] == 1
