"""dbt on Redshift (the stand-in): the golden numbers, by the query that users know."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.load_suite import Hop

from ingest.warehouse.dbt import run_dbt
from ingest.warehouse.marts import read_marts

pytestmark = pytest.mark.integration

# As users type it, blanks and capitals included.
KNOWN_QUERY = (
    "SELECT distinct(clientip),total_sessions from number_of_sessions_per_ip "
    "order by total_sessions desc limit 5"
)


def test_the_reference_file_gives_the_golden_numbers(redshift_hop: Hop, seed_csv: Path) -> None:
    hop = redshift_hop
    hop.add_bytes("Schematic_Log.csv", seed_csv.read_bytes())
    hop.load()
    built = run_dbt(hop.settings, "build")

    assert [f"{failure.name}: {failure.message}" for failure in built.failures] == []
    assert (built.warned, built.skipped) == (0, 0)
    assert hop.rows(KNOWN_QUERY)[0] == ("87.194.216.51", 120)
    assert hop.rows(
        "select count(*), sum(total_sessions), sum(total_events) from number_of_sessions_per_ip"
    ) == [(182, 4633, 18501)]
    assert hop.rows("select count(*), sum(number_of_views) from number_of_views_per_session") == [
        (15166, 15529)
    ]
    assert hop.rows(
        "select status_code, total_events from number_of_events_per_http_response"
        " order by total_events desc"
    ) == [
        (200, 17099), (503, 435), (408, 197), (406, 176), (400, 173), (500, 166), (505, 125),
        (404, 80), (403, 50),
    ]  # fmt: skip
    brands = hop.rows("select brand, total_events from number_of_events_per_brand order by 2 desc")
    assert len(brands) == 16
    assert [*brands[:3], brands[-1]] == [
        ("Micromax", 1626), ("XOLO", 1587), ("Intex", 1564), ("Panasonic", 43),
    ]  # fmt: skip


def test_a_replaced_batch_leaves_the_marts(
    redshift_hop: Hop,
) -> None:
    """Increments and then a full refresh: the same rows."""
    hop = redshift_hop
    hop.add_log("one.log", 30)
    hop.load()
    assert run_dbt(hop.settings, "build", "--exclude-resource-type", "unit_test").success
    hop.correct_log("one.log", 20)
    hop.add_log("two.log", 7)
    hop.load()
    assert run_dbt(hop.settings, "run").success
    assert hop.rows("select sum(total_events) from fct_traffic_hourly") == [(27,)]
    in_steps = marts(hop)

    assert run_dbt(hop.settings, "run-operation", "drop_replaced_batches").success
    assert run_dbt(hop.settings, "run", "--full-refresh").success

    assert marts(hop) == in_steps


def marts(hop: Hop) -> dict[str, list[str]]:
    """Return every row of every mart as text, sorted: exact and without an order."""
    return {
        mart.name: sorted(map(str, hop.rows(f"select * from {mart.name}")))  # noqa: S608
        for mart in read_marts(hop.settings.root)
    }
