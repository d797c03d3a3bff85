"""The compiled kernels of the parser, for the archive of a job: workers then compile nothing."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from ingest.errors import ClickstreamError

_ROOT = Path(__file__).resolve().parents[2]
_COMPILE_SECONDS = 300


def machine_code(arch: str) -> dict[str, bytes]:
    """Return the files with the machine code of all kernels: name in the archive -> content.

    Nothing for an architecture other than that of this machine: a worker there compiles for itself,
    in seven seconds. Raises ClickstreamError when kernels do not compile.
    """
    if (sys.platform, platform.machine()) != ("linux", arch):
        return {}
    folder = _compiled()
    return {
        path.relative_to(_ROOT).as_posix(): path.read_bytes() for path in sorted(folder.iterdir())
    }


@lru_cache(maxsize=1)
def _compiled() -> Path:
    # In another process: numba would stay in this one.
    done = subprocess.run(
        [sys.executable, "-m", "ingest.parse.kernels"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=_COMPILE_SECONDS,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise ClickstreamError(f"the parser does not compile ({reason}): run make setup again")
    return Path(done.stdout.strip())
