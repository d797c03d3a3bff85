"""Show the progress of a long hop: a bar on a terminal, elsewhere one log line per 10 %."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_log = logging.getLogger(__name__)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes how many of `total` are done; any thread may call it.

    Everything goes to stderr: stdout is for results.
    """
    if sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        yield _LoggedTenths(label, total)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _LoggedTenths:
    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._tenths = 0

    def __call__(self, done: int) -> None:
        tenths = 10 * done // self._total if self._total else 10
        if tenths > self._tenths:
            self._tenths = tenths
            _log.info("%s: %d %% (%d of %d)", self._label, 10 * tenths, done, self._total)
