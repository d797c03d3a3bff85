"""The data tests of the dbt project find what is wrong; Spark would take longer for the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.load_suite import Hop
from fixtures.redshift import Redshift

from ingest.warehouse.dbt import DbtSummary, run_dbt
from ingest.warehouse.marts import read_marts

pytestmark = pytest.mark.integration

MARTS = read_marts(Path(__file__).resolve().parents[2])
COVERING = ("test", "--select", "test_name:counts_every_event", "test_name:covers_all_events")


def succeeded(summary: DbtSummary) -> DbtSummary:
    assert summary.failures == ()
    return summary


def test_a_table_without_rows_is_found(redshift_hop: Hop, redshift: Redshift) -> None:
    """Nothing to count is right, and so is a batch without events; one with events is missed."""
    hop = redshift_hop
    hop.load()
    succeeded(run_dbt(hop.settings, "build", "--exclude-resource-type", "unit_test"))
    hop.add_log("empty.log", 0)
    hop.load()
    assert hop.rows("select state, events from landing.batches") == [("live", 0)]
    assert succeeded(run_dbt(hop.settings, *COVERING)).passed == 2 * len(MARTS)
    hop.add_log("one.log", 3)
    hop.load()

    missed = run_dbt(hop.settings, *COVERING)

    assert (missed.passed, missed.failed) == (0, 2 * len(MARTS))
    unsound_rows_are_found(hop, redshift)


def unsound_rows_are_found(hop: Hop, redshift: Redshift) -> None:
    """A brand twice, one without a number, and one below zero; the fourth is sound."""
    redshift.change(
        "insert into clickstream.number_of_events_per_brand "
        "(brand, total_events, views, purchases, human_events, human_views, human_purchases) values"
        " ('twice', 1, 1, 0, 1, 1, 0), ('twice', 1, 1, 0, 1, 1, 0), ('null', 1, null, 0, 1, 1, 0),"
        " ('negative', 1, 1, -1, 1, 1, 0), ('sound', 1, 1, 0, 1, 1, 0)"
    )
    selected = "number_of_events_per_brand,test_name:sound_rows"
    (failure,) = run_dbt(hop.settings, "test", "--select", selected).failures
    assert failure.message.startswith("Got 3 results")
