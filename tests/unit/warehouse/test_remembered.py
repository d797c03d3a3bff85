"""A target is read once by dbt, and again whenever anything that decides it has changed."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.settings import SearchSettings, Settings
from ingest.warehouse import remembered
from ingest.warehouse.remembered import remembered_target
from ingest.warehouse.target import Target

PROFILES = """
clickstream:
  outputs:
    local:
      schema: "{{ env_var('SHOP_SCHEMA', 'clickstream') }}"
      password: "{{ env_var("SHOP_PASSWORD", '') }}"
      data: "{{ env_var('CLICKSTREAM_DATA') }}"
"""


PARAMETERS = {"a": "1"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("SHOP_SCHEMA", "SHOP_PASSWORD", "SHOP_TOKEN", "DBT_PROFILES_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "dbt_project.yml").write_text("profile: clickstream\n")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "profiles.yml").write_text(PROFILES)
    return Settings(
        root=tmp_path,
        data=tmp_path,
        lake=str(tmp_path / "lake"),
        target="local",
        sources=(),
        search=SearchSettings(url="off"),
    )


@pytest.fixture
def reads(settings: Settings) -> Callable[..., int]:
    """Ask for the target twice in a row; return how many times it was read."""

    def ask(other: Settings = settings, parameters: Mapping[str, str] = PARAMETERS) -> int:
        read: list[Target] = []

        def load(asked: Settings) -> Target:
            read.append(Target(name=asked.target, type="spark", schema="s", parameters=parameters))
            return read[-1]

        first, second = remembered_target(other, load), remembered_target(other, load)
        assert first == second == replace(first, name=other.target)
        return len(read)

    return ask


def test_it_is_read_once(reads: Callable[..., int]) -> None:
    assert reads() == 1
    assert reads() == 0


def test_another_value_of_a_variable_reads_it_again(
    reads: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reads() == 1
    monkeypatch.setenv("SHOP_SCHEMA", "other")
    assert reads() == 1
    monkeypatch.setenv("NOT_NAMED", "anything")
    assert reads() == 0


@pytest.mark.parametrize("name", ["dbt_project.yml", "profiles/profiles.yml"])
def test_another_text_reads_it_again(
    reads: Callable[..., int], settings: Settings, name: str
) -> None:
    assert reads() == 1
    with (settings.root / name).open("a") as file:
        file.write("# a word\n")
    assert reads() == 1


def test_another_target_or_data_folder_reads_it_again(
    reads: Callable[..., int], settings: Settings
) -> None:
    assert reads() == 1
    assert reads(replace(settings, target="other")) == 1
    assert reads() == 1  # only the last one is kept
    other = settings.data / "other"
    shutil.copytree(settings.data, other, ignore=shutil.ignore_patterns("other"))
    assert reads(replace(settings, data=other)) == 1


def test_another_dbt_reads_it_again(
    reads: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reads() == 1
    monkeypatch.setattr(remembered, "version", lambda name: f"{name} of tomorrow")
    assert reads() == 1


def test_a_path_that_is_not_utf8_is_not_known(
    reads: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SCHEMA", os.fsdecode(b"\xff"))
    assert reads() == 2


def test_a_secret_among_the_parameters_is_not_kept(reads: Callable[..., int]) -> None:
    assert reads(parameters={"spark.hadoop.fs.s3a.secret.key": "s3cret"}) == 2
    assert reads(parameters={"spark.hadoop.fs.s3a.aws.credentials.provider": "x"}) == 1


def test_nobody_else_may_read_it(reads: Callable[..., int], settings: Settings) -> None:
    assert reads() == 1
    assert stat.S_IMODE((settings.data / "target.json").stat().st_mode) == 0o600


def test_a_password_decides_nothing(
    reads: Callable[..., int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reads() == 1
    monkeypatch.setenv("SHOP_PASSWORD", "s3cret")
    assert reads() == 0
    assert "s3cret" not in (settings.data / "target.json").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "      more: \"{{ env_var('SHOP_TOKEN') }}\"\n",
        "      password: &it \"{{ env_var('SHOP_TOKEN') }}\"\n      schema: *it\n",
    ],
)
def test_with_another_secret_nothing_is_kept(
    reads: Callable[..., int], settings: Settings, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    with (settings.root / "profiles" / "profiles.yml").open("a") as file:
        file.write(line)
    assert reads() == 2
    assert not (settings.data / "target.json").exists()


def test_a_variable_whose_name_is_not_plain_is_not_known(
    reads: Callable[..., int], settings: Settings
) -> None:
    with (settings.root / "profiles" / "profiles.yml").open("a") as file:
        file.write("# {{ env_var('SHOP_' ~ 'SCHEMA') }}\n")
    assert reads() == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hash": 1}', '{"hash": 1, "target": {}}', "\0"])
def test_what_is_damaged_is_read_again(
    reads: Callable[..., int], settings: Settings, text: str
) -> None:
    assert reads() == 1
    (settings.data / "target.json").write_text(text)
    assert reads() == 1


@pytest.mark.parametrize(
    "change", [{"schema": "t"}, {"parameters": None}, {"parameters": {"a": "2"}}, {"more": 1}]
)
def test_a_changed_value_is_read_again(
    reads: Callable[..., int], settings: Settings, change: Mapping[str, Any]
) -> None:
    assert reads() == 1
    path = settings.data / "target.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"target": kept["target"] | change}))
    assert reads() == 1


def test_a_data_folder_that_is_not_there_is_not_made(
    reads: Callable[..., int], settings: Settings, tmp_path: Path
) -> None:
    assert reads(replace(settings, data=tmp_path / "new")) == 2
    assert not (tmp_path / "new").exists()
