"""Which server is running: the state file that `search up` writes and `search down` removes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# psutil computes a process's start from the time of boot, which moves when the clock is set.
_CLOCK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """A running server, as in its state file. `create_time` is that of the process."""

    pid: int
    create_time: float
    url: str
    version: str
    node_name: str
    folder: str
    started_at: str

    def process(self) -> psutil.Process | None:
        """Return the process when it is still the one that was started, else None."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _CLOCK_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def read_state(path: Path) -> LocalServer | None:
    """Return the content of the state file `path`, None when there is none or it is broken."""
    try:
        return LocalServer(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_state(path: Path, server: LocalServer) -> None:
    """Write the state file `path` as a whole or not at all."""
    spool = path.with_suffix(".tmp")
    spool.write_text(json.dumps(asdict(server), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    spool.replace(path)
