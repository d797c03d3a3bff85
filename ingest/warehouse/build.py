"""Hop 5: dbt builds and tests the marts, unless they were built from the very same."""

from __future__ import annotations

from dataclasses import replace

from ingest.settings import Settings
from ingest.warehouse import Warehouse
from ingest.warehouse.build_marker import (
    current_marker,
    forget_marker,
    read_marker,
    write_marker,
)
from ingest.warehouse.dbt import DbtSummary, run_dbt
from ingest.warehouse.marts import marts_are_built


def build(settings: Settings, warehouse: Warehouse, *, drop_replaced: bool) -> DbtSummary:
    """Build and test the models; all counts are 0 when there is nothing to build.

    Another project than that of the last good build means a full refresh. `drop_replaced` frees the
    space of replaced batches in the pre-aggregates. Raises what `run_dbt` raises.
    """
    last, now = read_marker(settings), current_marker(settings, warehouse)
    if last == now and marts_are_built(settings, warehouse):
        return DbtSummary(passed=0, warned=0, failed=0, skipped=0, failures=(), seconds=0.0)
    full_refresh = now.needs_full_refresh(last)
    if full_refresh:
        forget_marker(settings)
    else:  # a build that fails must be tried again, but the pre-aggregates stay what they are
        write_marker(settings, replace(now, ledger=""))
    warehouse.repair()
    # Unit tests ask whether the SQL is right, not whether the data are: `make test` runs them.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    built = run_dbt(settings, *arguments, *(["--full-refresh"] if full_refresh else []))
    if built.success and drop_replaced:
        run_dbt(settings, "run-operation", "drop_replaced_batches")
    if built.success:
        # Whoever edits the project meanwhile gets another build; dbt's own note is new.
        built_by = current_marker(settings, warehouse).built_by
        write_marker(settings, replace(now, built_by=built_by))
    return built
