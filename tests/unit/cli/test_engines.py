"""Which commands start an engine: those that need one, and only the part of it that they need."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.cli import engines
from ingest.cli.engines import (
    export_tasks_for,
    export_tasks_on,
    ingest_tasks_for,
    warehouse_for,
)
from ingest.errors import ClickstreamError, SettingsError
from ingest.search.exporter import RunTasks
from ingest.settings import SearchSettings, Settings

PACKAGE = Path(__file__).resolve().parents[3] / "ingest"


def test_only_the_rooms_of_spark_import_it() -> None:
    rooms = {PACKAGE / "spark", PACKAGE / "warehouse" / "spark", PACKAGE / "weblogs"}
    spark = {"pyspark", "py4j"}
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    others = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, source in sources.items()
        if not rooms & set(path.parents)
        if any(name in source for name in spark)  # to parse all the others takes long
        for name in _imported_when_run(source)
        if name in spark
    ]
    assert others == []


def _imported_when_run(source: str) -> Iterator[str]:
    """Yield what `source` imports, inside functions too, but not for its types alone."""
    left: list[ast.AST] = [ast.parse(source)]
    while left:
        node = left.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif not isinstance(node, ast.expr):  # no expression holds an import
            left += ast.iter_child_nodes(node)


@pytest.mark.parametrize("submitted", [False, True])
def test_an_export_takes_the_cluster_that_it_was_submitted_to(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, submitted: bool
) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    if submitted:
        monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    on_cluster: RunTasks = lambda _tasks: []  # noqa: E731
    monkeypatch.setattr(engines, "spark_for", lambda _settings: nullcontext())
    monkeypatch.setattr(engines, "export_tasks_on", lambda _session, _settings: on_cluster)

    with export_tasks_for(make_settings()) as run_tasks:
        assert (run_tasks is on_cluster) is submitted


def test_a_cluster_is_not_sent_to_the_local_search_server(
    make_settings: Callable[..., Settings],
) -> None:
    session: Any = SimpleNamespace(sparkContext=SimpleNamespace(master="yarn"))
    settings = replace(make_settings(), search=SearchSettings())

    with pytest.raises(SettingsError, match="set ES_URL"):
        export_tasks_on(session, settings)([])


@pytest.mark.parametrize("error", [None, ClickstreamError("a"), KeyboardInterrupt()])
def test_the_warehouse_is_closed_unless_a_call_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    warehouse = MemoryWarehouse()
    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ingest.warehouse.open_warehouse", lambda _settings: warehouse)

    with suppress(ClickstreamError, KeyboardInterrupt), warehouse_for(None):
        if error is not None:
            raise error
    assert warehouse.closed is not isinstance(error, KeyboardInterrupt)


@dataclass
class Started:
    """A Spark session of a test: what it was started with, and whether it was stopped."""

    parameters: Mapping[str, str]
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """The sessions that are started; the Spark of each target has its name for a master."""
    sessions: list[Started] = []

    def start_session(parameters: Mapping[str, str], _data: Path) -> Started:
        sessions.append(Started(parameters))
        return sessions[-1]

    def remembered_target(settings: Settings) -> Any:
        parameters = {"spark.master": settings.target, "spark.jars.packages": "a client"}
        return SimpleNamespace(parameters=parameters)

    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.setattr("ingest.spark.session.given_session", lambda: None)
    monkeypatch.setattr("ingest.spark.session.start_session", start_session)
    monkeypatch.setattr("ingest.warehouse.remembered.remembered_target", remembered_target)
    monkeypatch.setattr(engines, "ingest_tasks_on", lambda _session: lambda tasks, _label: tasks)
    return sessions


@pytest.mark.parametrize(
    ("target", "master"),
    [("local", "local"), ("local_large", "local_large"), ("redshift", "local")],
)
def test_spark_is_started_by_the_first_thing_to_parse(
    make_settings: Callable[..., Settings], started: list[Started], target: str, master: str
) -> None:
    settings = replace(make_settings(), root=PACKAGE.parent, target=target)
    with ingest_tasks_for(settings) as run_tasks:
        assert started == []
        assert [run_tasks([], "one"), run_tasks([], "two")] == [[], []]
        assert started == [Started({"spark.master": master})]
    assert started[0].stopped


def test_spark_is_not_started_for_nothing(
    make_settings: Callable[..., Settings], started: list[Started]
) -> None:
    with ingest_tasks_for(make_settings()):
        pass
    assert started == []
