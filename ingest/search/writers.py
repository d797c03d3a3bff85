"""The tasks of an export in threads of this process: sending documents needs no engine.

Rendering and sending hardly hold Python's lock, and the server is far slower than both.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ingest.search.activity import Activity
from ingest.search.task import ExportFile, ExportTask, TaskFacts, export_task
from ingest.terminal import interrupts
from ingest.terminal.progress import progress


def run_in_threads(tasks: Sequence[ExportTask], *, writers: int) -> list[TaskFacts]:
    """Return the facts of `tasks`, in order; `writers` of them run at a time.

    An interruption does not wait for requests in flight: the next run sends again what is not
    sealed.
    """
    if not tasks:
        return []
    interrupts.end_waits()
    # One each: a task that fails sets its own, and the others go on.
    stops = [threading.Event() for _ in tasks]
    pool = ThreadPoolExecutor(writers)
    files = [file for task in tasks for file in task.files]
    try:
        with progress(_label(files), sum(file.events for file in files)) as show:
            activity = Activity(tasks[0].server, show)
            futures = [
                pool.submit(export_task, task, stop=stop, activity=activity)
                for task, stop in zip(tasks, stops, strict=True)
            ]
            return [future.result() for future in futures]
    finally:
        for stop in stops:
            stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _label(files: Sequence[ExportFile]) -> str:
    """Return what is exported: a large lake is in several waves, each with its own progress."""
    numbers = [file.number for file in files]
    first, last = min(numbers), max(numbers)
    batches = f"batch {first}" if first == last else f"batches {first} to {last}"
    return f"export of {batches}"
