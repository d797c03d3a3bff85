"""No line takes more than 50 ms of CPU a megabyte: section 3.3 of the format specification.

`make soak-fuzz` runs it; pytest does not collect it by itself. FUZZ_SEED changes it.
"""

from __future__ import annotations

import os
import random

import pytest
from support.hostile import Stopwatch, fillings, pieces_of, places
from support.mutated import NAMES, Seeds, seeds_of_all

SIZE = (1 << 20) - 20_000  # and a line around it
SEEDS = 8  # lines of a format that are blown up
LONGEST = 10_000


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seeds]:
    return seeds_of_all(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("name", NAMES)
def test_no_line_takes_long(
    name: str, seeds: dict[str, Seeds], capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("FUZZ_SEED", random.getrandbits(32)))
    with capsys.disabled():
        print(f"FUZZ_SEED={seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    stopwatch = Stopwatch(seeds[name])
    lines = [line.rstrip() for line in seeds[name].lines if len(line) < LONGEST]
    lines = [line for line in chance.sample(lines, min(SEEDS, len(lines))) if line]
    for run in fillings(pieces_of(lines), SIZE):
        stopwatch.check(run)
        line = chance.choice(lines)
        at = chance.choice(places(line))
        stopwatch.check(line[:at] + run + line[at:])
