"""Which batches a target shows: a pure function of the log, the reject limits and the past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.lake.records import BatchRecord, NamedFile, Totals
from ingest.settings import SearchSettings, Settings, Source
from ingest.warehouse.ledger import LedgerRow, manifest_hash, quarantined_batches, states, to_arrow

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
        format=1,
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
        replaces=tuple(replaces),
        objects=(),
        files={"events": (NamedFile(path="events/x", rows=read, bytes=5),), "rejects": ()},
        totals=totals,
    )


def settings(*, limit: float = 0.01) -> Settings:
    return Settings(
        root=Path("/"),
        data=Path("/data"),
        lake="lake",
        target="local",
        sources=(Source(name="raw", uri="/raw", reject_limit_ratio=limit),),
        search=SearchSettings(url="off"),
    )


A, B, C = record(1, "a"), record(2, "b", replaces=["a"]), record(3, "c", replaces=["b"])


def test_batches_are_live_until_they_are_replaced() -> None:
    assert states([A], quarantined=()) == {"a": ("live", None)}
    assert states([A, B], quarantined=()) == {"a": ("replaced", "b"), "b": ("live", None)}
    assert states([A, B, C], quarantined=()) == {
        "a": ("replaced", "b"),
        "b": ("replaced", "c"),
        "c": ("live", None),
    }


def test_a_quarantined_batch_replaces_nothing_yet() -> None:
    assert states([A, B], quarantined={"b"}) == {"a": ("live", None), "b": ("quarantined", None)}


def test_a_quarantined_batch_can_be_replaced_together_with_what_it_replaces() -> None:
    assert states([A, B, C], quarantined={"b"}) == {
        "a": ("replaced", "b"),
        "b": ("replaced", "c"),
        "c": ("live", None),
    }


def test_the_limit_counts_from_a_thousand_lines_on() -> None:
    few, many = record(1, "few", read=999, rejected=999), record(2, "many", read=1000, rejected=11)
    at_limit = record(3, "limit", read=1000, rejected=10)

    assert quarantined_batches(settings(), [few, many, at_limit]) == {"many"}
    assert quarantined_batches(settings(limit=0.02), [few, many, at_limit]) == frozenset()


def test_a_source_removed_from_the_settings_has_the_default_limit() -> None:
    stranger = replace(record(1, "a", read=1000, rejected=11), source="gone")

    assert quarantined_batches(settings(limit=0.5), [stranger]) == {"a"}


def test_accepted_batches_are_not_quarantined_again() -> None:
    bad = record(1, "bad", read=1000, rejected=500)

    assert quarantined_batches(settings(), [bad], accept=["bad"]) == frozenset()
    assert quarantined_batches(settings(), [bad], accepted={"bad"}) == frozenset()


def test_an_unknown_batch_cannot_be_accepted() -> None:
    with pytest.raises(SettingsError, match="--accept: lake has no batch zzz; "):
        quarantined_batches(settings(), [A], accept=["zzz"])


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
