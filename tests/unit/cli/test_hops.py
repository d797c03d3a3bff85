"""What the commands of the hops print when a hop ends early: the summary, and one JSON object."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest import cli
from ingest.cli import hops
from ingest.errors import BooksError, ClickstreamError
from ingest.job.run import RunTasks
from ingest.local_search.control import LocalServerStatus
from ingest.local_search.state import LocalServer, write_state
from ingest.pipeline import RunSummary
from ingest.search.export import ExportSummary
from ingest.settings import Settings
from ingest.warehouse.load import LoadSummary

EXPORTED = ExportSummary(index="i", batches=(1,), documents=30, created=30)
LOADED = LoadSummary(loaded=("b1",), replaced=(), quarantined=(), live=1, events=30, seconds=1.0)


@pytest.fixture(autouse=True)
def no_engine(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No warehouse is opened, no session started."""

    @contextmanager
    def warehouse_for(
        _target: str | None, settings: Settings | None = None
    ) -> Iterator[tuple[Settings, None]]:
        yield settings or make_settings(), None

    @contextmanager
    def no_tasks(_settings: Settings, **_: bool) -> Iterator[None]:
        yield None

    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    (tmp_path / "raw").mkdir()
    monkeypatch.setattr(hops, "warehouse_for", warehouse_for)
    for name in ("ingest_tasks_for", "export_tasks_for"):
        monkeypatch.setattr(hops, name, no_tasks)


def stopped_run(*_: object, **__: object) -> RunSummary:
    summary = RunSummary(load=LOADED)
    summary.add_problem("export: 3 != 4", BooksError.exit_code)
    return summary


def test_a_run_that_stopped_prints_its_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.pipeline.run_pipeline", stopped_run)

    assert cli.run(["run"]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert "load     1 batch, 30 events; 1 live batch (1.0 s)" in lines
    assert "export   not done" in lines
    assert "problem: export: 3 != 4" in lines


def test_a_run_that_stopped_gives_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.pipeline.run_pipeline", stopped_run)

    assert cli.run(["run", "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    assert (answer["exit_code"], answer["problems"]) == (4, ["export: 3 != 4"])
    assert (answer["load"]["live"], answer["export"]) == (1, None)


def failing(error: ClickstreamError, done: object) -> Callable[..., Any]:
    def hop(*_: object, **__: object) -> None:
        error.done = done
        raise error

    return hop


def test_a_hop_that_failed_halfway_prints_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.search.export.export", failing(BooksError("3 != 4"), EXPORTED))

    assert cli.run(["export"]) == 4
    streams = capsys.readouterr()
    assert streams.out.startswith("1 batch, 30 documents (30 new, 0 updated, 0 refused)")
    assert streams.err == "error: 3 != 4\n"


def test_a_hop_that_failed_halfway_gives_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.search.export.export", failing(BooksError("3 != 4"), EXPORTED))

    assert cli.run(["export", "--json"]) == 4
    streams = capsys.readouterr()
    answer = json.loads(streams.out)
    assert (answer["batches"], answer["problems"], answer["exit_code"]) == ([1], ["3 != 4"], 4)
    assert streams.err == "error: 3 != 4\n"


def test_a_hop_that_did_nothing_gives_only_the_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.job.run.ingest", failing(BooksError("3 != 4"), None))

    assert cli.run(["ingest", "--json"]) == 4
    assert json.loads(capsys.readouterr().out) == {"error": "3 != 4", "exit_code": 4}


def test_dead_letters_are_not_sent_again_alone_into_a_new_index(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["export", "--recreate", "--yes", "--replay"]) == 2
    assert "--recreate sends all events, dead letters too: omit --replay" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["load", "export", "run"])
def test_a_hop_that_went_well_ends_with_its_own_code(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantined = LoadSummary(
        loaded=(), replaced=(), quarantined=("b",), live=0, events=0, seconds=0.0
    )
    monkeypatch.setattr("ingest.warehouse.load.load", lambda *_, **__: quarantined)
    monkeypatch.setattr("ingest.search.export.export", lambda *_, **__: EXPORTED)
    monkeypatch.setattr("ingest.pipeline.run_pipeline", lambda *_, **__: RunSummary())

    assert cli.run([command, "--json"]) == (3 if command == "load" else 0)
    json.loads(capsys.readouterr().out)


def test_an_ingest_names_what_it_refused(
    make_settings: Callable[..., Settings],
    run_tasks_here: RunTasks,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (Path(make_settings().sources[0].uri) / "a.bin").write_bytes(bytes(range(256)) * 64)
    monkeypatch.setattr(hops, "ingest_tasks_for", lambda _settings: nullcontext(run_tasks_here))

    assert cli.run(["ingest", "--json"]) == 1
    streams = capsys.readouterr()
    refused = json.loads(streams.out)["refused"]
    assert (refused["count"], refused["see_all"]) == (1, "clickstream status --json")
    (one,) = refused["objects"]
    assert one["source_file"].endswith("a.bin")
    assert (one["file_status"], bool(one["file_reason"])) == ("rejected", True)
    assert "error: nothing could be read: all content was refused (1 object)" in streams.err


def test_a_dry_run_prints_the_steps_one_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "INSERT " + "x" * 300
    monkeypatch.setattr("ingest.warehouse.load.describe_load", lambda *_, **__: ("BEGIN;", long))

    assert cli.run(["load", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"BEGIN;\n{long}\n"
    assert cli.run(["load", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"steps": ["BEGIN;", long]}


@pytest.mark.parametrize("batches", [(), (1,)])
def test_dead_letters_of_an_earlier_export_are_an_error_of_this_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], batches: tuple[int, ...]
) -> None:
    done = replace(EXPORTED, batches=batches, over_limit=(3,))
    monkeypatch.setattr("ingest.search.export.export", lambda *_, **__: done)

    assert cli.run(["export"]) == 3
    assert capsys.readouterr().err.startswith(
        "error: the server refused more documents of batch 3 than search.max_dead = 0 allows"
    )


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://me:hunter2@s", "at http://s:9200"),
        (None, "on the local search server"),
    ],
)
@pytest.mark.parametrize("typed", ["n\n", "\n", ""])  # the last one: no terminal
def test_an_index_is_deleted_only_when_the_answer_is_yes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str | None,
    place: str,
    typed: str,
) -> None:
    exported: list[bool] = []

    def export(*_: object, recreate: bool, **__: object) -> ExportSummary:
        exported.append(recreate)
        return EXPORTED

    monkeypatch.setattr("ingest.search.export.export", export)
    monkeypatch.setenv("ES_INDEX", "events")
    if url is None:
        monkeypatch.delenv("ES_URL", raising=False)
    else:
        monkeypatch.setenv("ES_URL", url)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    assert cli.run(["export", "--recreate"]) == 1
    err = capsys.readouterr().err
    assert f"Delete the index events {place}? [y/N]: " in err
    assert f"error: nothing was changed: to delete the index events {place}, answer y" in err
    assert exported == []
    for arguments, answer in ([], "y\n"), (["--yes"], ""), (["--dry-run"], ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert cli.run(["export", "--recreate", *arguments]) == 0
    monkeypatch.setenv("ES_URL", "off")  # there is nothing to ask
    assert cli.run(["export", "--recreate"]) == 0
    assert exported == [True] * 4


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("was_running", [False, True])
def test_an_export_ends_with_the_server_that_it_started(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    was_running: bool,
    fails: bool,
) -> None:
    server = LocalServer(
        pid=1, create_time=0.0, url="http://here", version="8", node_name="n", folder="f",
        started_at="now",
    )  # fmt: skip
    state = tmp_path / "search" / "server.json"

    def export(*_: object, **__: object) -> ExportSummary:
        state.parent.mkdir(exist_ok=True)
        write_state(state, server)
        if fails:
            raise BooksError("3 != 4")
        return EXPORTED

    running = LocalServerStatus(server=server, memory_bytes=600_000_000, documents=None)
    monkeypatch.setattr("ingest.local_search.control.status", lambda _settings: running)
    monkeypatch.setattr("ingest.search.export.export", export)
    monkeypatch.delenv("ES_URL", raising=False)
    if was_running:
        with suppress(BooksError):
            export()

    assert cli.run(["export", "--json"]) == (4 if fails else 0)
    streams = capsys.readouterr()
    json.loads(streams.out)
    line = (
        "Elasticsearch 8 is running at http://here (pid 1, 0.6 GB); stop it with: "
        f"CLICKSTREAM_DATA={tmp_path} clickstream search down\n"
    )
    assert streams.err.count(line) == (not was_running)


def test_the_help_of_export_names_its_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["export", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "ES_URL, or search.url in clickstream.toml, names the server" in text
    assert "the local search server is started, and stays up" in text
