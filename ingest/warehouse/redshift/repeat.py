"""Transactions are run again when another one was in the way, or the connection was lost."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse.redshift.faults import (
    DRIVER_ERRORS,
    is_denied,
    is_in_the_way,
    is_lost,
    message_of,
)

_log = logging.getLogger(__name__)

ATTEMPTS = 5
_PAUSE_SECONDS = (1.0, 30.0)


def repeat(what: str, run: Callable[[], None]) -> None:
    """Run a whole transaction, up to ATTEMPTS times; `what` names it in messages.

    It must find out itself what is done already: a connection may be lost while it commits. Raises
    SettingsError when a grant is missing, ClickstreamError for everything else.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            run()
            return
        except DRIVER_ERRORS as error:
            if not (is_in_the_way(error) or is_lost(error)):
                raise _failure(what, error) from error
            if attempt == ATTEMPTS:
                remedy = (
                    "another loader or dbt run may hold the tables: run the command again when it"
                    " has ended"
                    if is_in_the_way(error)
                    else "run the command again when the server can be reached"
                )
                raise ClickstreamError(
                    f"{what}: tried {ATTEMPTS} times, the last answer was: {message_of(error)};"
                    f" {remedy}"
                ) from error
            _log.info("%s: %s; trying again", what, message_of(error))
            time.sleep(_pause(attempt))


def _failure(what: str, error: BaseException) -> ClickstreamError:
    told = f"{what}: {message_of(error)}"
    if is_denied(error):
        return SettingsError(
            f"{told}: grant the user usage and create on schema landing, and let it own the tables"
        )
    return ClickstreamError(told)


def _pause(attempt: int) -> float:
    least, most = _PAUSE_SECONDS
    return min(most, least * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)  # noqa: S311 - no secret
