"""Progress: a log line per 10 % where there is no terminal, a bar on stderr where there is one."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from ingest.terminal.progress import progress


def test_a_line_per_tenth_without_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), progress("ingest raw", 40) as show:
        for done in (0, 3, 4, 5, 8, 20, 20, 40):
            show(done)
    assert [record.getMessage() for record in caplog.records] == [
        "ingest raw: 10 % (4 of 40)",
        "ingest raw: 20 % (8 of 40)",
        "ingest raw: 50 % (20 of 40)",
        "ingest raw: 100 % (40 of 40)",
    ]


def test_nothing_to_do_is_all_done(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), progress("nothing", 0) as show:
        show(0)
    assert [record.getMessage() for record in caplog.records] == ["nothing: 100 % (0 of 0)"]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_and_nothing_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("ingest raw", 4) as show:
        show(3)
    assert "ingest raw" in terminal.getvalue()
    assert "3/4" in terminal.getvalue()
    assert capsys.readouterr().out == ""
