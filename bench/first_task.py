"""The first task of a Spark worker, which finds the kernels compiled, as the archive for EMR does.

`python -m bench.first_task LOG` is its driver.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.lines import write_lines

_ROOT = Path(__file__).resolve().parents[1]
_LINES = 1_000  # enough for kernels, few enough to measure what comes before them


class Took(NamedTuple):
    """Seconds by the clock, and of the worker's CPU, from an empty interpreter to the file."""

    wall: float
    cpu: float


def first_task(folder: Path) -> Took:
    """Return how long the first task of a new worker takes that reads our code in `folder`.

    Of two workers the second: the first leaves the byte code of all modules, ours and others', as
    the first one on a machine does.
    """
    code = _unpacked(folder / "archive")
    log = folder / "first.log"
    write_lines(log, lines=_LINES)
    byte_code = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "byte-code")}
    environment = {**os.environ, **byte_code, "PYTHONPATH": f"{code}{os.pathsep}{_ROOT}"}
    command = [sys.executable, "-m", "bench.first_task", str(log)]
    for _ in range(2):
        done = subprocess.run(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, check=True
        )
    wall, cpu = done.stdout.split()[-2:]
    return Took(float(wall), float(cpu))


def _unpacked(target: Path) -> Path:
    """Return `target` with our modules and their machine code, as a worker of EMR has them."""
    from ingest.emr.machine_code import machine_code

    nothing_compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_ROOT / "ingest", target / "ingest", ignore=nothing_compiled)
    for name, content in machine_code(platform.machine()).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return target


def _measured(log: str) -> Took:
    """Run in the worker, which has imported nothing of ours."""
    started, cpu = time.perf_counter(), time.process_time()
    from bench.contenders import parse_range
    from ingest.job.task import prepare_worker

    prepare_worker()
    path = Path(log)
    rows = parse_range(path, 0, path.stat().st_size, path.with_suffix(".parquet"))
    assert rows == _LINES
    return Took(time.perf_counter() - started, time.process_time() - cpu)


def _main(log: str) -> None:
    from pyspark.sql import SparkSession

    quiet: dict[str, str | bool | float | int | None] = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    session = SparkSession.builder.master("local[1]").config(map=quiet).getOrCreate()
    try:
        (took,) = session.sparkContext.parallelize([log], 1).map(_measured).collect()
    finally:
        session.stop()
    print(*took)


if __name__ == "__main__":
    _main(*sys.argv[1:])
