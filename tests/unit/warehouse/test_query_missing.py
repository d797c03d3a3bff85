"""What a person is told whose query cannot be answered."""

from __future__ import annotations

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse.query import run_query


def test_without_any_table_it_is_said_how_to_get_some() -> None:
    with pytest.raises(SettingsError, match="no tables yet: run `clickstream run` first"):
        run_query(MemoryWarehouse(), "select * from brands")


def test_a_query_that_needs_no_table_is_answered_and_one_that_writes_is_named() -> None:
    assert run_query(MemoryWarehouse(), "select 1").rows == [(1,)]
    with pytest.raises(SettingsError, match="only reads"):
        run_query(MemoryWarehouse(), "create table clickstream.a (b)")


def test_a_table_that_is_missing_beside_others_is_named() -> None:
    warehouse = MemoryWarehouse()
    warehouse.make("clickstream.brands", [{"brand": "Norda"}])
    with pytest.raises(ClickstreamError, match="no such table: unknown"):
        run_query(warehouse, "select * from unknown")
