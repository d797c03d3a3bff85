"""Spark's temporary folders: all below `<data>/spark-tmp`, as profiles.yml says, none left.

A JVM deletes its own when it exits normally; a killed one leaves them behind. Several processes
may work there at once, so each holds a shared lock as long as it lives.
"""

from __future__ import annotations

import atexit
import fcntl
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO

# Not "tmp": in a data folder that serves others too, that one may be theirs.
FOLDER = "spark-tmp"
_LOCK = ".lock"

# Kept until the process ends: its JVM ends a moment later.
_shared: dict[Path, IO[str]] = {}


def share_temporary(data: Path) -> None:
    """Keep `<data>/spark-tmp` from being cleared until this process ends."""
    if data not in _shared:
        _shared[data] = lock = _open_lock(data)
        fcntl.flock(lock, fcntl.LOCK_SH)
        atexit.register(lock.close)


def clear_temporary(data: Path) -> None:
    """Delete what killed processes left in `<data>/spark-tmp`, unless another process works there.

    The caller holds the warehouse: a bare dbt, which shares no lock here, cannot be running. What a
    link in its place points at is not ours.
    """
    if _folder(data).is_symlink():
        return
    with _open_lock(data) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for left in _folder(data).iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            elif left.name != _LOCK:
                left.unlink(missing_ok=True)


def forget_resources(data: Path) -> None:
    """Remove the empty folder that Hive makes at its start and leaves behind."""
    with suppress(OSError):
        (_folder(data) / "resources").rmdir()


def _open_lock(data: Path) -> IO[str]:
    _folder(data).mkdir(parents=True, exist_ok=True)
    return (_folder(data) / _LOCK).open("a", encoding="utf-8")


def _folder(data: Path) -> Path:
    return data / FOLDER
