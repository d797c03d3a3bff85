"""One process at a time: an advisory lock that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block; waits while another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
