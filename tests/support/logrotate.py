"""The real logrotate over a folder of logs, with its configuration and state in a folder apart."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Debian installs it where only root looks for programs.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A named way of rotating, in logrotate's own directives.

    `forced` rotates at each call, as if a day had passed; else the directives decide.
    """

    name: str
    directives: tuple[str, ...]
    forced: bool = True


NUMBERED = Scheme(
    name="numbered, compressed a rotation later, the oldest dropped",
    directives=("rotate 3", "compress", "delaycompress", "create"),
)
# Two rotations on one day need two dates: see `Logrotate.rotate`.
DATED = Scheme(
    name="dated, old ones dropped by age",
    directives=("rotate 100", "dateext", "maxage 7", "compress", "create"),
)
COPYTRUNCATE = Scheme(
    name="copied and truncated in place",
    directives=("rotate 3", "copytruncate", "nocompress"),
)
BY_SIZE = Scheme(
    name="rotated by size, created again",
    directives=("rotate 5", "size 1k", "nocompress", "create"),
    forced=False,
)
OLDDIR = Scheme(
    name="moved to another folder",
    directives=("rotate 3", "olddir old", "createolddir 0755", "compress", "create"),
)
SCHEMES = (NUMBERED, DATED, COPYTRUNCATE, BY_SIZE, OLDDIR)


def has_logrotate() -> bool:
    """Whether the program is installed (Debian: the package logrotate)."""
    return shutil.which("logrotate", path=_PATH) is not None


class Logrotate:
    """Rotates the logs `*.log` of one folder by one scheme."""

    def __init__(self, folder: Path, scheme: Scheme, *, work: Path) -> None:
        """Keep configuration and state in the folder `work`, which must not be `folder`."""
        self._folder = folder
        self._scheme = scheme
        self._configuration = work / "logrotate.conf"
        self._state = work / "logrotate.state"

    def rotate(self, *directives: str) -> None:
        """Rotate once, as the nightly job does, with more `directives` for this time.

        `dateyesterday` gives a dated log the name of the day before, so that there can be another
        one. Raises AssertionError with what logrotate says when it fails.
        """
        self._configuration.write_text(self._render(directives), encoding="utf-8")
        self._configuration.chmod(0o644)  # it refuses what others may write
        force = ["--force"] if self._scheme.forced else []
        done = subprocess.run(
            ["logrotate", "--state", self._state, *force, self._configuration],
            env={**os.environ, "PATH": _PATH},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"logrotate failed: {done.stderr}"

    def _render(self, directives: Sequence[str]) -> str:
        lines = "".join(f"    {line}\n" for line in (*self._scheme.directives, *directives))
        return f'"{self._folder}/*.log" {{\n{lines}}}\n'


def age(path: Path, *, days: int) -> None:
    """Make a file so much older; `maxage` looks at its time."""
    found = path.stat()
    moved = days * 86_400 * 10**9
    os.utime(path, ns=(found.st_atime_ns - moved, found.st_mtime_ns - moved))
