"""What a command starts before its work and ends after it: a warehouse, or only Spark's tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import click

from ingest.cli.common import load_settings_for
from ingest.errors import SettingsError
from ingest.spark import is_submitted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from ingest.job.run import RunTasks as RunIngestTasks
    from ingest.search.exporter import RunTasks as RunExportTasks
    from ingest.search.task import ExportTask, TaskFacts
    from ingest.settings import Settings
    from ingest.warehouse import Warehouse

# The target whose Spark parses where the target itself has none.
_LOCAL = "local"


@contextmanager
def warehouse_for(
    target: str | None, settings: Settings | None = None
) -> Iterator[tuple[Settings, Warehouse]]:
    """Yield the settings and the warehouse of `target`, in the project root as dbt needs it.

    `settings` are those of the target where they were read before.
    """
    from ingest.warehouse import open_warehouse

    settings = settings or load_settings_for(target)
    os.chdir(settings.root)
    warehouse = open_warehouse(settings)
    with _ended_by(warehouse.close):
        yield settings, warehouse


@contextmanager
def spark_for(settings: Settings) -> Iterator[SparkSession]:
    """Yield the Spark session that is there, else start one on this machine without a warehouse.

    Ingest and export touch only the lake and the index. So a cluster's session needs no dbt,
    profile or metastore, and a local one does not wait for whoever uses the warehouse.
    """
    from ingest.spark.session import given_session, start_session

    session = given_session()
    if session is not None:
        yield session
        return
    from ingest.warehouse import is_on_spark
    from ingest.warehouse.remembered import remembered_target

    # Logs are parsed on Spark also when they are loaded into another engine.
    on_spark = settings if is_on_spark(settings) else replace(settings, target=_LOCAL)
    parameters = {
        name: value
        for name, value in remembered_target(on_spark).parameters.items()
        if not name.startswith("spark.jars.")  # tasks read S3 without it, so it need not be fetched
    }
    session = start_session(parameters, settings.data)
    with _ended_by(session.stop):
        yield session


@contextmanager
def ingest_tasks_for(settings: Settings) -> Iterator[RunIngestTasks]:
    """Yield what runs the tasks of an ingest on Spark, which the first of them starts.

    Without anything to parse, no JVM is started for it.
    """
    with ExitStack() as stack:
        started = cache(lambda: ingest_tasks_on(stack.enter_context(spark_for(settings))))
        yield lambda tasks, label: started()(tasks, label)


@contextmanager
def export_tasks_for(settings: Settings) -> Iterator[RunExportTasks]:
    """Yield what runs the tasks of an export: the cluster under spark-submit, else threads here.

    Sending documents needs no engine, so no JVM is started for it.
    """
    if is_submitted():
        with spark_for(settings) as session:
            yield export_tasks_on(session, settings)
    else:
        from ingest.search.writers import run_in_threads

        yield partial(run_in_threads, writers=settings.search.writers)


def ingest_tasks_on(session: SparkSession) -> RunIngestTasks:
    """Return what runs the tasks of an ingest on Spark."""
    from ingest.job.task import run_task
    from ingest.spark.fanout import fanout

    return lambda tasks, label: fanout(session, tasks, run_task, label=label)


def export_tasks_on(session: SparkSession, settings: Settings) -> RunExportTasks:
    """Return what runs the tasks of an export on Spark.

    It raises SettingsError when they would look for the local search server on a cluster.
    """
    from ingest.search.task import export_task
    from ingest.spark.fanout import fanout

    def run(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        master = session.sparkContext.master or ""
        if settings.search.url is None and not master.startswith("local"):
            raise SettingsError(
                "Spark runs on a cluster, which cannot reach a local Elasticsearch: set ES_URL to "
                "one that it can reach, or to off"
            )
        return fanout(session, tasks, export_task, label="export", at_most=settings.search.writers)

    return run


@contextmanager
def announcing_search_server(settings: Settings) -> Iterator[None]:
    """Say after the block that the local search server is running, if the block has started it."""
    from ingest.local_search.control import state_file
    from ingest.local_search.state import read_state

    before = read_state(state_file(settings))
    try:
        yield
    finally:
        if read_state(state_file(settings)) != before:
            from ingest.cli.summaries import local_server_lines

            for line in local_server_lines(settings):
                click.echo(line, err=True)


@contextmanager
def _ended_by(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` after the block, unless it was interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise  # a py4j call was interrupted: the JVM accepts no more of them, and ends with us
    except BaseException:
        end()
        raise
    end()
