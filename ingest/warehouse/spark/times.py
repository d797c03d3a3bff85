"""Times out of Spark, as exact numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_micros(micros: int | None) -> datetime | None:
    """Return the UTC time of a value of `unix_micros`; None stays None.

    pyspark's own conversion gives a naive time in the machine's zone.
    """
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
