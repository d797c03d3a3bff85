"""Ctrl-C and SIGTERM: remembered, since Python drops an exception that is raised in a finaliser."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_came = threading.Event()
_signals: set[int] = set()


def heed(*signals: signal.Signals) -> None:
    """Raise KeyboardInterrupt at each of `signals`, and remember that it came.

    Handlers can be set in the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is threading.main_thread():
        for number in signals:
            signal.signal(number, _interrupt)


def end_waits() -> None:
    """Let Ctrl-C end a wait of the main thread for others; called before one, imports done.

    The handler that polars puts before ours at its import makes the kernel resume such waits.
    """
    signal.siginterrupt(signal.SIGINT, True)


def interrupted() -> bool:
    """Return whether a signal came, whatever became of its exception."""
    return _came.is_set()


def check_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal came. Called before each piece of long work."""
    if interrupted():
        raise KeyboardInterrupt


def forget_ctrl_c() -> bool:
    """Forget Ctrl-C, where it stops one piece of work only. False if another signal came."""
    if signal.SIGTERM in _signals:
        return False
    forget()
    return True


def forget() -> None:
    """Begin again, as at the start of a command."""
    _came.clear()
    _signals.clear()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _signals.add(number)
    _came.set()
    raise KeyboardInterrupt
