"""Some mutated lines of every format: kernels = reference parser, balanced books, any cut the same.

`make soak-fuzz` reads a million of them.
"""

from __future__ import annotations

import random

import pytest
from support.mutated import (
    NAMES,
    TURNS,
    Seeds,
    check_kernels,
    check_ranges,
    cuts,
    reading,
    replaced,
    seeds_of_all,
)

from ingest.parse.registry import is_splittable

LINES = 80


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seeds]:
    return seeds_of_all(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("name", NAMES)
def test_mutated_lines(name: str, seeds: dict[str, Seeds]) -> None:
    chance = random.Random(f"{name} 1")  # noqa: S311 - not for secrets
    settings = replaced(seeds[name].settings, chance.choice(TURNS))
    content = seeds[name].content(LINES, chance)
    whole = check_kernels(content, settings)
    assert whole.verdict.events > 0
    if is_splittable(settings.format):
        check_ranges(content, whole, settings, cuts(len(content), 3, chance))


def test_kernels_take_part(seeds: dict[str, Seeds]) -> None:
    """Otherwise nothing is compared. README says which format has no kernels."""
    assert [
        name
        for name in NAMES
        if not reading(b"".join(seeds[name].lines), seeds[name].settings).by_kernels
    ] == ["snowplow"]
