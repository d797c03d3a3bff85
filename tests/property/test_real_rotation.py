"""Random histories of rotated logs and the real ingest: each line enters the lake once."""

from __future__ import annotations

from support.histories import run_histories
from support.real_ingest import RealIngest

from ingest.job.run import RunTasks


class TestRealIngest:
    """The promise of the project, against everything that logrotate and people do to logs."""

    def test_each_line_enters_the_lake_once(self, run_tasks_here: RunTasks) -> None:
        """ROTATION_PROFILE=soak runs 5,000 histories; ROTATION_SEED repeats those of a run."""
        run_histories(lambda folder: RealIngest(folder, run_tasks_here))
