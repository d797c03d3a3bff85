"""A service that answers as a test says: states in order, or errors in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ingest.emr.service import JobState, Usage


class FaultyService:
    """Tells `states` one after the other, then the last one again; an exception is raised.

    `sent` are the requests that it was sent; each is job 1.
    """

    place = "application 00fabc01"
    succeeded = "SUCCESS"
    failed = frozenset(("FAILED", "CANCELLED"))
    running = frozenset(("PENDING", "RUNNING"))

    def __init__(
        self,
        states: Iterable[str | JobState | BaseException] = (),
        *,
        folder: str = "/none",
        usage: Usage | None = None,
    ) -> None:
        self._states = list(states)
        self._folder = folder
        self._usage = usage
        self.sent: list[Mapping[str, Any]] = []

    def submit(self, request: Mapping[str, Any]) -> str:
        self.sent.append(request)
        return "1"

    def state(self, job_id: str) -> JobState:
        assert job_id == "1"
        told = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if isinstance(told, BaseException):
            raise told
        return JobState(name=told) if isinstance(told, str) else told

    def cancel(self, job_id: str) -> None:
        raise NotImplementedError

    def log_folder(self, job_id: str) -> str:
        assert job_id == "1"
        return self._folder

    def usage(self, job_id: str) -> Usage | None:
        assert job_id == "1"
        return self._usage
