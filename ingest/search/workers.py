"""The tasks of an export in processes on this machine: sending documents needs no engine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from ingest.errors import ClickstreamError
from ingest.search.task import ExportTask, TaskFacts, export_task
from ingest.terminal.progress import progress


def run_in_processes(tasks: Sequence[ExportTask], *, writers: int) -> list[TaskFacts]:
    """Return the facts of `tasks`, in order; `writers` of them run at a time.

    Raises ClickstreamError when a process is killed.
    """
    if not tasks:
        return []
    with (
        progress("export", len(tasks)) as show,
        ProcessPoolExecutor(
            min(writers, len(tasks)),
            # A fork would share the driver's connections and locks.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare_worker,
        ) as pool,
    ):
        try:
            futures = [pool.submit(export_task, task) for task in tasks]
            for done, _ in enumerate(as_completed(futures), start=1):
                show(done)
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise ClickstreamError(
                "export: a worker process was killed (out of memory?); nothing is lost: run the "
                "command again, or lower search.writers"
            ) from error
        except BaseException:  # an interruption: the next run sends again what is not sealed
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _prepare_worker() -> None:
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    # Ctrl-C reaches the whole process group; the driver decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # They log each retry, which the facts count already.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def _end_with_the_driver() -> None:
    """End this process when the driver is gone: nobody would know what it still sends."""
    if driver := multiprocessing.parent_process():
        driver.join()
        os._exit(1)
