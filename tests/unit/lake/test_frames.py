"""Distinct texts are counted exactly, and in bounded memory."""

from __future__ import annotations

import random

import polars as pl
import pytest

from ingest.lake.frames import Distinct


@pytest.mark.parametrize("most", [10_000, 200])
def test_they_are_counted_up_to_a_limit(most: int) -> None:
    chosen = random.Random(5)  # noqa: S311 - no secret
    rows = [chosen.choice([None, *(f"S{i}" for i in range(2_000))]) for _ in range(5_000)]
    counted = Distinct(most)
    for at in range(0, len(rows), 70):
        counted.add(pl.Series(rows[at : at + 70], dtype=pl.String))

    assert counted.number == min(len(set(rows) - {None}), most + 1)
    assert len(counted._known) <= 2 * (most + 70)


def test_of_nulls_only_there_are_none() -> None:
    counted = Distinct()
    counted.add(pl.Series([None, None]))
    assert counted.number == 0
