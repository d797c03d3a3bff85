"""Peak memory: of a function, and of one task that reads a whole file, small and large."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from bench.contenders import parse_range
from bench.lines import write_lines

SIZES = {"100 MB": 100_000_000, "2 GB": 2_000_000_000}
_LINES = 390_000  # about 100 MB
Result = TypeVar("Result")


def in_a_process(function: Callable[..., Result], *arguments: object) -> Result:
    """Return what `function` returns in a fresh process, whose memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak_bytes() -> int:
    """Return the most memory that this process has had, in bytes."""
    # Of this process image alone, which ru_maxrss is not: it begins with the parent's.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) << 10


def peak_memory(folder: Path) -> dict[str, float]:
    """Return the peak memory in MiB of a fresh process that parses a file of each size."""
    block = folder / "block.log"
    write_lines(block, lines=_LINES)
    return {
        name: in_a_process(_task, _repeated(block, size), folder / "events.parquet")
        for name, size in SIZES.items()
    }


def _repeated(block: Path, size: int) -> Path:
    """Return a file of whole copies of `block` that is at least `size` bytes long."""
    path = block.with_suffix(f".{size}")
    with path.open("wb") as target:
        while target.tell() < size:
            with block.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
    return path


def _task(path: Path, out: Path) -> float:
    pa.set_cpu_count(1)
    parse_range(path, 0, path.stat().st_size, out)
    return peak_bytes() / (1 << 20)
