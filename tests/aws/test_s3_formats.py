"""A bucket with a file of each format, some compressed and some broken, in one run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.every_format import check_every_format, write_every_format
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.s3_server import put_all

from ingest.job.run import RunTasks
from ingest.settings import Settings

pytestmark = pytest.mark.integration


def test_a_bucket_with_every_format(
    settings: Settings, bucket: str, run_tasks_here: RunTasks, tmp_path: Path
) -> None:
    every = write_every_format(tmp_path)
    for part in ("found", "named"):
        raw = tmp_path / part / "raw"
        files = {str(path.relative_to(raw)): path for path in raw.rglob("*") if path.is_file()}
        put_all(bucket, f"{part}/raw", {key: path.read_bytes() for key, path in files.items()})
    named = tuple(every.settings)

    check_every_format(
        every,
        replace(settings, sources=every.sources(f"s3://{bucket}")),
        MemoryWarehouse(),
        run_tasks_here,
        name_of=lambda key: (
            f"s3://{bucket}/{'named' if key.startswith(named) else 'found'}/raw/{key}"
        ),
        final=True,  # these objects are new
    )
