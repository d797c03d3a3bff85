"""The Java that Spark and the local search server run on: found once, checked by asking it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ingest.errors import SettingsError

# Spark 4.1 and Elasticsearch 8.19 both run on these long-term versions.
VERSIONS = (17, 21)
_ANSWER_SECONDS = 30


class Java(NamedTuple):
    """A Java runtime: the folder that holds `bin/java`, links resolved, and its major version."""

    home: Path
    major: int


def find_java(needed_by: str = "clickstream", *, environ: Mapping[str, str] | None = None) -> Java:
    """Return the runtime in JAVA_HOME or, without that, the one of `java` on PATH.

    Raises SettingsError when there is none, when it does not start, or when it is neither 17 nor
    21; the message says that `needed_by` needs it.
    """
    environ = os.environ if environ is None else environ
    program = _program(needed_by, environ)
    java = _ask(program, needed_by)
    if java.major not in VERSIONS:
        raise SettingsError(
            f"{needed_by} needs Java 17 or 21, but found Java {java.major} at {java.home}; set"
            " JAVA_HOME to the folder of a Java 17 or 21"
        )
    return java


def _program(needed_by: str, environ: Mapping[str, str]) -> Path:
    home = environ.get("JAVA_HOME", "").strip()
    if home:
        program = Path(home) / "bin" / "java"
        if not program.is_file():
            raise SettingsError(
                f"{needed_by} needs Java 17 or 21, but JAVA_HOME ({home}) has no bin/java; set it"
                " to the folder of a Java 17 or 21"
            )
        return program
    found = shutil.which("java", path=environ.get("PATH"))
    if found is None:
        raise SettingsError(
            f"{needed_by} needs Java 17 or 21, but found none; install one (on Debian and Ubuntu,"
            " the package openjdk-17-jdk-headless) or set JAVA_HOME"
        )
    return Path(found)


def _ask(program: Path, needed_by: str) -> Java:
    """Ask the runtime for its home and version: `java` on PATH may be a stub or a script."""
    try:
        answer = subprocess.run(
            [program, "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        ).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        answer = str(error)
    home = re.search(r"^\s*java\.home = (.+)$", answer, re.MULTILINE)
    version = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)", answer, re.MULTILINE)
    if home is None or version is None:
        raise SettingsError(
            f"{needed_by} needs Java 17 or 21, but {program} does not start or is not a Java"
            " runtime; run it with -version to see why, or set JAVA_HOME"
        )
    return Java(Path(home[1].strip()).resolve(), int(version[1]))
