"""This process's Spark session: the one that is there, or one started on this machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyspark
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError, SettingsError, WarehouseBusy
from ingest.java import find_java
from ingest.spark import is_submitted
from ingest.spark.lock import hold_warehouse
from ingest.spark.temporary import clear_temporary, share_temporary
from ingest.terminal.interrupts import heed

_WAREHOUSE = "spark.sql.warehouse.dir"


def given_session() -> SparkSession | None:
    """Return the session that this process runs in: an active one, or that of spark-submit.

    None when there is none, so that one has to be started.
    """
    running = SparkSession.getActiveSession()
    if running is None and is_submitted():
        return SparkSession.builder.getOrCreate()
    return running


def start_session(parameters: Mapping[str, str], data: Path) -> SparkSession:
    """Start Spark with `parameters` for tasks only: no metastore, so any number may run at once.

    `data` is the folder of everything local. Raises SettingsError when Java or SPARK_HOME is
    not the right one, or `parameters` are those of a cluster.
    """
    _prepare_machine(parameters)
    share_temporary(data)
    return _start(parameters, data / "logs" / "spark.log")


def warehouse_session(parameters: Mapping[str, str], data: Path) -> SparkSession:
    """Return this process's session with the metastore, started unless one is running.

    What spark-submit was given wins over `parameters`. Raises as `start_session`, SettingsError
    when a cluster would have to work with a local warehouse, and WarehouseBusy when another process
    uses that, or this process already uses another one.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        return _same_warehouse(running, parameters)
    hold_warehouse(data)
    if is_submitted():
        parameters = _undecided(parameters)
    else:
        _prepare_machine(parameters)
        clear_temporary(data)
        share_temporary(data)
    parameters = {**parameters, "spark.sql.catalogImplementation": "hive"}
    return _start(parameters, data / "logs" / "spark.log")


def check_spark_home(environ: Mapping[str, str]) -> None:
    """Raise SettingsError when SPARK_HOME is set and holds another Spark than pyspark's own."""
    home = environ.get("SPARK_HOME")
    if home and not list(Path(home).glob(f"jars/spark-core_*-{pyspark.__version__}.jar")):
        raise SettingsError(
            f"SPARK_HOME is {home}, which does not contain Spark {pyspark.__version__}: "
            "unset it; the pyspark package contains all of Spark that is needed"
        )


def _same_warehouse(running: SparkSession, parameters: Mapping[str, str]) -> SparkSession:
    current = str(running.conf.get(_WAREHOUSE)).removeprefix("file:")
    if current != parameters.get(_WAREHOUSE, current):
        raise WarehouseBusy(
            f"this process already uses the warehouse {current}: use another process for "
            f"{parameters[_WAREHOUSE]}"
        )
    return running


def _undecided(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return those of `parameters` that spark-submit was not given.

    Raises SettingsError when it sent a local target to a cluster: tables would go with the job.
    """
    SparkContext._ensure_initialized()  # before that, no setting of spark-submit is known
    decided = SparkConf()
    master = decided.get("spark.master", "") or ""
    if parameters.get("spark.master", "").startswith("local") and not master.startswith("local"):
        raise SettingsError(
            f"this job runs on {master}, but its target keeps the tables on one machine: use"
            " --target emr"
        )
    return {key: value for key, value in parameters.items() if not decided.contains(key)}


def _prepare_machine(parameters: Mapping[str, str]) -> None:
    """Check what the JVM needs, and set what it and the workers read from the environment."""
    if "spark.master" not in parameters:
        raise SettingsError(
            "this target has no spark.master, because its jobs run on a cluster: send them with"
            " `clickstream emr submit`, or use another --target"
        )
    find_java("Spark")
    check_spark_home(os.environ)
    # Otherwise workers run whatever `python3` is on PATH, without our packages.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # In the plain C locale Java cannot name a folder that has letters beyond ASCII.
    if os.environ.get("LC_ALL") in ("C", "POSIX"):
        os.environ["LC_ALL"] = "C.UTF-8"


def _start(parameters: Mapping[str, str], log: Path) -> SparkSession:
    # pyspark logs each refused query as JSON with its whole stack, beside the exception.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    conf = SparkConf().setAll(list(parameters.items()))
    try:
        with _stderr_into(log):
            SparkContext.getOrCreate(conf)
            _interrupt_as_python_does()
            return SparkSession.builder.config(conf=conf).getOrCreate()
    except KeyboardInterrupt:
        # A JVM that can no longer call back would wait for ever.
        for child in psutil.Process().children(recursive=True):
            child.kill()
        raise
    except (PySparkException, Py4JError) as error:
        raise ClickstreamError(
            f"Spark did not start: {error}; see {log} for details. If Java crashed, delete"
            f" {Path(sys.prefix) / 'spark.jsa'}, which only makes it start faster"
        ) from error


def _interrupt_as_python_does() -> None:
    """Undo the handler that pyspark sets for Ctrl-C.

    It calls the JVM, in the middle of another call perhaps, and then a stack trace is all that is
    seen of the interruption.
    """
    heed(signal.SIGINT)


@contextmanager
def _stderr_into(log: Path) -> Iterator[None]:
    """Redirect stderr of processes started inside the block (JVM, workers) to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
