"""This process's Spark session, started with the settings of the dbt target."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyspark
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError, SettingsError, WarehouseBusy
from ingest.java import find_java
from ingest.spark.lock import hold_warehouse

_WAREHOUSE = "spark.sql.warehouse.dir"


def spark_session(parameters: Mapping[str, str], data: Path) -> SparkSession:
    """Return this process's Spark session, started with `parameters` unless one is running.

    `data` is the folder of everything local.

    Raises SettingsError when Java or SPARK_HOME does not fit, WarehouseBusy when another process
    holds the local warehouse, or this process another one.
    """
    running = SparkSession.getActiveSession()
    if running is None:
        find_java("Spark")
        check_spark_home(os.environ)
        hold_warehouse(data)
        return _start_session(parameters, data / "logs" / "spark.log")
    held = str(running.conf.get(_WAREHOUSE)).removeprefix("file:")
    if held != parameters[_WAREHOUSE]:
        raise WarehouseBusy(
            f"This process works on the warehouse {held}; "
            f"{parameters[_WAREHOUSE]} needs a process of its own."
        )
    return running


def check_spark_home(environ: Mapping[str, str]) -> None:
    """Raise SettingsError when SPARK_HOME is set and holds another Spark than pyspark's own."""
    home = environ.get("SPARK_HOME")
    if home and not list(Path(home).glob(f"jars/spark-core_*-{pyspark.__version__}.jar")):
        raise SettingsError(
            f"SPARK_HOME is {home}, which does not hold Spark {pyspark.__version__}. "
            "Unset SPARK_HOME: the pyspark package brings all of Spark that is needed."
        )


def _start_session(parameters: Mapping[str, str], log: Path) -> SparkSession:
    # pyspark logs each refused query as JSON with its whole stack, beside the exception.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    # Else workers take whatever `python3` PATH has, without our packages.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # In the plain C locale Java cannot name a folder that has letters beyond ASCII.
    if os.environ.get("LC_ALL") in ("C", "POSIX"):
        os.environ["LC_ALL"] = "C.UTF-8"
    builder = SparkSession.builder.enableHiveSupport()
    for name, value in parameters.items():
        builder = builder.config(name, value)
    try:
        with _stderr_into(log):
            return builder.getOrCreate()
    except KeyboardInterrupt:
        # A JVM that cannot call back any more would wait for ever.
        for child in psutil.Process().children(recursive=True):
            child.kill()
        raise
    except (PySparkException, Py4JError) as error:
        raise ClickstreamError(
            f"Spark does not start: {error} Its own words are in {log}."
        ) from error


@contextmanager
def _stderr_into(log: Path) -> Iterator[None]:
    """Let processes started meanwhile, the JVM and its workers, write their stderr to `log`."""
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
