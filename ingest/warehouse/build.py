"""Hop 5: dbt builds and tests the marts, unless they were built from the very same."""

from __future__ import annotations

import logging
from dataclasses import replace

from ingest.settings import Settings
from ingest.terminal.interrupts import check_interrupted
from ingest.warehouse import Warehouse
from ingest.warehouse.build_marker import (
    current_marker,
    forget_marker,
    read_marker,
    write_marker,
)
from ingest.warehouse.clients import pseudonyms_of_marts
from ingest.warehouse.dbt import DbtSummary, run_dbt
from ingest.warehouse.marts import marts_are_built

_log = logging.getLogger(__name__)


def build(
    settings: Settings, warehouse: Warehouse, *, drop_replaced: bool, full_refresh: bool = False
) -> DbtSummary:
    """Build and test the models; all counts are 0 when there is nothing to build.

    Another project than that of the last good build means a full refresh, and so does a build that
    fails: what it builds upon may be damaged, and all of it is made from landing. `drop_replaced`
    frees the space of replaced batches in the pre-aggregates. Raises what `run_dbt` raises.
    """
    last, now = read_marker(warehouse), current_marker(settings, warehouse)
    if not full_refresh and last == now and marts_are_built(settings, warehouse):
        return DbtSummary(passed=0, warned=0, failed=0, skipped=0, failures=(), seconds=0.0)
    if full_refresh or now.needs_full_refresh(last):
        built = _rebuild(settings, warehouse)
    else:
        # A build that fails must be tried again, but the pre-aggregates stay what they are.
        write_marker(warehouse, replace(now, ledger=""))
        built = _dbt_build(settings, warehouse)
        if not built.success:
            check_interrupted()  # which would make models fail, too
            _log.warning("the build failed; rebuilding everything from landing")
            built = _rebuild(settings, warehouse)
    if built.success and drop_replaced:
        run_dbt(settings, "run-operation", "drop_replaced_batches")
    if built.success:
        # Whoever edits the project meanwhile gets another build; dbt's own note is new.
        built_by = current_marker(settings, warehouse).built_by
        write_marker(warehouse, replace(now, built_by=built_by))
    return built


def _rebuild(settings: Settings, warehouse: Warehouse) -> DbtSummary:
    forget_marker(warehouse)  # it may be interrupted
    return _dbt_build(settings, warehouse, "--full-refresh")


def _dbt_build(settings: Settings, warehouse: Warehouse, *options: str) -> DbtSummary:
    warehouse.repair()
    pseudonyms = pseudonyms_of_marts(settings)
    if pseudonyms is not None and pseudonyms.keys is not None:
        warehouse.store_keys(pseudonyms.keys)
    # Unit tests ask whether the SQL is right, not whether the data are: `make test` runs them.
    return run_dbt(settings, "build", "--exclude-resource-type", "unit_test", *options)
