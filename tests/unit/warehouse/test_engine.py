"""The engine of a target is known without dbt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.settings import Settings
from ingest.warehouse import is_on_spark
from ingest.warehouse.target import engine_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def settings(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of this project."""
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    return replace(make_settings(), root=ROOT)


@pytest.mark.parametrize(
    ("target", "engine"),
    [
        ("local", "spark"),
        ("local_large", "spark"),
        ("emr", "spark"),
        ("redshift", "redshift"),
        ("nowhere", None),
    ],
)
def test_each_target_has_its_engine(settings: Settings, target: str, engine: str | None) -> None:
    named = replace(settings, target=target)
    assert engine_of(named) == engine
    assert is_on_spark(named) is (engine != "redshift")


@pytest.mark.parametrize(
    "text",
    ["", "[", "a: 1", "a: {outputs: 1}", "a: {outputs: {local: {}}}", "a: {outputs: {local}}"],
)
def test_a_file_that_does_not_tell_is_dbts_affair(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "profiles.yml").write_text(text)
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
    assert engine_of(settings) is None
