"""What a failure of Spark says: its message without the stack, and a remedy."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from ingest.spark.failure import first_lines, spark_failure

SAID = (
    "An error occurred while calling o69.collectToPython.\n"
    ": org.apache.spark.SparkException: [FAILED_READ_FILE] \x1b[31mred\x1b[0m\n"
    "\tat org.apache.spark.X(X.scala:1)\n\tat org.apache.spark.Y(Y.scala:2)"
)
Usage = namedtuple("Usage", "total used free")


def test_neither_stack_nor_escapes_reach_the_terminal() -> None:
    assert first_lines(Exception(SAID)).splitlines() == [
        "An error occurred while calling o69.collectToPython.",
        r": org.apache.spark.SparkException: [FAILED_READ_FILE] \x1b[31mred\x1b[0m",
    ]


@pytest.mark.parametrize(("free", "remedy"), [(1 << 20, "free some space"), (1 << 30, "spark.log")])
def test_a_full_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, remedy: str
) -> None:
    monkeypatch.setattr(
        "ingest.spark.failure.shutil.disk_usage", lambda _path: Usage(2 << 30, 0, free)
    )
    assert remedy in str(spark_failure(Exception(SAID), tmp_path))
