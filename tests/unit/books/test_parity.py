"""Two targets are compared row by row, whatever types their engines return."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.books.parity import compare_targets
from ingest.books.verify import verify_text
from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse import Rows
from ingest.warehouse.marts import MARTS_YAML

AT = datetime(2024, 10, 10, 11, 0, 0, 123456)  # noqa: DTZ001 - one engine tells no zone
MART = """
models:
  - name: brands
    columns: [{name: brand}, {name: total}, {name: ratio}]
    data_tests: [{sound_rows: {arguments: {unique_key: [brand]}}}]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dbt project with one mart."""
    path = tmp_path / MARTS_YAML
    path.parent.mkdir(parents=True)
    path.write_text(MART)
    return tmp_path


class Answering(MemoryWarehouse):
    """A warehouse whose mart has these rows."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        super().__init__()
        self._rows = rows

    def query(self, sql: str, *, at_most: int | None = None) -> Rows:
        assert (sql, at_most) == ("select brand, total, ratio from clickstream.brands", None)
        return Rows(columns=("brand", "total", "ratio"), rows=list(self._rows))


def compared(root: Path, one: Sequence[tuple[Any, ...]], two: Sequence[tuple[Any, ...]]) -> Any:
    """Return (expected, found, detail) of the mart."""
    result = compare_targets(root, {"local": Answering(one), "redshift": Answering(two)})
    loaded, mart = result.checks
    assert (loaded.name, loaded.ok) == ("live batches: local = redshift", True)
    assert mart.name == "brands: local = redshift"
    assert result.balanced is mart.ok
    return mart.expected, mart.found, mart.detail


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, Decimal("1.00")),
        (100, Decimal("1E+2")),
        (0.5, Decimal("0.500000")),
        (0, Decimal("-0.0")),
        (AT, AT.replace(tzinfo=UTC)),
        (date(2024, 10, 10), date(2024, 10, 10)),
        (None, None),
        (True, True),
        ("1", "1"),
    ],
)
def test_one_value_of_two_types_is_equal(root: Path, one: Any, two: Any) -> None:
    assert compared(root, [("a", 1, one)], [("a", 1, two)]) == (1, 1, "")


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (1, 2, "1 != 2"),
        (1, "1", "1 != '1'"),
        (None, "null", "null != 'null'"),
        (None, 0, "null != 0"),
        ("a", "a ", "'a' != 'a '"),
        (0.1, Decimal("0.10000001"), "0.1 != 0.10000001"),
        (AT, AT.replace(microsecond=0), "11:00:00.123456+00:00 != 2024-10-10T11:00:00.000000"),
    ],
)
def test_the_key_and_both_values_are_named(root: Path, one: Any, two: Any, words: str) -> None:
    expected, found, detail = compared(
        root, [("a", 1, one), ("b", 2, 3)], [("a", 1, two), ("b", 2, 3)]
    )
    assert (expected, found) == (3, 1)
    assert detail.startswith("brand='a': ratio ")
    assert words in detail


def test_all_digits_of_a_decimal_count(root: Path) -> None:
    one, two = 10**29 + 1, Decimal(10**29 + 2)
    _, found, detail = compared(root, [("a", 1, one)], [("a", 1, two)])
    assert (found, str(two) in detail) == (0, True)


def test_rows_of_one_side_are_named_and_a_row_that_is_there_twice(root: Path) -> None:
    assert compared(root, [("a", 1, 1), ("b", 1, 1), ("b", 1, 1)], [("b", 1, 1), ("c", 1, 1)]) == (
        4,
        1,
        "brand='a': 1 row in local, 0 in redshift; brand='b': 1 row in local, 0 in redshift;"
        " brand='c': 0 rows in local, 1 in redshift",
    )


def test_only_the_first_differences_are_named(root: Path) -> None:
    rows = [(f"{number:02}", 1, 1) for number in range(25)]
    _, found, detail = compared(root, rows, [])
    assert found == 0
    assert detail.count("1 row in local") == 10
    assert detail.endswith("; and 15 more")


def test_what_a_log_says_cannot_move_a_cursor(root: Path) -> None:
    _, _, detail = compared(root, [("\x1b[2J", 1, 1)], [])
    assert detail == "brand='\\x1b[2J': 1 row in local, 0 in redshift"


def test_a_mart_that_is_not_there_is_named_with_how_to_make_it(root: Path) -> None:
    remedy = "target redshift has no brands: run `clickstream run --target redshift` first"
    with pytest.raises(SettingsError, match=remedy):
        compare_targets(root, {"local": Answering([]), "redshift": MemoryWarehouse()})


def test_a_mart_that_cannot_be_read_is_named_with_its_target(root: Path) -> None:
    damaged = MemoryWarehouse()
    damaged.make("clickstream.brands", [{"brand": "Norda"}])
    with pytest.raises(ClickstreamError, match="brands of target redshift cannot be read: the q"):
        compare_targets(root, {"local": Answering([]), "redshift": damaged})


def test_the_text_says_whether_they_agree(root: Path) -> None:
    text = verify_text(compare_targets(root, {"a": Answering([]), "b": Answering([])}))
    assert text.endswith("the books balance")
