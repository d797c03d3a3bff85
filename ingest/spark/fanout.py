"""Run one function over many task rows on Spark: one stage, no shuffle, facts come back."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from py4j.protocol import Py4JError, Py4JJavaError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError
from ingest.spark.failure import first_lines
from ingest.terminal.progress import progress

Task = TypeVar("Task")
Facts = TypeVar("Facts")

_POLL_SECONDS = 1.0
# Spark runs one task per core, so a library with its own threads would only get in the way.
_WORKER_ENVIRONMENT = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


def fanout(
    session: SparkSession,
    tasks: Sequence[Task],
    run: Callable[[Task], Facts],
    *,
    label: str,
    at_most: int | None = None,
) -> list[Facts]:
    """Return `run(task)` of each task, in order; Spark tries a failed one four times in all.

    `at_most` caps how many run at once (None = one per core); capped tasks are spread over that
    many Spark tasks. Raises ClickstreamError with the last error of a task that always fails, or
    when Spark itself has died.
    """
    if not tasks:
        return []
    context = session.sparkContext
    context.environment.update(_WORKER_ENVIRONMENT)
    slices = min(len(tasks), at_most or len(tasks))
    with _shown(context, label, slices):
        try:
            return context.parallelize(tasks, slices).map(run).collect()
        except Py4JJavaError as error:
            raise ClickstreamError(f"{label}: {_cause(error)}") from error
        except Py4JError as error:  # the JVM has died
            raise ClickstreamError(
                f"{label}: Spark died ({first_lines(error)}); nothing is lost: "
                "run the command again"
            ) from error


@contextmanager
def _shown(context: SparkContext, label: str, total: int) -> Iterator[None]:
    """Show the progress of the Spark jobs that this thread starts inside the block."""
    group = uuid.uuid4().hex
    context.setJobGroup(group, label, interruptOnCancel=True)
    over = threading.Event()
    with progress(label, total) as show:

        def watch() -> None:
            while not over.wait(_POLL_SECONDS):
                show(_completed(context, group))

        watcher = threading.Thread(target=watch, name=f"progress of {label}", daemon=True)
        watcher.start()
        try:
            yield
            show(total)
        finally:
            over.set()
            watcher.join()


def _completed(context: SparkContext, group: str) -> int:
    tracker = context.statusTracker()
    jobs = (tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group))
    stages = (tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds)
    return sum(stage.numCompletedTasks for stage in stages if stage)


def _cause(error: Py4JJavaError) -> str:
    """Return the last line of the Python traceback in the error, or Spark's own message."""
    text = str(error.java_exception.getMessage())
    traceback = text.partition("Traceback (most recent call last):")[2].partition("\n\tat ")[0]
    lines = [line for line in (traceback or text).splitlines() if line.strip()]
    return lines[-1 if traceback else 0].strip()
