"""A million mutated lines of all formats, bombs and tiny files.

Each way of reading gives the same, the books balance, memory is bounded, nothing is lost.

`make soak-fuzz` runs it; pytest does not collect it by itself. FUZZ_LINES and FUZZ_SEED change it.
"""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from fixtures.outcome import LINE
from support.laid_out import random_seeds
from support.memory_lake import pages, paths_in
from support.mutated import (
    NAMES,
    TURNS,
    Seeds,
    batches,
    check_kernels,
    check_ranges,
    cuts,
    reading,
    replaced,
    seeds_of_all,
)

from ingest.job.run import IngestSummary
from ingest.parse.registry import is_splittable
from ingest.settings import ParseSettings, Settings

# Of all formats together.
LINES = int(os.environ.get("FUZZ_LINES", "1000000"))
AT_ONCE = 20_000
OF_LAYOUT = 500  # lines of each log format string
CUTS = 5  # of a content into ranges
# Peak memory of a process that reads one object, in KiB: twice what a task of plain lines takes.
MOST_KIB = 700 << 10

READ_ONE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from ingest.parse.model import Identity
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings
file = Path(sys.argv[1]).open("rb")
size = file.seek(0, 2)
identity = Identity(source_file="a", batch_id="b", ingest_time=datetime(2026, 1, 1, tzinfo=UTC))
for item in parse_object(
    lambda start, end: os.pread(file.fileno(), end - start, start), size,
    name=sys.argv[1], identity=identity,
    settings=ParseSettings(format="access"),
):
    pass
# Not ru_maxrss, which a process inherits from the one that started it.
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(item.file_status, item.file_reason, peak)
"""


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seeds]:
    return seeds_of_all(tmp_path_factory.mktemp("seeds"))


@pytest.fixture
def chance(capsys: pytest.CaptureFixture[str]) -> random.Random:
    """What is random, by a seed that is printed."""
    seed = int(os.environ.get("FUZZ_SEED", random.getrandbits(32)))
    with capsys.disabled():
        print(f"FUZZ_SEED={seed}")  # noqa: T201
    return random.Random(seed)  # noqa: S311 - not for secrets


@pytest.mark.parametrize("name", NAMES)
def test_any_way_of_reading_gives_the_same(
    name: str, seeds: dict[str, Seeds], chance: random.Random
) -> None:
    """With kernels and without, whole and in ranges; section 3.1 of the format specification."""
    counts = batches(LINES // len(NAMES), AT_ONCE)
    for count, turn in zip(counts, cycle(TURNS), strict=False):
        settings = replaced(seeds[name].settings, turn)
        content = seeds[name].content(count, chance)
        whole = check_kernels(content, settings)
        assert whole.verdict.lines_read > 0
        if is_splittable(settings.format):
            check_ranges(content, whole, settings, cuts(len(content), CUTS, chance))
        reading(content, ParseSettings())


def test_random_log_formats_give_the_same(chance: random.Random) -> None:
    for count, turn in zip(batches(LINES // len(NAMES), OF_LAYOUT), cycle(TURNS), strict=False):
        seeds = random_seeds(chance, OF_LAYOUT // 2)
        content = seeds.content(count, chance)
        settings = replaced(seeds.settings, turn)
        whole = check_kernels(content, settings)
        check_ranges(content, whole, settings, cuts(len(content), CUTS, chance))


def _gzipped(piece: bytes, times: int) -> bytes:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packed.compress(piece) for _ in range(times)) + packed.flush()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (lambda: _gzipped(b"\n" * (1 << 20), 300), "rejected expansion_limit"),
        (lambda: _gzipped(b"#\n" * (1 << 19), 300), "rejected expansion_limit"),
        (lambda: _gzipped(b"x" * (1 << 20), 300), "rejected expansion_limit"),
        (lambda: gzip.compress(_gzipped(b"\0" * (1 << 20), 4000)), "rejected expansion_limit"),
        (lambda: _gzipped(b"#" + os.urandom(30).hex().encode() + b"\n", 500_000), "ok None"),
        (lambda: b"\n" * (16 << 20), "misnamed"),
        (lambda: b"\0" * (512 << 20) + LINE.encode(), "misnamed"),
    ],
    ids=["blank lines", "comments", "one line", "twice", "mostly comments", "plain", "a hole"],
)
def test_memory_is_bounded(tmp_path: Path, content: Callable[[], bytes], status: str) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(content())
    done = subprocess.run(
        [sys.executable, "-c", READ_ONE, str(path)], capture_output=True, text=True, check=True
    )
    *said, peak = done.stdout.split()
    assert " ".join(said).startswith(status)
    assert int(peak) < MOST_KIB


def test_tiny_files_are_all_read(
    make_settings: Callable[..., Settings],
    ingest_here: Callable[..., IngestSummary],
    access_lines: Callable[..., bytes],
) -> None:
    settings = make_settings()
    raw = Path(settings.sources[0].uri)
    for number in range(30_000):
        (raw / f"{number}.log").write_bytes(access_lines(1, first=number))
    ingest_here()
    found = paths_in(settings)
    assert sum(found.values()) == len(found) == 30_000
    assert found.keys() >= pages("0.log", 0, 1).keys()
