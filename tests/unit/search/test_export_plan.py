"""What is exported, decided from records, seals and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fixtures.replacements import CHAINS, Chain

from ingest.errors import BooksError
from ingest.lake.records import RECORD_FORMAT, BatchRecord, NamedFile, Totals
from ingest.lake.states import decide
from ingest.search.letters import KeptLetter
from ingest.search.plan import Delivery, Plan, files, make_plan, pack, refused_only, waves, whole
from ingest.search.proof import _left, _unequal
from ingest.search.seals import Seal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MIB = 1 << 20


def record(
    number: int, *, events: int = 10, replaces: Sequence[int] = (), size: int = 1
) -> BatchRecord:
    totals = Totals(
        objects=1, bytes=1, lines_read=events, lines_ok=events, lines_warn=0, lines_skip=0,
        lines_reject=0, events=events, rejects=0, min_event_time=None, max_event_time=None,
        counts={},
    )  # fmt: skip
    return BatchRecord(
        format=RECORD_FORMAT, number=number, batch_id=f"b{number}", writer="w",
        sealed_at=NOW, ingest_time=NOW, source="raw",
        contract_version=1, parser_version=1, settings_hash="", range_bytes=8 * MIB,
        reject_limit_ratio=0.01, replaces=tuple(f"b{old}" for old in replaces), objects=(),
        files={"events": (NamedFile(path=f"{number}.parquet", rows=events, bytes=size),)},
        totals=totals,
    )  # fmt: skip


def seal(number: int, indexed: int = 10) -> Seal:
    return Seal(
        number=number, batch_id=f"b{number}", revision=1, target={}, contract_version=1,
        events=indexed, indexed=indexed, newer=0, dead=0, indices={"i": indexed},
        dead_files=(), swept={}, started_at=NOW, finished_at=NOW, requests=1, retries=0,
        bytes=1, writer="w",
    )  # fmt: skip


def plan(
    records: Sequence[BatchRecord],
    *,
    sealed: Sequence[int] = (),
    counts: dict[int, int] | None = None,
) -> Plan:
    return make_plan(
        records,
        states=decide(records),
        seals={f"b{number}": seal(number) for number in sealed},
        counts={f"b{number}": {"i": count} for number, count in (counts or {}).items()},
    )


def numbers(found: Sequence[BatchRecord]) -> list[int]:
    return [one.number for one in found]


def delivered(wave: Sequence[Delivery]) -> list[int]:
    return numbers([delivery.record for delivery in wave])


def test_an_empty_lake() -> None:
    found = plan([])
    assert (found.live, found.todo, found.quarantined) == ((), (), ())


def test_new_batches_in_order() -> None:
    assert numbers(plan([record(1), record(2)]).todo) == [1, 2]


def test_a_plan_of_what_is_exported_keeps_what_a_waiting_batch_replaces() -> None:
    records = [record(1), record(2), record(3, replaces=[1]), record(4, replaces=[2])]
    found = plan(records, sealed=[1, 2, 3], counts={1: 10, 2: 10, 3: 10}).exported_only()
    assert (numbers(found.live), found.todo, numbers(found.waiting)) == ([3], (), [4])
    assert {old: one.number for old, one in found.successors.items()} == {"b1": 3}


def test_done_is_sealed_and_counted() -> None:
    found = plan([record(1), record(2), record(3)], sealed=[1, 2], counts={1: 10, 2: 9, 3: 10})
    assert numbers(found.live) == [1, 2, 3]
    assert numbers(found.todo) == [2, 3]
    assert found.notices == (
        "batch 2 had 10 documents in the index and now has 9: exporting it again",
    )


def test_a_deleted_index_is_filled_again() -> None:
    assert numbers(plan([record(1)], sealed=[1]).todo) == [1]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.name)
def test_a_chain_is_planned_by_its_outcome(chain: Chain) -> None:
    records = chain.records()
    found = make_plan(records, states=decide(records, set(chain.accepted)), seals={}, counts={})

    live = chain.named("live")
    assert [record.batch_id for record in found.live] == live
    assert found.todo == found.live
    assert [record.batch_id for record in found.quarantined] == chain.named("quarantined")
    assert found.successors.keys() == set(chain.named("replaced"))
    assert {record.batch_id for record in found.successors.values()} <= set(live)


def test_documents_of_an_unknown_batch_stop_the_export() -> None:
    with pytest.raises(BooksError, match="documents of 1 batch that the lake does not know"):
        plan([record(1)], counts={1: 10, 9: 3})


def test_waves_keep_order_and_are_not_too_large() -> None:
    todo = [whole(record(n, events=200_000)) for n in range(1, 6)]
    assert [delivered(wave) for wave in waves(todo)] == [[1, 2, 3], [4, 5]]
    assert list(waves([])) == []


def test_small_files_share_a_task() -> None:
    sizes = [1, 3, 5, 3, 3, 3, 3, 3, 3]
    found = files([record(n, size=size * MIB) for n, size in enumerate(sizes, start=1)])
    packed = [[file.number for file in members] for members in pack(found)]
    assert packed == [[1, 2], [3], [4, 5, 6, 7, 8], [9]]
    assert [file.part for file in found] == [0] * 9


def test_counts_that_cancel_out_are_problems_nevertheless() -> None:
    found = [
        _unequal(record(1), seal(1), {"b1": {"i": 11}}),
        _unequal(record(2), seal(2), {"b2": {"i": 9}}),
    ]
    assert [(text or "").split(":")[0] for text in found] == ["batch 1", "batch 2"]
    assert _unequal(record(3), seal(3), {"b3": {"i": 10}}) is None


def test_documents_of_batches_that_do_not_count_are_problems() -> None:
    chain = next(one for one in CHAINS if one.name == "nothing leaves before its successor")
    replaced = plan([record(1), record(2, replaces=[1])], counts={1: 3})
    waiting = make_plan(
        chain.records(),
        states=decide(chain.records()),
        seals={},
        counts={"a": {"i": 1}, "b": {"i": 2}},
    )

    assert list(_left(replaced, {"b1": {"i": 3}, "b2": {"i": 10}})) == [
        "the index still holds 3 documents of batch b1, which batch 2 replaced: "
        "run `clickstream export`"
    ]
    (problem,) = _left(waiting, {"a": {"i": 1}, "b": {"i": 2}})
    assert problem.startswith("the index holds 2 documents of batch 2, which is quarantined: ")


def months(*, there: dict[str, int]) -> Plan:
    """Return the plan for a batch that was exported to two months, of which one is kept."""
    sealed = replace(seal(1), indices={"i-2026.01": 4, "i-2026.02": 6})
    return make_plan(
        [record(1)],
        states=decide([record(1)]),
        seals={"b1": sealed},
        counts={"b1": there},
        is_kept=lambda name: name >= "i-2026.02",
    )


@pytest.mark.parametrize("old", [0, 3])
def test_a_month_that_is_no_longer_kept_may_be_gone(old: int) -> None:
    assert months(there={"i-2026.01": old, "i-2026.02": 6}).todo == ()
    assert numbers(months(there={"i-2026.01": 4, "i-2026.02": 5}).todo) == [1]


def test_documents_in_another_month_are_no_substitute() -> None:
    assert numbers(months(there={"i-2026.03": 6}).todo) == [1]


def test_only_the_refused_events_are_delivered_again() -> None:
    letters = [KeptLetter(id=name, type="t", file="1.parquet") for name in ("x", "y")]
    delivery = refused_only(record(1), replace(seal(1), indexed=8, dead=2), letters)

    (file,) = delivery.files
    assert (file.only, file.events, delivery.kept) == (("x", "y"), 2, 8)
    with pytest.raises(BooksError, match="from a file that is not in its record"):
        refused_only(record(2), seal(2), letters)
