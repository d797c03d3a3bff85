"""The tasks of an export in threads of this process: sending documents needs no engine.

Rendering and sending hardly hold Python's lock, and the server is far slower than both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ingest.search.task import ExportTask, TaskFacts, export_task
from ingest.terminal import interrupts
from ingest.terminal.progress import progress


def run_in_threads(tasks: Sequence[ExportTask], *, writers: int) -> list[TaskFacts]:
    """Return the facts of `tasks`, in order; `writers` of them run at a time.

    An interruption does not wait for requests in flight: the next run sends again what is not
    sealed.
    """
    interrupts.end_waits()
    # One each: a task that fails sets its own, and the others go on.
    stops = [threading.Event() for _ in tasks]
    pool = ThreadPoolExecutor(writers)
    documents = sum(file.events for task in tasks for file in task.files)
    try:
        with progress("export", documents) as show:
            done = _Done(show)
            futures = [
                pool.submit(export_task, task, stop=stop, on_done=done.add)
                for task, stop in zip(tasks, stops, strict=True)
            ]
            return [future.result() for future in futures]
    finally:
        for stop in stops:
            stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


class _Done:
    """Adds up the documents that have an outcome, for whoever waits."""

    def __init__(self, show: Callable[[int], None]) -> None:
        self._show = show
        self._documents = 0
        self._lock = threading.Lock()

    def add(self, documents: int) -> None:
        with self._lock:
            self._documents += documents
            self._show(self._documents)
