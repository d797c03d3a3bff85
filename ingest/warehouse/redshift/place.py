"""Where Redshift is, and how to log in: by the credentials of the dbt target, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ingest.errors import SettingsError
from ingest.warehouse.redshift.faults import DRIVER_ERRORS, is_lost, message_of, unsigned

# A server that is there answers at once; a serverless one that was asleep takes some seconds.
_CONNECT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and as whom to connect: a dbt target.

    `connect` does, or gives up after `seconds` without an answer; `name` is for messages.
    """

    connect: Callable[[], Any]
    name: str
    target: str
    seconds: int


def place_of(credentials: Any, target: str) -> Place:
    """Return the place of dbt-redshift's `credentials`, those of the dbt target `target`.

    Raises SettingsError when the method of logging in lacks a setting.
    """
    from dbt.adapters.redshift.connections import get_connection_method

    if lacking := _lacking(credentials):
        raise SettingsError(
            f"target {target} needs {' and '.join(lacking)}: docs/operations/redshift.md says what"
            " each method of logging in needs"
        )
    name = (
        f"{credentials.host}:{credentials.port}/{credentials.database} as {credentials.user}"
        f" (method {credentials.method}, target {target})"
    )

    # Not in profiles.yml: where dbt connects, it would also end each statement that takes longer.
    seconds = credentials.connect_timeout or _CONNECT_SECONDS
    limited = replace(credentials, connect_timeout=seconds)

    def connect() -> Any:
        connection = get_connection_method(limited)()
        connection._usock.settimeout(None)  # a COPY takes as long as it takes
        connection.autocommit = False  # dbt's own connections commit each statement
        return connection

    return Place(connect=connect, name=name, target=target, seconds=seconds)


def _lacking(credentials: Any) -> list[str]:
    """Return which settings the method needs and does not have."""
    from dbt.adapters.redshift.connections import is_serverless

    cluster = "REDSHIFT_CLUSTER_ID (for serverless REDSHIFT_WORKGROUP)"
    given = {
        "REDSHIFT_ENDPOINT": credentials.host,
        "REDSHIFT_USER": credentials.user,
        "REDSHIFT_PASSWORD": credentials.password,
        cluster: credentials.cluster_id or is_serverless(credentials),
    }
    needed = {
        "database": ("REDSHIFT_ENDPOINT", "REDSHIFT_USER", "REDSHIFT_PASSWORD"),
        "iam": ("REDSHIFT_USER", cluster),
        "iam_role": (cluster,),
    }
    return [name for name in needed.get(credentials.method, ()) if not given[name]]


def open_connection(place: Place, *, again: bool) -> Any:
    """Connect. `again`: it worked before, so a server that is not there may come back.

    Raises SettingsError, and the driver's error in that case.
    """
    from dbt_common.exceptions import DbtBaseException

    try:
        return place.connect()
    except (*DRIVER_ERRORS, DbtBaseException, ValueError) as error:
        if again and is_lost(error):
            raise
        raise SettingsError(f"cannot connect to {place.name}: {_reason(error, place)}") from error
    except Exception as error:
        # boto3 asks IAM and Redshift's API for temporary credentials.
        if type(error).__module__.startswith(("botocore", "boto3")):
            raise SettingsError(
                f"cannot log in to {place.name}: {unsigned(str(error))}; try: dbt debug --target"
                f" {place.target}"
            ) from error
        raise


def _reason(error: BaseException, place: Place) -> str:
    """Return what was said, and what to do. Not dbt debug where nothing is said: it would hang."""
    if any(isinstance(one, TimeoutError) for one in (error, *error.args)):
        return (
            f"no answer within {place.seconds} s; check REDSHIFT_ENDPOINT, and that network and"
            " security group let this machine in"
        )
    return f"{message_of(error)}; try: dbt debug --target {place.target}"
