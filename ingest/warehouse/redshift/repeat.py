"""Transactions are run again when another one was in the way, or the connection was lost."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse.redshift.faults import (
    DRIVER_ERRORS,
    is_denied,
    is_in_the_way,
    is_lost,
    message_of,
    missing_grant,
)

_log = logging.getLogger(__name__)
Result = TypeVar("Result")

ATTEMPTS = 5
_PAUSE_SECONDS = (1.0, 30.0)


def repeat(what: str, run: Callable[[], Result]) -> Result:
    """Run a whole transaction, up to ATTEMPTS times, and return what it does; `what` names it.

    It must find out itself what is done already: a connection may be lost while it commits. Raises
    SettingsError when a grant is missing, ClickstreamError for everything else.
    """
    attempt = 1
    while True:
        try:
            return run()
        except DRIVER_ERRORS as error:
            if not (is_in_the_way(error) or is_lost(error)):
                raise _failure(what, error) from error
            if attempt == ATTEMPTS:
                raise _last_failure(what, error) from error
            _log.info("%s: %s; trying again", what, message_of(error))
            time.sleep(_pause(attempt))
            attempt += 1


def _last_failure(what: str, error: BaseException) -> ClickstreamError:
    remedy = (
        "another loader or dbt run may hold the tables: run the command again when it has ended"
        if is_in_the_way(error)
        else "run the command again when the server can be reached"
    )
    return ClickstreamError(
        f"{what}: tried {ATTEMPTS} times, the last answer was: {message_of(error)}; {remedy}"
    )


def _failure(what: str, error: BaseException) -> ClickstreamError:
    told = f"{what}: {message_of(error)}"
    if is_denied(error):
        return SettingsError(f"{told}: {missing_grant(error)}")
    return ClickstreamError(told)


def _pause(attempt: int) -> float:
    least, most = _PAUSE_SECONDS
    return min(most, least * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)  # noqa: S311 - no secret
