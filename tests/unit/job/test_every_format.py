"""A folder with a file of each format, some compressed, some broken, in one run without Spark."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from fixtures.every_format import check_every_format, write_every_format
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.job.run import RunTasks
from ingest.settings import Settings


def test_a_folder_with_every_format(
    make_settings: Callable[..., Settings], run_tasks_here: RunTasks, tmp_path: Path
) -> None:
    every = write_every_format(tmp_path)
    settings = make_settings(*every.sources(str(tmp_path)))

    check_every_format(
        every,
        settings,
        MemoryWarehouse(),
        run_tasks_here,
        name_of=lambda key: f"{_source(key, every.settings)}/{key}",
    )


def _source(key: str, named: Collection[str]) -> str:
    kind = key.partition("/")[0]
    return kind if kind in named else "found"
