"""Makes a row of an event: what all events of its object share, its id, its date and its limits."""

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


class Trusted(NamedTuple):
    """The first and the last event time that is believed, UTC microseconds, and the ingest's day.

    `today` counts days since 1970: the date of what has no time, or none that is believed.
    """

    first: int
    last: int
    today: int


def trusted(identity: Identity, settings: ParseSettings) -> Trusted:
    """Return what is believed of the times in one object."""
    return Trusted(
        first=micros_of(settings.min_event_time),
        last=micros_of(identity.ingest_time + settings.future_limit),
        today=micros_of(identity.ingest_time) // DAY,
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
        self._trusted = trusted(identity, settings)

    def row(self, event: Event, offset: int, line: int | None) -> Row:
        """Return the row of `event` at `offset`, adding the warnings that only now are known."""
        row = _fitting(event)
        row["extra"] = encode_extra(event.extra, event.warnings)
        row["event_date"] = self._date(event)
        codes = sorted(event.warnings)  # last: all of the above may add to them
        row["parse_warnings"] = ",".join(codes) or None
        row["parse_status"] = "warn" if codes else "ok"
        row["event_id"] = event_id(self._id_prefix, offset)
        row["source_offset"] = offset
        row["source_line"] = line
        row |= self._shared
        return row

    def _date(self, event: Event) -> int:
        time = event.values.get("event_time")
        if time is None:
            return self._trusted.today
        if time > self._trusted.last:
            event.warnings.add("future_timestamp")
        elif time < self._trusted.first:
            event.warnings.add("stale_timestamp")
        else:
            day: int = time // DAY
            return day
        return self._trusted.today


def _fitting(event: Event) -> Row:
    """Return the values of `event` with its texts cut to the widths of their columns."""
    row = dict(event.values)
    for name, value in event.values.items():
        if isinstance(value, str):
            if not value:
                row[name] = None
            elif is_wider(value, _WIDTHS[name]):
                row[name] = cut(value, _WIDTHS[name])
                event.warnings.add("truncated_field")
    return row
