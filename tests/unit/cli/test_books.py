"""`verify --targets` opens each target once and compares nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest import cli
from ingest.books.verify import Verification
from ingest.lake.checks import Check
from ingest.local_search.control import LocalServerStatus
from ingest.local_search.state import LocalServer, write_state
from ingest.settings import Settings


@pytest.fixture
def compared(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> list[Mapping[str, Any]]:
    """The warehouses of each comparison; marts differ by one row."""
    asked: list[Mapping[str, Any]] = []

    @contextmanager
    def warehouse_for(target: str) -> Iterator[tuple[Settings, str]]:
        yield make_settings(), f"the warehouse of {target}"

    def compare(_root: Path, warehouses: Mapping[str, Any]) -> Verification:
        asked.append(warehouses)
        return Verification(checks=(Check(name="brands", expected=2, found=1),))

    monkeypatch.setattr("ingest.cli.books.warehouse_for", warehouse_for)
    monkeypatch.setattr("ingest.books.parity.compare_targets", compare)
    return asked


def test_targets_are_compared(
    compared: list[Mapping[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["verify", "--targets", "local, redshift", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["checks"][0]["name"] == "brands"
    assert compared == [
        {"local": "the warehouse of local", "redshift": "the warehouse of redshift"}
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["local"], "name two targets or more"),
        (["local,local"], "name two targets or more"),
        (["local,"], "name two targets or more"),
        (["local,redshift", "--deep"], "--targets compares marts only"),
        (["local,redshift", "--target", "local"], "--targets compares marts only"),
    ],
)
def test_what_makes_no_comparison_is_refused(
    compared: list[Mapping[str, Any]],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert cli.run(["verify", "--targets", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert compared == []


def test_a_verify_ends_with_the_server_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def warehouse_for(_target: str | None, settings: Settings) -> Iterator[tuple[Settings, None]]:
        yield settings, None

    def compare(*_: object, **__: object) -> Verification:
        (tmp_path / "search").mkdir()
        write_state(tmp_path / "search" / "server.json", server)
        return Verification(checks=(), refused=True)

    server = LocalServer(
        pid=1, create_time=0.0, url="http://here", version="8", node_name="n", folder="f",
        started_at="now",
    )  # fmt: skip
    running = LocalServerStatus(server=server, memory_bytes=0, documents=None)
    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    monkeypatch.delenv("ES_URL", raising=False)
    monkeypatch.setattr("ingest.cli.books.warehouse_for", warehouse_for)
    monkeypatch.setattr("ingest.books.verify.verify", compare)
    monkeypatch.setattr("ingest.local_search.control.status", lambda _settings: running)

    assert cli.run(["verify", "--json"]) == 3
    assert capsys.readouterr().err == (
        f"{running.line()}; stop it with: CLICKSTREAM_DATA={tmp_path} clickstream search down\n"
    )
