"""The tasks of an export in threads of this process: sending documents needs no engine.

Rendering and sending hardly hold Python's lock, and the server is far slower than both.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from ingest.search.task import ExportTask, TaskFacts, export_task
from ingest.terminal.progress import progress


def run_in_threads(tasks: Sequence[ExportTask], *, writers: int) -> list[TaskFacts]:
    """Return the facts of `tasks`, in order; `writers` of them run at a time.

    An interruption does not wait for requests in flight: the next run sends again what is not
    sealed.
    """
    # One each: a task that fails sets its own, and the others go on.
    stops = [threading.Event() for _ in tasks]
    pool = ThreadPoolExecutor(writers)
    try:
        with progress("export", len(tasks)) as show:
            futures = [pool.submit(export_task, *both) for both in zip(tasks, stops, strict=True)]
            for done, _ in enumerate(as_completed(futures), start=1):
                show(done)
            return [future.result() for future in futures]
    finally:
        for stop in stops:
            stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
