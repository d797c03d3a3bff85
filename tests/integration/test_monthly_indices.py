"""An index for each month, behind one alias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from elasticsearch import Elasticsearch
from support.batches import Log, export, in_month
from support.exact import months

from ingest.errors import SettingsError
from ingest.search.export import verify
from ingest.search.index import Index
from ingest.search.seals import read_seals, targets
from ingest.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def monthly(settings: Settings, elastic: Elasticsearch) -> Iterator[Settings]:
    """The settings with monthly indices, which are deleted afterwards."""
    yield replace(settings, search=replace(settings.search, layout="monthly"))
    for name in months(elastic, settings.search.index):
        elastic.indices.delete(index=name)


def test_each_month_has_an_index_behind_one_alias(
    monthly: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = monthly.search.index
    log.seal(log.events(range(10), **in_month(1)) + log.events(range(10, 15), **in_month(2)))
    log.seal(log.events(range(20, 23), **in_month(2)))
    first = export(monthly)
    assert (first.created, first.total, first.expected) == (18, 18, 18)
    assert months(elastic, name) == {f"{name}-2026.01": 10, f"{name}-2026.02": 8}
    assert elastic.count(index=name)["count"] == 18
    settled = elastic.indices.get(index=name)
    assert {tuple(one["aliases"]) for one in settled.values()} == {(name,)}
    assert all("loading" not in str(one["mappings"]["_meta"]) for one in settled.values())
    assert export(monthly).batches == ()
    (target,) = targets(log.lake)
    seals = read_seals(log.lake, target)
    assert seals[log.records[0].batch_id].indices == {f"{name}-2026.01": 10, f"{name}-2026.02": 5}

    # A fix of the parser moves two events, and brings another month.
    moved = log.events(range(8), **in_month(1)) + log.events(range(8, 10), **in_month(2))
    log.seal(moved + log.events([30], **in_month(3)), replaces=[1])
    second = export(monthly)
    assert (second.swept, second.total, second.expected) == (7, 14, 14)
    expected = {f"{name}-2026.01": 8, f"{name}-2026.02": 5, f"{name}-2026.03": 1}
    assert months(elastic, name) == expected

    elastic.indices.delete(index=f"{name}-2026.02")
    proof = verify(monthly)
    assert proof is not None
    assert len(proof.problems) == 2
    assert export(monthly).total == 14
    assert months(elastic, name) == expected


def test_old_months_are_deleted_and_not_missed(
    monthly: Settings,
    log: Log,
    elastic: Elasticsearch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    name = monthly.search.index
    keeping = replace(monthly, search=replace(monthly.search, keep_months=2))
    monkeypatch.setattr(Index, "oldest", property(lambda _self: f"{name}-2026.02"))
    log.seal(log.events(range(10), **in_month(1)) + log.events(range(10, 15), **in_month(2)))
    first = export(keeping)
    assert (first.created, first.total, first.expired, first.expected) == (15, 5, 10, 15)
    assert first.old_months == (f"{name}-2026.01",)
    assert f"deleting index {name}-2026.01: search.keep_months is 2" in caplog.messages
    assert months(elastic, name) == {f"{name}-2026.02": 5}
    assert export(keeping).batches == ()
    proof = verify(keeping)
    assert proof is not None
    assert (proof.expired, proof.problems, proof.pending) == (10, (), ())
    assert proof.contents is not None
    assert proof.contents.problems == []

    # A month has passed since, and what the next export will delete is still there.
    monkeypatch.setattr(Index, "oldest", property(lambda _self: f"{name}-2026.03"))
    proof = verify(keeping)
    assert proof is not None
    assert proof.contents is not None
    assert (proof.documents, proof.expired, proof.problems) == (0, 15, ())
    assert proof.contents.problems == []
    assert export(keeping, dry_run=True).old_months == (f"{name}-2026.02",)
    assert export(keeping, dry_run=True, recreate=True).old_months == ()
    assert months(elastic, name) == {f"{name}-2026.02": 5}

    monkeypatch.undo()  # now all are kept: they come back
    assert export(monthly).total == 15


def test_months_that_hostile_dates_ask_for_are_not_made(
    monthly: Settings, log: Log, elastic: Elasticsearch
) -> None:
    rows = log.events(range(121))
    for i, row in enumerate(rows):
        row["event_date"] = date(1990 + i // 12, 1 + i % 12, 1)
    log.seal(rows)
    with pytest.raises(SettingsError, match=r"in 121 months, .* search\.layout = \"single\""):
        export(monthly)
    assert months(elastic, monthly.search.index) == {}


@pytest.mark.parametrize("to_monthly", [True, False])
def test_another_layout_needs_a_new_index(
    settings: Settings, monthly: Settings, log: Log, to_monthly: bool
) -> None:
    before, after = (settings, monthly) if to_monthly else (monthly, settings)
    log.seal(log.events(range(3)))
    export(before)
    with pytest.raises(SettingsError, match=r"has the layout (single|monthly), .* --recreate"):
        export(after)
    assert export(after, recreate=True).created == 3
    assert export(after).batches == ()


def test_a_month_that_lost_its_alias_gets_it_back(
    monthly: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = monthly.search.index
    log.seal(log.events(range(3)))
    export(monthly)
    elastic.indices.delete_alias(index=f"{name}-2026.02", name=name)
    assert export(monthly).updated == 3
    assert elastic.count(index=name)["count"] == 3


def test_an_alias_of_other_indices_is_refused(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = settings.search.index
    log.seal(log.events(range(3)))
    elastic.indices.create(index=f"other-{name}", aliases={name: {}})
    try:
        for recreate in (False, True):
            with pytest.raises(SettingsError, match=f"{name} is an alias of other-{name}: choose"):
                export(settings, recreate=recreate)
    finally:
        elastic.indices.delete(index=f"other-{name}")
