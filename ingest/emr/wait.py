"""Wait until a job has ended, however long EMR is out of reach meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ingest.emr.logs import log_tail, without_secrets
from ingest.emr.service import JobState, Service
from ingest.errors import (
    ClickstreamError,
    EmrError,
    EmrStillRunning,
    EmrUnavailable,
    SettingsError,
)
from ingest.poll import poll

_log = logging.getLogger(__name__)

_DELAY_SECONDS = 10.0
# EMR Serverless ends a job that takes too long, which may take its time, too; a cluster does not.
_GRACE_MINUTES = 15
_LINES = 50
# The driver's log comes late.
_PATIENCE_SECONDS = 60.0


def wait_for_job(
    service: Service,
    job_id: str,
    *,
    timeout_minutes: int,
    delay_seconds: float = _DELAY_SECONDS,
    patience_seconds: float = _PATIENCE_SECONDS,
) -> JobState:
    """Return the state of a job that succeeded, once it has ended; each new state is logged.

    `timeout_minutes` is the limit that it was submitted with, `patience_seconds` how long to look
    for its log. An interruption does not end the job; how to go on is logged. Raises EmrError when
    it did not succeed, with the service's reason and the last lines of its log, EmrStillRunning
    when it still runs after its limit and 15 minutes more, or can be watched no longer.
    """
    try:
        state = poll(
            _reader(service, job_id),
            lambda seen: seen is not None and _is_final(service, seen),
            delay_seconds=delay_seconds,
            deadline_seconds=(timeout_minutes + _GRACE_MINUTES) * 60.0,
        )
    except SettingsError as error:  # of credentials or rights, which may end at any time
        raise EmrStillRunning(
            f"{error}\njob {job_id} keeps running: {how_to_go_on(job_id)}"
        ) from error
    except KeyboardInterrupt:
        _log.warning("job %s keeps running; %s", job_id, how_to_go_on(job_id))
        raise
    if state is None or not _is_final(service, state):
        told = "has an unknown state" if state is None else f"is still {state.name}"
        raise EmrStillRunning(
            f"job {job_id} {told} after {timeout_minutes + _GRACE_MINUTES:,} minutes; it keeps"
            f" running: {how_to_go_on(job_id)}"
        )
    if state.name == service.succeeded:
        return state
    reason = without_secrets(state.reason or "the service gives no reason")
    raise EmrError(
        f"job {job_id} of {service.place} ended as {state.name}: {reason}\n"
        + _driver_log(service, job_id, patience_seconds)
    )


def how_to_go_on(job_id: str) -> str:
    """Return the commands for a job that keeps running without us."""
    return f"wait with: clickstream emr wait {job_id}, cancel with: clickstream emr cancel {job_id}"


def _is_final(service: Service, state: JobState) -> bool:
    return state.name == service.succeeded or state.name in service.failed


def _reader(service: Service, job_id: str) -> Callable[[], JobState | None]:
    """Return what reads the state of the job, and logs each that differs from the one before.

    It returns None while EMR does not answer: hours of waiting must survive that.
    """
    last: JobState | None = None

    def read() -> JobState | None:
        nonlocal last
        try:
            state = service.state(job_id)
        except EmrUnavailable as error:
            _log.warning("%s; trying again", error)
            return None
        if last is None or state.name != last.name:
            _log_state(service, job_id, state)
        last = state
        return state

    return read


def _log_state(service: Service, job_id: str, state: JobState) -> None:
    if state.name in service.running or _is_final(service, state):
        _log.info("job %s: %s", job_id, state.name)
    else:
        _log.warning("job %s: unknown state %s, which counts as running", job_id, state.name)


def _driver_log(service: Service, job_id: str, patience_seconds: float) -> str:
    """Return the end of the driver's log as text, or why there is none.

    Spark's messages come first, so that clickstream's are the last that is seen.
    """
    try:
        folder = service.log_folder(job_id)
        spark = log_tail(folder, "stderr", lines=_LINES, patience_seconds=patience_seconds)
        own = log_tail(folder, "stdout", lines=_LINES)
    except ClickstreamError as error:
        return f"its log cannot be read: {error}"
    if spark is None and own is None:
        return (
            f"there is no log in {folder} yet; try again in a few minutes: clickstream emr logs"
            f" {job_id}"
        )
    texts = {"stderr": spark or [], "stdout": own or []}
    return "\n".join(
        "\n".join([f"last lines of {folder}/{name}.gz:", *(f"  {line}" for line in lines)])
        for name, lines in texts.items()
        if lines
    )
