"""The dbt target decides where events are loaded: its engine, its session, dbt itself in process.

profiles.yml is read through dbt's own API, so `clickstream` and a bare `dbt run` can never differ
in a setting. dbt is imported where it is used: that takes about 2 s, which a command without a
warehouse should not pay.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import psutil
import pyspark
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError, SettingsError, WarehouseBusy
from ingest.java import find_java
from ingest.lock import hold_warehouse
from ingest.progress import progress
from ingest.settings import Settings

_WAREHOUSE = "spark.sql.warehouse.dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The dbt target: `schema` holds the marts, `parameters` are the settings of its session."""

    name: str
    type: str
    schema: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A dbt node that failed, and what dbt or the engine said about it."""

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtSummary:
    """What one dbt command did: nodes by outcome. `passed` counts models, seeds and tests."""

    passed: int
    warned: int
    failed: int
    skipped: int
    failures: tuple[Failure, ...]
    seconds: float

    @property
    def success(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def load_target(settings: Settings) -> Target:
    """Return the dbt target that `settings` names.

    Raises SettingsError when profiles.yml does not have it, cannot be read, or when its engine is
    none that this version loads into.
    """
    with _dbt_environment(settings):
        target = _read_profile(settings)
    if target.type != "spark":
        raise SettingsError(
            f"Target {target.name} is of type {target.type}; this version loads into spark only. "
            "Set CLICKSTREAM_TARGET=local."
        )
    return target


def _read_profile(settings: Settings) -> Target:
    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    set_invocation_context(os.environ)
    arguments = Namespace(PROJECT_DIR=str(settings.root), PROFILES_DIR=str(_profiles_dir(settings)))
    try:
        set_from_args(arguments, None)
        profile = load_profile(str(settings.root), {}, target_override=settings.target)
    except DbtBaseException as error:
        raise SettingsError(
            f"dbt cannot read target {settings.target} of {_profiles_dir(settings)}: {error}"
        ) from error
    credentials = profile.credentials
    return Target(
        name=profile.target_name,
        type=credentials.type,
        schema=credentials.schema,
        parameters=dict(getattr(credentials, "server_side_parameters", {})),
    )


def spark_session(settings: Settings) -> SparkSession:
    """Return this process's Spark session, started with the settings of the dbt target.

    Raises SettingsError when Java or SPARK_HOME does not fit, WarehouseBusy when another process
    holds the local warehouse, or this process another one.
    """
    target = load_target(settings)
    running = SparkSession.getActiveSession()
    if running is None:
        find_java("Spark")
        check_spark_home(os.environ)
        hold_warehouse(settings.data)
        return _start_session(target, settings.data / "logs" / "spark.log")
    held = str(running.conf.get(_WAREHOUSE)).removeprefix("file:")
    if held != target.parameters[_WAREHOUSE]:
        raise WarehouseBusy(
            f"This process works on the warehouse {held}; "
            f"{target.parameters[_WAREHOUSE]} needs a process of its own."
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


def _start_session(target: Target, log: Path) -> SparkSession:
    # pyspark logs each refused query as JSON with its whole stack, beside the exception.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    # Else workers take whatever `python3` PATH has, without our packages.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # In the plain C locale Java cannot name a folder that has letters beyond ASCII.
    if os.environ.get("LC_ALL") in ("C", "POSIX"):
        os.environ["LC_ALL"] = "C.UTF-8"
    builder = SparkSession.builder.enableHiveSupport()
    for name, value in target.parameters.items():
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


def run_dbt(settings: Settings, *args: str) -> DbtSummary:
    """Run the dbt command `args` in this process, on its Spark session, and return its outcome.

    dbt says nothing on the terminal; its log is `<data>/logs/dbt.log`, its artifacts are in
    `<data>/dbt`. Failed models and tests are in the summary. Raises ClickstreamError when dbt
    itself cannot work: the project does not parse, an argument is wrong.
    """
    from dbt.cli.main import dbtRunner

    spark_session(settings)
    started = time.monotonic()
    with _dbt_environment(settings), _shown(f"dbt {args[0]}") as show:
        runner = dbtRunner(callbacks=[show])
        outcome = runner.invoke([*_dbt_quiet(settings), *args, *_dbt_places(settings)])
    if outcome.exception is not None:
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        raise ClickstreamError(f"dbt {args[0]}: {outcome.exception}") from outcome.exception
    return _summary(outcome.result, time.monotonic() - started)


@contextmanager
def _shown(label: str) -> Iterator[Callable[[Any], None]]:
    """Yield a listener to dbt's events that shows how many nodes are done."""
    done = count(1)
    # dbt calls from each of its threads: two bars would overwrite each other.
    one_at_a_time = Lock()
    with ExitStack() as stack:
        tell: list[Callable[[int], None]] = []

        def listen(event: Any) -> None:
            with one_at_a_time:
                if event.info.name == "LogStartLine" and not tell:
                    tell.append(stack.enter_context(progress(label, event.data.total)))
                elif event.info.name == "NodeFinished" and tell:
                    tell[0](next(done))

        yield listen


def _dbt_quiet(settings: Settings) -> list[str]:
    return [
        "--log-level=none",
        "--log-level-file=debug",
        f"--log-path={settings.data / 'logs'}",
        "--no-print",
        "--no-version-check",
    ]


def _dbt_places(settings: Settings) -> list[str]:
    return [
        f"--project-dir={settings.root}",
        f"--profiles-dir={_profiles_dir(settings)}",
        f"--target={settings.target}",
        f"--target-path={settings.data / 'dbt'}",
    ]


def _summary(result: Any, seconds: float) -> DbtSummary:
    """Return the counts of a dbt result; commands that run no nodes have none."""
    results = list(getattr(result, "results", ()))
    counts = Counter(str(one.status) for one in results)
    failures = tuple(
        Failure(name=one.node.name, message=" ".join((one.message or "").split()))
        for one in results
        if str(one.status) in ("error", "fail", "runtime error", "partial success")
    )
    return DbtSummary(
        passed=counts["success"] + counts["pass"],
        warned=counts["warn"],
        failed=len(failures),
        skipped=counts["skipped"],
        failures=failures,
        seconds=seconds,
    )


def _profiles_dir(settings: Settings) -> Path:
    return Path(os.environ.get("DBT_PROFILES_DIR") or settings.root / "profiles")


@contextmanager
def _dbt_environment(settings: Settings) -> Iterator[None]:
    """Let profiles.yml see the settings of this run, as env_var() reads them."""
    wanted = {
        "CLICKSTREAM_DATA": str(settings.data),
        "CLICKSTREAM_TARGET": settings.target,
        "DBT_PROFILES_DIR": str(_profiles_dir(settings)),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
