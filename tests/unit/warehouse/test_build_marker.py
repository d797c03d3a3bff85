"""When a build is no news: only if ledger and project are the same, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import SparkSession

from ingest.settings import SearchSettings, Settings
from ingest.warehouse import build_marker

# The ledger's place is all that is asked of Spark, and that question is replaced below.
NO_SESSION = cast(SparkSession, None)


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return the key of a small project for a ledger at the given place."""
    settings = project(tmp_path)

    def key_at(ledger: str) -> str:
        monkeypatch.setattr(build_marker, "location", lambda _session, _table: ledger)
        return build_marker.build_key(settings, NO_SESSION)

    return key_at


def project(root: Path) -> Settings:
    (root / "models" / "marts").mkdir(parents=True, exist_ok=True)
    (root / "models" / "marts" / "a.sql").write_text("select 1")
    (root / "dbt_project.yml").write_text("name: x")
    return Settings(
        root=root,
        data=root / "data",
        lake="lake",
        target="local",
        sources=(),
        search=SearchSettings(),
    )


def test_the_same_is_no_news(key: Callable[[str], str]) -> None:
    assert key("_loads/1") == key("_loads/1")


def test_another_ledger_is_news(key: Callable[[str], str]) -> None:
    assert key("_loads/1") != key("_loads/2")


def test_a_changed_new_or_moved_model_is_news(key: Callable[[str], str], tmp_path: Path) -> None:
    marts = tmp_path / "models" / "marts"
    keys = {key("l")}
    (marts / "a.sql").write_text("select 2")
    keys.add(key("l"))
    (marts / "b.sql").write_text("select 2")
    keys.add(key("l"))
    (marts / "b.sql").rename(marts / "c.sql")
    keys.add(key("l"))
    assert len(keys) == 4


def test_only_a_finished_build_counts(tmp_path: Path) -> None:
    settings = project(tmp_path)
    assert not build_marker.is_built(settings, "k")
    build_marker.mark_built(settings, "k")
    assert build_marker.is_built(settings, "k")
    assert not build_marker.is_built(settings, "other")
    build_marker.mark_stale(settings)
    assert not build_marker.is_built(settings, "k")
