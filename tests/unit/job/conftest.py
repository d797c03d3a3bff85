"""An ingest in this process: raw logs and the lake are in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from support.memory_lake import Site

from ingest.job.run import IngestSummary, RunTasks, ingest
from ingest.settings import Settings, Source
from ingest.storage import Storage, open_storage


@pytest.fixture
def raw(in_memory: Callable[[str], Storage]) -> Storage:
    return in_memory("raw")


@pytest.fixture
def make_here(
    make_settings: Callable[..., Settings], in_memory: Callable[[str], Storage]
) -> Callable[..., Settings]:
    """Return settings of these sources with one lake in memory."""
    return partial(make_settings, lake=in_memory("lake").uri)


@pytest.fixture
def settings(make_here: Callable[..., Settings], raw: Storage) -> Settings:
    return make_here(Source(name="raw", uri=raw.uri))


@pytest.fixture
def ingest_here(settings: Settings, run_tasks_here: RunTasks) -> Callable[..., IngestSummary]:
    """Run an ingest of `raw`, or of other settings, in this process."""

    def run(other: Settings | None = None, **options: object) -> IngestSummary:
        return ingest(other or settings, run_tasks_here, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def site(
    settings: Settings, raw: Storage, access_lines: Callable[..., bytes], run_tasks_here: RunTasks
) -> Site:
    """All of the above in one."""
    return Site(settings=settings, raw=raw, lines=access_lines, run_tasks=run_tasks_here)


@pytest.fixture
def folder_site(
    make_settings: Callable[..., Settings],
    access_lines: Callable[..., bytes],
    run_tasks_here: RunTasks,
) -> Site:
    """A site in folders: as there the time of a change is known, a last line may wait."""
    settings = make_settings()
    raw = open_storage(settings.sources[0].uri)
    return Site(settings=settings, raw=raw, lines=access_lines, run_tasks=run_tasks_here)
