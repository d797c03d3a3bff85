"""Turns an event into a row: adds what the events of its object share, its id and its date.

Texts are cut to their widths, times are checked against their limits. A value that its column
cannot hold is a fault of the parser, and found here: later, rows of other objects are with it.
"""

from __future__ import annotations

from typing import NamedTuple

from ingest.contract import EVENTS, Type
from ingest.parse.fields.extra import encode_extra
from ingest.parse.fields.ids import event_id, id_prefix
from ingest.parse.fields.text import cut, is_wider
from ingest.parse.fields.times import DAY, micros_of
from ingest.parse.model import Identity
from ingest.parse.rows import Row
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

_WIDTHS = {
    column.name: column.width or 0 for column in EVENTS.columns if column.type is Type.STRING
}
# How many bits the number in a column may have, beside its sign.
_BITS = {
    column.name: 31 if column.type is Type.INT else 63
    for column in EVENTS.columns
    if column.type in (Type.INT, Type.BIGINT, Type.TIMESTAMP)
}


class TimeLimits(NamedTuple):
    """The earliest and the latest event time that is believed, in UTC microseconds.

    `ingest_day`, in days since 1970, is the date of an event that has no such time.
    """

    earliest: int
    latest: int
    ingest_day: int


def time_limits(identity: Identity, settings: ParseSettings) -> TimeLimits:
    """Return the limits on the times in one object; both are believed themselves."""
    return TimeLimits(
        earliest=micros_of(settings.min_event_time),
        latest=micros_of(identity.ingest_time + settings.future_limit),
        ingest_day=micros_of(identity.ingest_time) // DAY,
    )


class Finisher:
    """Finishes the events of one object, one by one."""

    def __init__(self, identity: Identity, settings: ParseSettings) -> None:
        """`settings.format` is the concrete format of all events."""
        self._shared: Row = {
            "batch_id": identity.batch_id,
            "ingest_time": micros_of(identity.ingest_time),
            "source_format": settings.format,
            "source_file": identity.source_file,
        }
        self._id_prefix = id_prefix(identity.source_file)
        self._limits = time_limits(identity, settings)

    def row(self, event: Event, offset: int, line: int | None) -> Row:
        """Return the row of `event` at `offset`, and add the warnings that only become known here.

        An event of `jsonl` names its own source_format.

        Raises ValueError for a value that its column cannot hold.
        """
        row = fitting(event)
        row["extra"] = encode_extra(event.extra, event.warnings)
        _check_utf8(row["extra"] or "")
        row["event_date"] = self._date(event)
        codes = sorted(event.warnings)  # last: all of the above may add to them
        row["parse_warnings"] = ",".join(codes) or None
        row["parse_status"] = "warn" if codes else "ok"
        row["event_id"] = event_id(self._id_prefix, offset)
        row["source_offset"] = offset
        row["source_line"] = line
        return self._shared | row

    def _date(self, event: Event) -> int:
        time = event.values.get("event_time")
        if time is None:
            return self._limits.ingest_day
        if time > self._limits.latest:
            event.warnings.add("future_timestamp")
        elif time < self._limits.earliest:
            event.warnings.add("stale_timestamp")
        else:
            day: int = time // DAY
            return day
        return self._limits.ingest_day


def fitting(event: Event) -> Row:
    """Return the values of `event` with its texts cut to the widths of their columns.

    Raises ValueError for a value that its column cannot hold.
    """
    row = dict(event.values)
    for name, value in event.values.items():
        if isinstance(value, str):
            row[name] = _cut(value, _WIDTHS[name], event) or None
        elif isinstance(value, int) and value.bit_length() > _BITS.get(name, 1):
            raise ValueError(f"{name} cannot hold a number of {value.bit_length()} bits")
    return row


def _cut(text: str, width: int, event: Event) -> str:
    _check_utf8(text)
    if not is_wider(text, width):
        return text
    event.warnings.add("truncated_field")
    return cut(text, width)


def _check_utf8(text: str) -> None:
    """Raise UnicodeEncodeError, a ValueError, for a text that has no bytes in UTF-8."""
    if not text.isascii():
        text.encode()
