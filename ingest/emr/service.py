"""What EMR Serverless and a cluster on EC2 have in common: a job is sent, watched, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What a service says of a job: its own name of the state, and why; `reason` None = nothing."""

    name: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a service bills for a job, in hours of one vCPU, one GB of memory, one GB of disk."""

    vcpu_hours: Decimal
    memory_gb_hours: Decimal
    storage_gb_hours: Decimal


class Service(Protocol):
    """A place where jobs run. Each call raises EmrError, EmrUnavailable or SettingsError."""

    place: str  # for messages: what it is, and its id
    succeeded: str  # the state of a job that did its work
    failed: frozenset[str]  # the other final states
    running: frozenset[str]  # the states before; one that is unknown counts as running

    def submit(self, request: Mapping[str, Any]) -> str:
        """Send a job and return its id; a request that was sent before gives the same id."""
        ...

    def state(self, job_id: str) -> JobState:
        """Return the state of the job."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask the service to end the job; one that has ended is an error."""
        ...

    def log_folder(self, job_id: str) -> str:
        """Return the s3:// folder in which the driver's stdout.gz and stderr.gz appear."""
        ...

    def usage(self, job_id: str) -> Usage | None:
        """Return what is billed for the job, None as long as that is not known."""
        ...
