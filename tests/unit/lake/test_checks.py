"""Comparisons: what counts as equal, and that a difference can never look like a balance."""

from __future__ import annotations

import pytest

from ingest.books.indexed import index_checks
from ingest.books.verify import Verification, verify_text
from ingest.lake.checks import Check, compare_rows, first_few
from ingest.search.proof import Proof


def test_rows_that_agree() -> None:
    check = compare_rows("x", {"a": 1, "b": 2}, {"a": 1, "b": 2})
    assert (check.expected, check.found, check.ok) == (2, 2, True)


@pytest.mark.parametrize(
    ("expected", "found", "agreeing"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, (2, 1)),
        ({"a": 1}, {"a": 1, "b": 2}, (2, 1)),
        # One wrong and one too many must not make up for each other.
        ({"a": 1, "b": 2}, {"a": 9, "b": 2, "c": 3}, (3, 1)),
        ({}, {"a": 1}, (1, 0)),
    ],
)
def test_every_difference_shows(
    expected: dict[str, int], found: dict[str, int], agreeing: tuple[int, int]
) -> None:
    check = compare_rows("x", expected, found)
    assert (check.expected, check.found) == agreeing
    assert not check.ok


def test_long_lists_are_cut_and_counted() -> None:
    assert first_few([1, 2, 3, 4, 5]) == "1, 2, 3, 4, 5"
    assert first_few(list(range(8))) == "0, 1, 2, 3, 4 and 3 more"
    assert first_few([]) == ""


def test_verdict_in_words() -> None:
    good = Check(name="lake", expected=1234, found=1234)
    bad = Check(name="index", expected=5, found=4, detail="batch 3")
    assert verify_text(Verification(checks=(good,))).splitlines()[-1] == "the books balance"
    text = verify_text(Verification(checks=(good, bad), notes=("search is off",)))
    assert "DIFFERS  batch 3" in text
    assert text.splitlines()[-2:] == ["note: search is off", "THE BOOKS DO NOT BALANCE"]


@pytest.mark.parametrize(
    ("pending", "problems", "differing"),
    [((), (), 0), ((3,), (), 1), ((), ("batch 1: one too many", "batch 2: one too few"), 2)],
)
def test_an_index_whose_total_is_right_may_still_be_wrong(
    pending: tuple[int, ...], problems: tuple[str, ...], differing: int
) -> None:
    proof = Proof(
        index="i",
        documents=19,
        dead=1,
        expected=20,
        pending=pending,
        complete=(),
        problems=problems,
    )
    total, batches, _ = index_checks(proof, [])
    assert (total.expected, total.found) == (20, 20)
    assert (batches.expected, batches.found, batches.ok) == (0, differing, differing == 0)
