"""When a build is up to date: only if ledger and project are the same, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.settings import SearchSettings, Settings
from ingest.warehouse import build_marker


@pytest.fixture
def key(tmp_path: Path) -> Callable[[str], str]:
    """Return the key of a small project over the given version of the ledger."""
    settings = project(tmp_path)
    return lambda version: build_marker.build_key(settings, version)


def project(root: Path) -> Settings:
    for name in ("dbt_project.yml", "models/marts/a.sql", "seeds/products.csv", "macros/m.sql"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"first content of {name}")
    return Settings(
        root=root,
        data=root / "data",
        lake="lake",
        target="local",
        sources=(),
        search=SearchSettings(),
    )


def test_the_same_is_up_to_date(key: Callable[[str], str]) -> None:
    assert key("_loads/1") == key("_loads/1")


def test_another_ledger_is_a_change(key: Callable[[str], str]) -> None:
    assert key("_loads/1") != key("_loads/2")


def test_a_changed_new_or_moved_model_is_a_change(
    key: Callable[[str], str], tmp_path: Path
) -> None:
    marts = tmp_path / "models" / "marts"
    keys = {key("l")}
    (marts / "a.sql").write_text("select 2")
    keys.add(key("l"))
    (marts / "b.sql").write_text("select 2")
    keys.add(key("l"))
    (marts / "b.sql").rename(marts / "c.sql")
    keys.add(key("l"))
    assert len(keys) == 4


@pytest.mark.parametrize("name", ["dbt_project.yml", "seeds/products.csv", "macros/m.sql"])
def test_every_part_of_the_project_counts(
    key: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    before = key("l")
    (tmp_path / name).write_text("other content")
    assert key("l") != before


def test_what_dbt_does_not_read_is_not_a_change(key: Callable[[str], str], tmp_path: Path) -> None:
    before = key("l")
    (tmp_path / "README.md").write_text("other words")
    assert key("l") == before


def test_only_a_finished_build_counts(tmp_path: Path) -> None:
    settings = project(tmp_path)
    assert not build_marker.is_built(settings, "k")
    build_marker.mark_built(settings, "k")
    assert build_marker.is_built(settings, "k")
    assert not build_marker.is_built(settings, "other")
    build_marker.mark_stale(settings)
    assert not build_marker.is_built(settings, "k")
