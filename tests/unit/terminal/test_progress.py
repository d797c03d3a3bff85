"""Progress: a log line per 10 % where there is no terminal, a bar on stderr where there is one."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest

from ingest.terminal.progress import progress
from ingest.terminal.text import StderrHandler


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
    monkeypatch.setenv("COLUMNS", "80")
    log = logging.Logger("probe")
    log.addHandler(StderrHandler())
    with progress("ingest raw", 1_204_331) as show:
        show(120_433, "16,275/s, waiting")
        log.warning("a message")
        show(120_434, "16,275/s, waiting")
    lines = re.split(r"[\r\n]", re.sub(r"\x1b\[[\d;?]*\w", "", terminal.getvalue()))
    assert "a message" in [line.rstrip() for line in lines]
    shown = max(lines, key=len)
    assert shown.startswith("ingest raw")
    assert "120,434/1,204,331 16,275/s, waiting 0:00:00" in shown
    assert capsys.readouterr().out == ""
