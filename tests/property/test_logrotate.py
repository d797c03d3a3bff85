"""The real logrotate beside the real ingest: each line once, whatever the scheme."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.log_lines import log_line
from support.logrotate import DATED, SCHEMES, Logrotate, Scheme, age
from support.real_ingest import RealIngest

from ingest.job.run import RunTasks

DAYS = 8
LINES_A_DAY = 30  # more than 1 KiB, so that a scheme by size rotates as well


@pytest.mark.usefixtures("logrotate")
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("days_between_runs", [1, 2])
def test_each_line_once(
    tmp_path: Path, run_tasks_here: RunTasks, scheme: Scheme, days_between_runs: int
) -> None:
    """Half of a day's lines come before the nightly rotation, half after it, and runs between."""
    raw, work = tmp_path / "raw", tmp_path / "work"
    raw.mkdir()
    work.mkdir()
    log = raw / "access.log"
    program = Logrotate(raw, scheme, work=work)
    ingest = RealIngest(raw, run_tasks_here)
    written: list[str] = []
    for day in range(DAYS):
        for _ in range(2):
            lines = [_line(len(written) + n) for n in range(LINES_A_DAY)]
            written += lines
            with log.open("a") as file:  # the web server opens its log again
                file.writelines(f"{line}\n" for line in lines)
            if day % days_between_runs == 0:
                assert ingest.run(datetime.now(UTC)) == 0
                assert ingest.lines() == Counter(written)
        program.rotate()
        if scheme is DATED:
            _let_days_pass(raw, day)
        assert ingest.run(datetime.now(UTC)) == 0
        assert ingest.lines() == Counter(written)
    assert len(list(raw.rglob("access.log*"))) < DAYS  # the oldest are gone
    ingest.close()


def _line(number: int) -> str:
    return log_line(number, datetime(2024, 5, 1, tzinfo=UTC) + timedelta(hours=number))


def _let_days_pass(raw: Path, day: int) -> None:
    """Date the log that was rotated just now to its `day`, and make all of them older."""
    (newest,) = raw.glob(f"access.log-{datetime.now().astimezone():%Y%m%d}*")
    newest.rename(raw / f"access.log-202405{day + 1:02}{''.join(newest.suffixes[1:])}")
    for path in raw.glob("access.log-*"):
        age(path, days=2)
