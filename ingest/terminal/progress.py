"""Show the progress of a long hop: a bar on a terminal, elsewhere one log line per 10 %."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_log = logging.getLogger(__name__)


class Show(Protocol):
    """Shows how many are done, and what else there is to say of them."""

    def __call__(self, done: int, detail: str = "") -> None:
        """Show that `done` are done."""


@contextmanager
def progress(label: str, total: int) -> Iterator[Show]:
    """Yield a function that takes how many of `total` are done; any thread may call it.

    Everything goes to stderr: stdout is for results.
    """
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(label, total=total, detail="")

            def show(done: int, detail: str = "") -> None:
                bar.update(task, completed=done, detail=detail)

            yield show
    else:
        yield _LoggedTenths(label, total)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _LoggedTenths:
    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._tenths = 0

    def __call__(self, done: int, detail: str = "") -> None:
        tenths = 10 * done // self._total if self._total else 10
        if tenths > self._tenths:
            self._tenths = tenths
            counted = f"{done:,} of {self._total:,}"
            more = f", {detail}" if detail else ""
            _log.info("%s: %d %% (%s)%s", self._label, 10 * tenths, counted, more)
