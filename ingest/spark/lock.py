"""One process at a time in the local warehouse: Derby allows no more, and says so only after 30 s.

Derby's own answer is a page of stack trace; ours is one sentence that names the other process.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import IO

from ingest.errors import WarehouseBusy
from ingest.poll import poll

_LOCK = ".lock"
# Derby keeps this file open and locked while a process has the database booted.
_DERBY_LOCK = "metastore/dbex.lck"
# The JVM of a command outlives it by up to a second or two. The next command waits for it instead
# of each command waiting for its own.
_JVM_END_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

# Kept until the process ends: the JVM has Derby booted even when its session is stopped.
_locks: dict[Path, IO[str]] = {}


def hold_warehouse(data: Path) -> None:
    """Lock the warehouse below `data` for this process, until it ends.

    Raises WarehouseBusy when another process has locked it. A lock file left behind by a killed
    process does not matter: the kernel drops locks with their process.
    """
    if data in _locks:
        return
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / _LOCK).open("a+", encoding="utf-8")
    try:
        _take(lock, data)
    except WarehouseBusy:
        lock.close()
        raise
    lock.truncate(0)
    json.dump({"pid": os.getpid(), "command": _command()}, lock)
    lock.flush()
    _locks[data] = lock
    atexit.register(lock.close)


def _take(lock: IO[str], data: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(data, _holder(lock)) from None
    free = poll(
        lambda: _derby_is_free(data / _DERBY_LOCK),
        bool,
        delay_seconds=_PAUSE_SECONDS,
        deadline_seconds=_JVM_END_SECONDS,
    )
    if not free:
        # Somebody without our lock has Derby open: dbt, typed by hand.
        raise _busy(data, "probably dbt")


def _derby_is_free(path: Path) -> bool:
    try:
        with path.open("r+b") as derby:
            fcntl.lockf(derby, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # there is no metastore yet
    except (BlockingIOError, PermissionError):
        return False
    return True


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    try:
        holder = json.load(lock)
        return f"pid {holder['pid']}, {holder['command']}"
    except (ValueError, KeyError, TypeError):
        return "clickstream"  # between taking the lock and writing who took it


def _busy(data: Path, holder: str) -> WarehouseBusy:
    return WarehouseBusy(
        f"the local warehouse {data / 'metastore'} is in use by another process ({holder}): "
        "wait for it or stop it"
    )


def _command() -> str:
    program, *arguments = sys.argv
    return " ".join([Path(program).name, *arguments[:1]])
