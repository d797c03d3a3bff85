"""dbt on Redshift (the stand-in): the golden numbers, by the query that users know."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.load_suite import Hop

from ingest.warehouse.dbt import run_dbt

pytestmark = pytest.mark.integration

# As users type it, blanks and capitals included.
KNOWN_QUERY = (
    "SELECT distinct(clientip),total_sessions from number_of_sessions_per_ip "
    "order by total_sessions desc limit 5"
)


def test_the_reference_file_gives_the_golden_numbers(redshift_hop: Hop, seed_csv: Path) -> None:
    redshift_hop.add_bytes("Schematic_Log.csv", seed_csv.read_bytes())
    redshift_hop.load()
    summary = run_dbt(redshift_hop.settings, "build")
    assert summary.failures == ()
    assert redshift_hop.rows(KNOWN_QUERY)[0] == ("87.194.216.51", 120)
    assert redshift_hop.rows(
        "select count(*), sum(total_sessions), sum(total_events) from number_of_sessions_per_ip"
    ) == [(182, 4633, 18501)]
