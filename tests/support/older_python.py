"""Another Python 3.11 of this machine, older than the one that runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

# Where systems keep their own Python; the first on the PATH is often the one that runs now.
_PATHS = ("/usr/bin", *os.environ.get("PATH", "").split(os.pathsep))
_ANSWER = "import sys; print(sys.version_info.micro if sys.version_info[:2] == (3, 11) else '')"


@cache
def older_python() -> str | None:
    """Return the path of an older Python 3.11, None when this one is the oldest."""
    paths = {shutil.which("python3.11", path=folder) for folder in _PATHS}
    found = {path: _micro(path) for path in paths if path}
    older = {path: micro for path, micro in found.items() if micro < sys.version_info.micro}
    return min(older, key=lambda path: older[path], default=None)


def _micro(python: str) -> int:
    """Return z of the version 3.11.z of `python`, a high number when it is another one."""
    done = subprocess.run([python, "-c", _ANSWER], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.stdout.strip().isdigit() else 999
