"""Hop 4 on an engine that is not Spark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fixtures.load_suite import Hop, LoadSuite
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.replacements import CHAINS, Chain

from ingest.errors import BooksError
from ingest.job.run import RunTasks
from ingest.lake.records import create_lake, record_key, record_to_json
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.warehouse.ledger import Ledger, LedgerRow, LoadedBatch
from ingest.warehouse.load import load


@pytest.fixture
def hop(
    make_settings: Callable[..., Settings],
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> Hop:
    return Hop(
        settings=make_settings(),
        warehouse=MemoryWarehouse(),
        run_tasks=run_tasks_here,
        lines=access_lines,
    )


class TestInMemory(LoadSuite):
    """All that Spark is asked for in tests/integration/test_load.py."""


class Shown:
    """A `Warehouse` that shows whatever it is told to load."""

    def __init__(self) -> None:
        self.rows: dict[str, LedgerRow] = {}

    def ledger(self) -> Ledger:
        return Ledger(
            version="v",
            batches={
                name: LoadedBatch(
                    state=row.state,
                    replaced_by=row.replaced_by,
                    manifest_hash=row.manifest_hash,
                    loaded_at=row.loaded_at,
                )
                for name, row in self.rows.items()
            },
        )

    def load(
        self, _lake: Storage, ledger: Sequence[LedgerRow], changed: Sequence[LedgerRow]
    ) -> Sequence[LedgerRow]:
        self.rows = {row.record.batch_id: row for row in ledger}
        return changed


def test_a_load_that_readers_do_not_see_is_an_error(hop: Hop) -> None:
    record = hop.add_log("one.log", 30)
    warehouse: Any = hop.warehouse
    empty = warehouse.ledger()
    warehouse.ledger = lambda: empty

    with pytest.raises(BooksError, match=r"does not show the load of batch 1: .*; run"):
        hop.load()
    del warehouse.ledger
    assert warehouse.ledger().batches[record.batch_id].state == "live"


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.name)
def test_a_chain_is_loaded_by_its_outcome(
    make_settings: Callable[..., Settings], chain: Chain, at_once: bool
) -> None:
    """All at once, or batch by batch with the acceptances last: readers see the same."""
    settings, shown = make_settings(), Shown()
    lake = create_lake(settings.lake)
    warehouse: Any = shown
    for record in chain.records():
        lake.put(record_key(record.number), record_to_json(record))
        if not at_once:
            load(settings, warehouse)
    summary = load(settings, warehouse, accept=list(chain.accepted))

    assert {name: row.replaced_by or row.state for name, row in shown.rows.items()} == chain.outcome
    assert list(summary.quarantined) == chain.named("quarantined")
    assert summary.live == len(chain.named("live"))
    assert load(settings, warehouse).nothing_new
