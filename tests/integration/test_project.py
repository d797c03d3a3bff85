"""An edited project changes the marts as if they were built from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ingest.books.verify import verify
from ingest.errors import ClickstreamError
from ingest.job.run import RunTasks, ingest
from ingest.settings import Settings
from ingest.warehouse import build as hop
from ingest.warehouse import marts
from ingest.warehouse.dbt import run_dbt
from ingest.warehouse.load import load
from ingest.warehouse.marts import read_marts
from ingest.warehouse.spark.warehouse import SparkWarehouse

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ("dbt_project.yml", "macros", "models", "profiles", "seeds", "tests/dbt")
MART = "fct_traffic_hourly"
INT_MODEL = "models/intermediate/int_traffic_counted.sql"
LINES = (
    '192.0.2.1 - - [10/Oct/2024:09:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Firefox/133"\n'
    '192.0.2.2 - - [10/Oct/2024:09:30:00 +0000] "GET / HTTP/1.1" 404 5 "-" "Firefox/133"\n'
    '192.0.2.2 - - [10/Oct/2024:10:00:00 +0000] "GET / HTTP/1.1" 500 5 "-" "curl/8"\n'
)
QUERY = "select total_events, errors, human_events from fct_traffic_hourly order by event_hour"
WARNING = "the pre-aggregates were built by another state of this project"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A copy of the dbt project, and the warehouse that it builds in."""

    settings: Settings
    warehouse: SparkWarehouse
    run_tasks: RunTasks

    def add(self, name: str) -> None:
        """Write a raw log of three events, ingest and load it."""
        # Bytes of its own: else it would be a copy of the other one.
        content = f"{LINES}# {name}\n"
        (Path(self.settings.sources[0].uri) / name).write_text(content, encoding="utf-8")
        ingest(self.settings, self.run_tasks)
        load(self.settings, self.warehouse)

    def edit(self, path: str, old: str, new: str) -> None:
        place = self.settings.root / path
        text = place.read_text(encoding="utf-8")
        assert old in text
        place.write_text(text.replace(old, new), encoding="utf-8")

    def garble(self, table: str) -> None:
        """Write nonsense into the files of `table`, a folder of the warehouse."""
        files = list((self.settings.data / "warehouse" / table).rglob("*.parquet"))
        assert files
        for file in files:
            file.write_bytes(b"PAR1 nonsense")
            file.with_name(f".{file.name}.crc").unlink()

    def build(self) -> list[tuple[int, int, int]]:
        """Build as `clickstream run` does; return events, errors and human events by hour."""
        summary = hop.build(self.settings, self.warehouse, drop_replaced=False)
        assert (summary.failures, summary.warned) == ((), 0)
        return [(int(a), int(b), int(c)) for a, b, c in self.warehouse.query(QUERY).rows]

    def warns(self) -> bool:
        """Run the pre-aggregate of the hours as somebody types it; tell whether dbt warned."""
        log = self.settings.data / "logs" / "dbt.log"
        before = log.stat().st_size if log.exists() else 0
        assert run_dbt(self.settings, "run", "--select", "int_traffic_counted").success
        return WARNING in log.read_bytes()[before:].decode()


@pytest.fixture
def project(
    empty_warehouse: Settings,
    spark_warehouse: SparkWarehouse,
    run_tasks_here: RunTasks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """The project over three events, with a var that decides what an error is.

    Its data tests are left out: they take most of the time and have nothing to say about edits.
    """
    _ask_dbt_for(monkeypatch)
    root = tmp_path / "project"
    for name in PROJECT:
        source = ROOT / name
        copy: Callable[..., object] = shutil.copytree if source.is_dir() else shutil.copy
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        copy(source, root / name)
    found = Project(
        settings=replace(empty_warehouse, root=root),
        warehouse=spark_warehouse,
        run_tasks=run_tasks_here,
    )
    found.add("one.log")
    found.edit("dbt_project.yml", "vars:\n", "vars:\n  errors_from: 400\n")
    found.edit(INT_MODEL, ">= 400", ">= {{ var('errors_from') }}")
    return found


@pytest.fixture
def one_mart(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the other marts: all pre-aggregates decide what state they were built by."""
    (hours,) = (mart for mart in read_marts(project.settings.root) if mart.name == MART)
    monkeypatch.setattr(marts, "read_marts", lambda _: (hours,))
    _ask_dbt_for(monkeypatch, "--select", f"+{MART}", "+config.materialized:incremental")


def _ask_dbt_for(monkeypatch: pytest.MonkeyPatch, *selected: str) -> None:
    options = ("--exclude-resource-type", "test", *selected)
    monkeypatch.setattr(hop, "run_dbt", lambda *asked: run_dbt(*asked, *options))


@pytest.mark.usefixtures("one_mart")
def test_every_kind_of_edit_reaches_the_marts(project: Project) -> None:
    """Batches that were counted before the edit too: nothing is loaded meanwhile."""
    assert project.build() == [(2, 1, 2), (1, 1, 0)]
    assert not project.warns()

    project.edit("seeds/bot_patterns.csv", "curl/", "firefox/")
    assert project.build() == [(2, 1, 0), (1, 1, 1)]

    project.edit("dbt_project.yml", "errors_from: 400", "errors_from: 500")
    assert project.warns()
    assert project.build() == [(2, 0, 0), (1, 1, 1)]

    project.edit(INT_MODEL, "then 1 else 0", "then 10 else 0")
    assert project.build() == [(2, 0, 0), (1, 10, 1)]

    project.edit("models/marts/fct_traffic_hourly.sql", "sum(error_count)", "sum(error_count) + 1")
    assert not project.warns()
    assert project.build() == [(2, 1, 0), (1, 11, 1)]


@pytest.mark.usefixtures("one_mart")
def test_an_edit_that_was_taken_back_leaves_no_trace(project: Project) -> None:
    """A bare run in between has counted a batch by another project."""
    assert project.build() == [(2, 1, 2), (1, 1, 0)]
    project.edit(INT_MODEL, "then 1 else 0", "then 10 else 0")
    project.add("two.log")
    assert project.warns()
    project.edit(INT_MODEL, "then 10 else 0", "then 1 else 0")
    assert project.warns()

    assert project.build() == [(4, 2, 4), (2, 2, 0)]
    assert not project.warns()


def test_the_first_bare_build_notes_one_state_of_the_project(project: Project) -> None:
    log = project.settings.data / "logs" / "dbt.log"
    before = log.stat().st_size if log.exists() else 0
    only = ("--select", "+int_traffic_counted", "--exclude-resource-type", "test", "unit_test")
    assert run_dbt(project.settings, "build", *only).success
    assert WARNING not in log.read_bytes()[before:].decode()
    ((state,),) = project.warehouse.query(
        "select state from clickstream_intermediate.built_by"
    ).rows
    assert len(state) == 32


def test_before_the_first_load_dbt_says_what_to_do(
    empty_warehouse: Settings, spark_warehouse: SparkWarehouse
) -> None:
    assert not spark_warehouse.exists("landing.batches")
    for command in ("run", "test", "build"):
        with pytest.raises(
            ClickstreamError, match="run `clickstream ingest` and `clickstream load"
        ):
            run_dbt(empty_warehouse, command)
    assert run_dbt(empty_warehouse, "seed").success


@pytest.mark.usefixtures("one_mart")
def test_damaged_tables_are_built_again_from_landing(project: Project) -> None:
    project.build()
    project.garble("clickstream_intermediate.db/int_traffic_counted")
    project.add("two.log")
    assert project.build() == [(4, 2, 4), (2, 2, 0)]

    assert not verify(project.settings, project.warehouse).marts_differ
    project.garble("clickstream.db/fct_traffic_hourly")
    assert verify(project.settings, project.warehouse).marts_differ
