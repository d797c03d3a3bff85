"""Exports in processes of their own that die of SIGKILL at a chosen step.

A step is a request to the search server (`PUT /events/_bulk`) or a file that is put into the lake
once (`PUT exports/...`).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch
from support.batches import export

from ingest.errors import ClickstreamError
from ingest.settings import Settings
from ingest.storage.folder import FolderStorage


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Before the `count`-th step that has `step` in it; "" is in all of them."""

    step: str = ""
    count: int = 1


def exports_killed(settings: Settings, kills: Sequence[Kill]) -> list[bool]:
    """Export once for each of `kills`, and return which of these exports were killed.

    One that ends before that step, or with an error of ours, was not. It is for a process that has
    done nothing yet, because it forks: that saves each export the imports.
    """
    return [_is_killed(settings, kill) for kill in kills]


def _is_killed(settings: Settings, kill: Kill) -> bool:
    process = os.fork()
    if not process:
        try:
            _export(settings, kill)
        finally:
            os._exit(0)  # nothing of the parent's is to be done twice
    _, status = os.waitpid(process, 0)
    return os.WIFSIGNALED(status)


def _export(settings: Settings, kill: Kill) -> None:
    lock, left = threading.Lock(), kill.count

    def before(step: str) -> None:
        nonlocal left
        with lock:
            left -= kill.step in step
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    _precede(Elasticsearch, "perform_request", before)
    _precede(FolderStorage, "put_if_absent", lambda step: before(f"PUT {step}"))
    try:
        export(settings)
    except ClickstreamError:
        return


def _precede(kind: type, name: str, before: Callable[[str], None]) -> None:
    """Let the method `name` of `kind` call `before` with its positional arguments."""
    method = getattr(kind, name)

    def preceded(self: object, *arguments: Any, **named: Any) -> Any:
        before(" ".join(str(one) for one in arguments if isinstance(one, str)))
        return method(self, *arguments, **named)

    setattr(kind, name, preceded)
