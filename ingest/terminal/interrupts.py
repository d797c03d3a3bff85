"""Ctrl-C and SIGTERM: remembered, since Python drops an exception that is raised in a finaliser."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_came = threading.Event()


def heed(*signals: signal.Signals) -> None:
    """Raise KeyboardInterrupt at each of `signals`, and remember that it came.

    Handlers can be set in the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is threading.main_thread():
        for number in signals:
            signal.signal(number, _interrupt)


def interrupted() -> bool:
    """Return whether a signal came, whatever became of its exception."""
    return _came.is_set()


def check_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal came. Called before each piece of long work."""
    if interrupted():
        raise KeyboardInterrupt


def forget() -> None:
    """Begin again, as at the start of a command."""
    _came.clear()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _came.set()
    raise KeyboardInterrupt
