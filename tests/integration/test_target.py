"""The dbt target as dbt's own API reads it: no JVM, but dbt takes seconds to import."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.settings import SearchSettings, Settings
from ingest.warehouse import open_warehouse
from ingest.warehouse.remembered import remembered_target
from ingest.warehouse.target import Target, load_target

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        root=ROOT,
        data=tmp_path / "my data",
        lake=str(tmp_path / "lake"),
        target="local",
        sources=(),
        search=SearchSettings(url="off"),
    )


def test_the_local_target_keeps_everything_in_the_data_folder(settings: Settings) -> None:
    target = load_target(settings)

    assert (target.name, target.type, target.schema) == ("local", "spark", "clickstream")
    assert target.parameters["spark.sql.warehouse.dir"] == f"{settings.data}/warehouse"
    assert (
        f"databaseName={settings.data}/metastore;"
        in (target.parameters["spark.hadoop.javax.jdo.option.ConnectionURL"])
    )
    assert target.parameters["spark.sql.session.timeZone"] == "UTC"
    assert target.parameters["spark.master"] == "local[*,4]"


def test_local_large_differs_in_size_only(settings: Settings) -> None:
    small = load_target(settings).parameters
    large = load_target(replace(settings, target="local_large")).parameters

    assert {name for name in small if small[name] != large[name]} == {
        "spark.driver.memory",
        "spark.driver.extraJavaOptions",
        "spark.sql.shuffle.partitions",
        "spark.sql.adaptive.enabled",
        "spark.sql.codegen.wholeStage",
        "spark.sql.codegen.factoryMode",
    }
    assert small.keys() == large.keys()


def test_the_target_of_jobs_leaves_spark_to_the_cluster(settings: Settings) -> None:
    local, emr = (load_target(replace(settings, target=name)) for name in ("local", "emr"))

    assert (emr.type, emr.schema) == (local.type, local.schema)
    assert (local.is_local, emr.is_local) == (True, False)
    assert emr.parameters.items() < local.parameters.items()
    assert {name for name in emr.parameters if name.startswith("spark.sql.")} == {
        "spark.sql.ansi.enabled",  # dbt's own
        "spark.sql.session.timeZone",
        "spark.sql.sources.partitionOverwriteMode",
    }


def test_the_environment_is_left_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKSTREAM_DATA", "elsewhere")
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    load_target(settings)

    assert os.environ["CLICKSTREAM_DATA"] == "elsewhere"
    assert "DBT_PROFILES_DIR" not in os.environ


def never_asked(_: Settings) -> Target:
    raise AssertionError("the target was known")


def test_the_own_target_is_remembered(settings: Settings) -> None:
    settings.data.mkdir()
    read = load_target(settings)
    assert remembered_target(settings, lambda _: read) == read
    assert remembered_target(settings, never_asked) == read


def test_an_unremembered_target_is_named(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        load_target(replace(settings, target="nowhere"))


def test_a_target_of_another_engine_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles.yml").write_text(
        "clickstream:\n  target: local\n  outputs:\n    local: {type: postgres, host: h, port: 1, "
        "user: u, password: p, dbname: d, schema: s}\n"
    )
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))

    with pytest.raises(SettingsError, match="is of type postgres"):
        open_warehouse(settings)
