"""Hop 4 on an engine that is not Spark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fixtures.load_suite import Hop, LoadSuite
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.job.run import RunTasks
from ingest.settings import Settings


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
