"""The shell of `clickstream query`, typed into through a pipe."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures.memory_warehouse import MemoryWarehouse
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from ingest.cli.shell import Names, is_complete, open_shell
from ingest.errors import ClickstreamError
from ingest.terminal import interrupts
from ingest.warehouse import Column, Rows

Type = Callable[[str], str]


@pytest.fixture
def warehouse() -> MemoryWarehouse:
    found = MemoryWarehouse()
    found.make("clickstream.brands", [{"brand": "Norda", "views": 2}, {"brand": "Ax", "views": 1}])
    found.make("landing.events", [{"event_id": "a", "brand": "Norda"}])
    return found


@pytest.fixture
def type_in(warehouse: MemoryWarehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Type:
    """Type text into a new shell and leave it; returns what it printed below its greeting."""

    def type_in(text: str) -> str:
        with create_pipe_input() as keys:
            keys.send_text(f"{text}\\q\r")
            open_shell(warehouse, tmp_path / "history", source=keys, sink=DummyOutput())
        greeting, _, rest = capsys.readouterr().out.partition("\n")
        assert "leave" in greeting
        return rest

    return type_in


def test_a_query_runs_when_it_ends(type_in: Type) -> None:
    assert (
        type_in("select brand\rfrom brands\rorder by 1;\r") == "brand\n-----\nAx\nNorda\n(2 rows)\n"
    )


def test_an_error_does_not_end_it(type_in: Type) -> None:
    shown = type_in("select unknown;\rselect 1 as one;\r\\what\r")
    assert shown.startswith("error: the query failed: no such column: unknown\none\n")
    assert shown.endswith("error: no command \\what; \\? lists them\n")


def test_a_bug_does_not_end_it(
    type_in: Type, warehouse: MemoryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise TypeError("unhashable type")

    monkeypatch.setattr(warehouse, "columns", fail)
    shown = type_in("\\d brands\rselect 1 as one;\r")
    assert shown.startswith("error: unexpected TypeError (a bug): unhashable type\none\n")


def test_it_describes_what_is_there(type_in: Type) -> None:
    assert type_in("\\d\r") == "brands\nlanding.events\n"
    assert [line.split()[0] for line in type_in("\\d landing.events\r").splitlines()[2:]] == [
        "event_id",
        "brand",
    ]
    assert type_in("\\d nothing\r") == "error: there is no table or view nothing\n"
    assert "\\d NAME" in type_in("\\?\r")


def test_it_only_reads(type_in: Type) -> None:
    assert "only reads" in type_in("delete from brands;\r")
    assert "(2 rows)" in type_in("select * from brands;\r")


def test_what_was_asked_is_kept(type_in: Type, tmp_path: Path) -> None:
    type_in("select 1;\r")
    assert "+select 1;" in (tmp_path / "history").read_text()
    assert type_in("\x1b[A\x1b[A\r").startswith("1\n")  # twice up: before \q


def completed(warehouse: MemoryWarehouse, text: str, at: int | None = None) -> list[str]:
    document = Document(text, len(text) if at is None else at)
    return [found.text for found in Names(warehouse).get_completions(document, CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("SEL", None, ["select"]),
        ("select * from bra", None, ["brands"]),
        ("select * from landing.", None, ["landing.events"]),
        ("select vi from brands", 9, ["views"]),
        ("select vi from BRANDS", 9, ["views"]),
        ("select ev from landing.events", 9, ["event_id"]),
        ("select vi", None, []),
        ("\\d sel", None, []),
        ("\\d br", None, ["brands"]),
        ("select ", None, []),
    ],
)
def test_completion(
    warehouse: MemoryWarehouse, text: str, at: int | None, expected: list[str]
) -> None:
    assert completed(warehouse, text, at) == expected


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("select 1;", True),
        ("select 1; -- why", True),
        ("select 'a;'", False),
        ("select 'a;", False),
        ("select 'it\\'s' as a;", True),
        ("select 1 -- first;", False),
        ("select 1 /* not\nyet;", False),
        ("select 1 /* now */;", True),
        ("\\d brands", True),
        ("", True),
        ("exit", True),
        ("select 1", False),
    ],
)
def test_what_enter_runs(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_a_history_that_cannot_be_written_is_left_out(
    warehouse: MemoryWarehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "history").mkdir()  # root may write any file, so it is none
    with create_pipe_input() as keys:
        keys.send_text("select 1 as one;\r\\q\r")
        open_shell(warehouse, tmp_path / "history", source=keys, sink=DummyOutput())
    assert "one\n" in capsys.readouterr().out


def test_a_table_that_cannot_be_read_has_no_columns(
    warehouse: MemoryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_relation: str) -> list[Column]:
        raise ClickstreamError("no")

    monkeypatch.setattr(warehouse, "columns", broken)
    assert completed(warehouse, "select vi from brands", 9) == []


class _SignalledWarehouse(MemoryWarehouse):
    """Gets a signal while a query runs, which then waits to be stopped."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self._number = number
        self._stopped = threading.Semaphore(0)
        self.ended = False

    def query(self, sql: str, *, at_most: int | None = None) -> Rows:
        if "forever" not in sql:
            return super().query(sql, at_most=at_most)
        os.kill(os.getpid(), self._number)
        for _ in range(2):  # the first finds nothing to stop
            assert self._stopped.acquire(timeout=10)
        self.ended = True
        raise ClickstreamError("cancelled")

    def cancel(self) -> None:
        self._stopped.release()


@pytest.fixture
def heeded() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupts.heed(*before)
    yield
    interrupts.forget()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_stops_the_query_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with create_pipe_input() as keys:
        keys.send_text("select forever;\rselect 1 as one;\r\\q\r")
        warehouse = _SignalledWarehouse(signal.SIGINT)
        open_shell(warehouse, tmp_path / "history", source=keys, sink=DummyOutput())
    assert "error: the query was stopped\none\n" in capsys.readouterr().out
    assert warehouse.ended
    assert not interrupts.interrupted()


@pytest.mark.usefixtures("heeded")
def test_sigterm_ends_the_shell(tmp_path: Path) -> None:
    with create_pipe_input() as keys:
        keys.send_text("select forever;\rselect 1 as one;\r\\q\r")
        warehouse = _SignalledWarehouse(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            open_shell(warehouse, tmp_path / "history", source=keys, sink=DummyOutput())
    assert warehouse.ended
    assert interrupts.interrupted()


@pytest.mark.usefixtures("heeded")
def test_sigterm_ends_it_at_the_prompt_too(warehouse: MemoryWarehouse, tmp_path: Path) -> None:
    with create_pipe_input() as keys:

        def stop() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            keys.send_text("\x04")  # if that did nothing, Ctrl-D ends the test

        timer = threading.Timer(0.3, stop)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            open_shell(warehouse, tmp_path / "history", source=keys, sink=DummyOutput())
        timer.join()


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_drops_what_was_typed(type_in: Type) -> None:
    assert type_in("select nothing\x03select 1 as one;\r").startswith("one\n")


@pytest.mark.parametrize(
    ("shared", "greeting"),
    [
        (False, r"\? shows help. No other command can use this warehouse until you leave with \q."),
        (True, r"\? shows help. Leave with \q."),
    ],
)
def test_the_greeting_says_whether_others_must_wait(
    warehouse: MemoryWarehouse,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    shared: bool,
    greeting: str,
) -> None:
    with create_pipe_input() as keys:
        keys.send_text("\\q\r")
        open_shell(warehouse, tmp_path / "history", shared=shared, source=keys, sink=DummyOutput())
    assert capsys.readouterr().out == f"{greeting}\n"
