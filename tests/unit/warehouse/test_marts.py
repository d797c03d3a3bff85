"""Which events a mart counts is read from the YAML of the mart."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.warehouse.marts import MARTS_YAML, Mart, read_marts

ROOT = Path(__file__).resolve().parents[3]


def project(root: Path, text: str) -> Path:
    path = root / MARTS_YAML
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return root


def test_a_mart_says_which_events_it_counts(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        """
        models:
          - name: events_per_color
            config: {meta: {counts_where: events.color is not null}}
            columns: [{name: color}, {name: total_events}]
          - name: files
            columns: [{name: source_file}]
        """,
    )

    assert read_marts(root) == (Mart(name="events_per_color", where="events.color is not null"),)


def test_the_marts_of_this_project() -> None:
    marts = {mart.name: mart.where for mart in read_marts(ROOT)}

    assert list(marts) == [
        "number_of_views_per_session",
        "number_of_sessions_per_ip",
        "number_of_events_per_http_response",
        "number_of_events_per_brand",
        "fct_traffic_hourly",
    ]
    assert marts["number_of_events_per_brand"] == (
        "events.brand is not null or catalogue.product_id is not null"
    )


@pytest.mark.parametrize(
    "entry",
    [
        "{name: half, columns: [{name: total_events}]}",
        "{name: half, config: {meta: {counts_where: ''}}, columns: [{name: total_events}]}",
        "{name: half, config: {meta: {counts_where: a is null}}, columns: [{name: a}]}",
    ],
)
def test_half_an_entry_is_named_with_its_file(tmp_path: Path, entry: str) -> None:
    root = project(tmp_path, f"models: [{entry}]")

    with pytest.raises(SettingsError, match=r"_marts__models\.yml: .* missing from half$"):
        read_marts(root)


@pytest.mark.parametrize("text", ["", "models:", "models: [{}]", "- a", "a: [", "models: [a]"])
def test_a_file_that_describes_no_marts_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"_marts__models\.yml does not describe the marts"):
        read_marts(project(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"_marts__models\.yml does not describe the marts"):
        read_marts(tmp_path)
