"""What to say when Spark fails: its message, without the plan and the stack that follow."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from ingest.errors import ClickstreamError, remedy_for
from ingest.terminal.text import printable

_SHOWN = 1000  # characters
# Bytes. With less room than this, some writes of Spark and Derby fail and others do not.
_NEARLY_FULL = 8 << 20


def first_lines(error: Exception) -> str:
    """Return what Spark says before its plan or its stack, safe for a terminal."""
    text = str(error).strip().split("\n\tat ", 1)[0]
    text = text.split("\n\n", 1)[0].split(";\n", 1)[0][:_SHOWN]
    return "\n".join(map(printable, text.splitlines()))


def spark_failure(error: Exception, data: Path) -> ClickstreamError:
    """Return the failure of Spark as an error of ours; `data` is the folder it works in."""
    log = data / "logs" / "spark.log"
    if shutil.disk_usage(data).free < _NEARLY_FULL:
        remedy = f"the disk of {data} is full: {remedy_for(errno.ENOSPC)}"
    else:
        remedy = f"nothing is lost: run the command again; see {log} for details"
    return ClickstreamError(f"Spark failed: {first_lines(error)}\n{remedy}")
