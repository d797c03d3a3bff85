"""When a build is up to date, and when pre-aggregates have to be built from scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.errors import SettingsError
from ingest.settings import SearchSettings, Settings
from ingest.warehouse import Schemas, build_marker
from ingest.warehouse.build_marker import (
    BuildMarker,
    current_marker,
    forget_marker,
    read_marker,
    write_marker,
)

Marker = Callable[[], BuildMarker]


@pytest.fixture
def warehouse() -> MemoryWarehouse:
    return MemoryWarehouse()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small project."""
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    for name in (
        "dbt_project.yml", "models/marts/a.sql", "seeds/products.csv", "macros/m.sql",
        "tests/dbt/t.sql", "profiles/profiles.yml",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"first content of {name}")
    return Settings(
        root=tmp_path,
        data=tmp_path / "data",
        lake="lake",
        target="local",
        sources=(),
        search=SearchSettings(),
    )


@pytest.fixture
def marker(settings: Settings, warehouse: MemoryWarehouse) -> Marker:
    return lambda: current_marker(settings, warehouse)


def test_the_same_is_no_news(marker: Marker) -> None:
    assert marker() == marker()
    assert not marker().needs_full_refresh(marker())


def test_another_ledger_is_news_but_no_full_refresh(marker: Marker) -> None:
    last = replace(marker(), ledger="_loads/1")

    assert marker() != last
    assert not marker().needs_full_refresh(last)


@pytest.mark.parametrize(
    "name", ["dbt_project.yml", "models/marts/a.sql", "seeds/products.csv", "macros/m.sql"]
)
def test_another_project_is_a_full_refresh(marker: Marker, tmp_path: Path, name: str) -> None:
    last = marker()
    (tmp_path / name).write_text("other content")

    assert marker().needs_full_refresh(last)


def test_a_new_or_moved_model_is_another_project(marker: Marker, tmp_path: Path) -> None:
    marts = tmp_path / "models" / "marts"
    projects = {marker().project}
    (marts / "b.sql").write_text("select 2")
    projects.add(marker().project)
    (marts / "b.sql").rename(marts / "c.sql")
    projects.add(marker().project)
    assert len(projects) == 3


@pytest.mark.parametrize("name", ["tests/dbt/t.sql", "profiles/profiles.yml"])
def test_what_only_checks_or_tunes_is_news_but_no_full_refresh(
    marker: Marker, tmp_path: Path, name: str
) -> None:
    last = marker()
    (tmp_path / name).write_text("other content")

    assert marker() != last
    assert not marker().needs_full_refresh(last)


@pytest.mark.parametrize(
    ("target", "schema"), [("local_large", "clickstream"), ("local", "clickstream_seeds")]
)
def test_another_target_or_schema_is_a_full_refresh(
    marker: Marker,
    settings: Settings,
    warehouse: MemoryWarehouse,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    schema: str,
) -> None:
    last = marker()
    monkeypatch.setattr(build_marker, "_built_by", lambda _warehouse: None)
    warehouse.schemas = Schemas(marts=schema)

    assert current_marker(replace(settings, target=target), warehouse).needs_full_refresh(last)


def test_a_bare_dbt_run_with_another_project_is_a_full_refresh(
    marker: Marker, warehouse: MemoryWarehouse
) -> None:
    """The edit was taken back before `clickstream run` could see it."""
    warehouse.make("clickstream_intermediate.built_by", [{"state": "a state"}])
    last = marker()
    assert last.built_by == "a state"
    warehouse.make("clickstream_intermediate.built_by", [{"state": "mixed"}])

    assert marker().needs_full_refresh(last)


def test_what_dbt_does_not_read_is_no_news(marker: Marker, tmp_path: Path) -> None:
    before = marker()
    (tmp_path / "README.md").write_text("other words")
    assert marker() == before


def test_only_a_finished_build_is_remembered(warehouse: MemoryWarehouse, marker: Marker) -> None:
    assert read_marker(warehouse) is None
    assert marker().needs_full_refresh(None)
    write_marker(warehouse, marker())
    assert read_marker(warehouse) == marker()
    forget_marker(warehouse)
    assert read_marker(warehouse) is None


@pytest.mark.parametrize("content", ["", "an older hash", "{}", "[]", '{"ledger": "x"}'])
def test_what_is_not_a_marker_is_not_known(warehouse: MemoryWarehouse, content: str) -> None:
    warehouse.notes.put("built", content.encode())

    assert read_marker(warehouse) is None


def test_another_key_of_pseudonyms_counts_again(
    settings: Settings, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.root / "dbt_project.yml").write_text("vars: {pseudonymise: client_ip}")
    with pytest.raises(SettingsError, match="CLICKSTREAM_PSEUDONYM_KEY is not set"):
        marker()
    monkeypatch.setenv("CLICKSTREAM_PSEUDONYM_KEY", "k" * 32)
    last = marker()
    assert not marker().needs_full_refresh(last)
    monkeypatch.setenv("CLICKSTREAM_PSEUDONYM_KEY", "l" * 32)
    assert marker().needs_full_refresh(last)
