"""What a target keeps of each batch."""

from __future__ import annotations

from dataclasses import replace

from fixtures.records import NOON, make_draft

from ingest.lake.records import NamedFile
from ingest.warehouse.ledger import LedgerRow, manifest_hash, to_arrow

A, B = (replace(make_draft(name), number=number) for number, name in ((1, "a"), (2, "b")))


def test_the_manifest_hash_follows_the_files_and_nothing_else() -> None:
    moved = replace(A, files={"events": (NamedFile(path="events/y", rows=0, bytes=5),)})

    assert manifest_hash(A) == manifest_hash(replace(A, writer="another", number=9))
    assert manifest_hash(A) != manifest_hash(moved)


def test_the_ledger_has_a_row_per_batch_in_number_order() -> None:
    entries = [
        LedgerRow(record=one, state=state, replaced_by=by, manifest_hash=None, loaded_at=NOON)
        for one, state, by in ((B, "live", None), (A, "replaced", "b"))
    ]

    rows = to_arrow(entries).to_pylist()

    assert [(row["batch_number"], row["state"], row["replaced_by"]) for row in rows] == [
        (1, "replaced", "b"),
        (2, "live", None),
    ]
    assert rows[0]["min_event_time"] == NOON
    assert rows[0]["max_event_time"] is None
    assert rows[0]["objects"] == 1
