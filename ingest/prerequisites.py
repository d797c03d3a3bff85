"""What must be true before the JVM starts: a Java that fits, one Spark, a free warehouse.

The JVM answers each of these with a page of stack trace after half a minute; here each is one
sentence with its remedy.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pyspark

from ingest.errors import SettingsError, WarehouseBusy

# Spark 4.1 runs on both; 17 is what EMR brings.
JAVA_VERSIONS = (17, 21)
_JAVA_REMEDY = "Install Java 17 (Debian: openjdk-17-jre-headless) or set JAVA_HOME to one."
_JAVA_TIMEOUT_SECONDS = 30
_LOCK_NAME = ".lock"
# Derby keeps this file open, and locked, as long as a process has the database booted.
_DERBY_LOCK = "metastore/dbex.lck"

# Locks live as long as the process: the JVM keeps Derby booted even when the session is stopped.
_held: dict[Path, IO[str]] = {}


def check_java(environ: Mapping[str, str] = os.environ) -> int:
    """Return the major version of the Java that Spark will take: JAVA_HOME's, else PATH's.

    Raises SettingsError when there is none or Spark 4.1 does not run on it.
    """
    java = _java_command(environ)
    said = _java_version_text(java)
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found:
        raise SettingsError(f"{java} -version does not name a Java version. {_JAVA_REMEDY}")
    version = int(found[1])
    if version not in JAVA_VERSIONS:
        raise SettingsError(f"{java} is Java {version}; Spark needs 17 or 21. {_JAVA_REMEDY}")
    return version


def _java_command(environ: Mapping[str, str]) -> str:
    home = environ.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not os.access(java, os.X_OK):
            raise SettingsError(f"JAVA_HOME is {home}, but {java} cannot be run. {_JAVA_REMEDY}")
        return str(java)
    on_path = shutil.which("java", path=environ.get("PATH"))
    if not on_path:
        raise SettingsError(f"Java was not found: no JAVA_HOME, no java on PATH. {_JAVA_REMEDY}")
    return on_path


def _java_version_text(java: str) -> str:
    try:
        asked = subprocess.run(
            [java, "-version"],
            capture_output=True,
            text=True,
            timeout=_JAVA_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"{java} cannot be run: {error}. {_JAVA_REMEDY}") from error
    return asked.stderr + asked.stdout


def check_spark_home(environ: Mapping[str, str] = os.environ) -> None:
    """Raise SettingsError when SPARK_HOME is set and holds another Spark than pyspark's own."""
    home = environ.get("SPARK_HOME")
    if not home:
        return
    version = pyspark.__version__
    if not list(Path(home).glob(f"jars/spark-core_*-{version}.jar")):
        raise SettingsError(
            f"SPARK_HOME is {home}, which does not hold Spark {version}. "
            "Unset SPARK_HOME: the pyspark package brings all of Spark that is needed."
        )


def hold_warehouse(data: Path) -> None:
    """Take the warehouse below `data` for this process, until it ends.

    Raises WarehouseBusy when another process has it. A lock file left behind by a killed process
    does not matter: the kernel drops locks with their process.
    """
    if data in _held:
        return
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / _LOCK_NAME).open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _probe_derby(data)
    except BlockingIOError:
        holder = _holder(lock)
        lock.close()
        raise WarehouseBusy(_busy(data, holder)) from None
    except WarehouseBusy:
        lock.close()
        raise
    lock.truncate(0)
    json.dump({"pid": os.getpid(), "command": _command()}, lock)
    lock.flush()
    _held[data] = lock


def _probe_derby(data: Path) -> None:
    """Raise WarehouseBusy when a process without our lock, a bare dbt, has Derby open."""
    try:
        with (data / _DERBY_LOCK).open("r+b") as derby:
            fcntl.lockf(derby, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return  # there is no metastore yet
    except (BlockingIOError, PermissionError):
        raise WarehouseBusy(_busy(data, "probably dbt")) from None


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    try:
        held = json.load(lock)
        return f"pid {held['pid']}, {held['command']}"
    except (ValueError, KeyError, TypeError):
        return "clickstream"  # between taking the lock and writing who took it


def _busy(data: Path, holder: str) -> str:
    return (
        f"The local warehouse {data / 'metastore'} is in use by another process ({holder}): "
        "wait for it or stop it."
    )


def _command() -> str:
    program, *arguments = sys.argv
    return " ".join([Path(program).name, *arguments[:1]])
