"""Peak memory of one task that reads a whole file, small and large."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from bench.contenders import parse_range
from bench.lines import write_lines

SIZES = {"100 MB": 100_000_000, "2 GB": 2_000_000_000}
_LINES = 390_000  # about 100 MB


def peak_memory(folder: Path) -> dict[str, float]:
    """Return the peak memory in MiB of a fresh process that parses a file of each size."""
    block = folder / "block.log"
    write_lines(block, lines=_LINES)
    return {name: _peak(_repeated(block, size), folder) for name, size in SIZES.items()}


def _repeated(block: Path, size: int) -> Path:
    """Return a file of whole copies of `block` that is at least `size` bytes long."""
    path = block.with_suffix(f".{size}")
    with path.open("wb") as target:
        while target.tell() < size:
            with block.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
    return path


def _peak(path: Path, folder: Path) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_task, path, folder / "events.parquet").result()


def _task(path: Path, out: Path) -> float:
    pa.set_cpu_count(1)
    parse_range(path, 0, path.stat().st_size, out)
    # Of this process image alone, which ru_maxrss is not: it begins with the parent's.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) / 1024
