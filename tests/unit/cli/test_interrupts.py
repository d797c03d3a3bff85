"""A signal is heard whatever becomes of its exception."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ingest import cli
from ingest.terminal import interrupts

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class _Finaliser:
    """Is interrupted where Python drops exceptions."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupts.heed(*before)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    interrupts.forget()


def test_a_signal_that_python_drops_is_raised_at_the_next_look() -> None:
    interrupts.check_interrupted()
    _Finaliser()
    assert interrupts.interrupted()
    with pytest.raises(KeyboardInterrupt):
        interrupts.check_interrupted()


def test_a_signal_that_is_not_dropped_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.interrupted()


@pytest.mark.parametrize("consequence", [None, ConnectionError("the JVM is gone")])
def test_a_command_that_missed_a_signal_says_that_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    consequence: Exception | None,
) -> None:
    def stale_files(*_: object) -> list[str]:
        _Finaliser()
        if consequence:
            raise consequence
        return []

    monkeypatch.setattr("ingest.render.stale_files", stale_files)
    assert cli.run(["contract", "check"]) == cli.INTERRUPTED
    assert "interrupted; nothing is lost" in capsys.readouterr().err
    monkeypatch.setattr("ingest.render.stale_files", lambda *_: [])
    assert cli.run(["contract", "check"]) == 0


# A thread is busy for a minute, as with a request to a silent server, when Ctrl-C comes.
BUSY = """
import threading, time
from ingest import cli, render
def busy(*_):
    threading.Thread(target=time.sleep, args=(60,)).start()
    raise KeyboardInterrupt
render.stale_files = busy
cli.main()
"""


def test_an_interrupted_command_does_not_wait_for_its_threads() -> None:
    command = [sys.executable, "-c", BUSY, "contract", "check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == cli.INTERRUPTED
    assert "interrupted; nothing is lost" in ended.stderr
