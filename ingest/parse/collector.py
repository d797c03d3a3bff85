"""Verdicts on the lines of a chunk, collected into the tables that it becomes."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS, REJECTS, Type
from ingest.parse.fields.extra import encode_extra
from ingest.parse.fields.ids import event_ids
from ingest.parse.fields.text import cut
from ingest.parse.fields.times import DAY, micros_of
from ingest.parse.lines import RAW_BYTES, LongLine
from ingest.parse.model import Identity, Parsed
from ingest.parse.verdict import Event, EventArray, Reject, Skip, Verdict, warn
from ingest.render import arrow_schema
from ingest.settings import ParseSettings

EVENTS_SCHEMA = arrow_schema(EVENTS)
REJECTS_SCHEMA = arrow_schema(REJECTS)
SKIPS_SCHEMA = pa.schema(
    [("source_offset", pa.int64()), ("source_line", pa.int64()), ("reason", pa.string())]
)
_RAW_TEXT_BYTES = REJECTS.column("raw_text").width or 0
_DETAIL_BYTES = REJECTS.column("detail").width or 0


class Collector:
    """Collects the verdicts on consecutive lines of one object into one `Parsed`."""

    def __init__(self, identity: Identity, settings: ParseSettings) -> None:
        """`settings.format` is the concrete format of all events and rejects."""
        self._identity = identity
        self._settings = settings
        self._lines: list[tuple[Event, ...]] = []
        self._events: list[Event] = []
        self._places: list[tuple[int, int | None]] = []
        self._skips: list[tuple[int, int | None, str]] = []
        self._rejects: list[dict[str, Any]] = []

    def reject_long(self, line: LongLine) -> None:
        """Add a line over the limit, which is never parsed."""
        self._reject(
            Reject("line_too_long"),
            offset=line.offset,
            line=line.number,
            head=line.head,
            length=line.length,
        )

    def add(self, verdict: Verdict, *, offset: int, line: int | None, raw: bytes) -> None:
        """Add the verdict on the line `raw` at content `offset`; `line` None = unknown."""
        if isinstance(verdict, Event):
            self._add_events((verdict,), offset, line)
        elif isinstance(verdict, EventArray):
            warn(verdict, "json_array")
            self._add_events(verdict.events, offset, line)
        elif isinstance(verdict, Skip):
            self._skips.append((offset, line, verdict.reason))
        else:
            self._reject(verdict, offset=offset, line=line, head=raw, length=len(raw))

    def _add_events(self, events: tuple[Event, ...], offset: int, line: int | None) -> None:
        # Element i of an array is placed at byte i of its line, so that no two share an offset.
        self._lines.append(events)
        self._events += events
        self._places += ((offset + i, line) for i in range(len(events)))

    def _reject(
        self, verdict: Reject, *, offset: int, line: int | None, head: bytes, length: int
    ) -> None:
        raw_text = head[:_RAW_TEXT_BYTES].decode(errors="replace").replace("\0", "\ufffd")
        self._rejects.append(
            {
                "source_offset": offset,
                "source_line": line,
                "reason": verdict.reason,
                "detail": cut(verdict.detail, _DETAIL_BYTES) if verdict.detail else None,
                "raw_length": length,
                "raw_base64": base64.b64encode(head[:RAW_BYTES]).decode() or None,
                "raw_text": cut(raw_text, _RAW_TEXT_BYTES) or None,
            }
        )

    def parsed(self) -> Parsed:
        """Return what was collected."""
        events = self._event_table()  # first, since it adds warnings
        codes = [set().union(*(event.warnings for event in line)) for line in self._lines]
        warned = sum(map(bool, codes))
        counts: Counter[str] = Counter()
        for of_line in codes:
            counts.update(of_line)
        counts.update(reason for _, _, reason in self._skips)
        counts.update(reject["reason"] for reject in self._rejects)
        return Parsed(
            events=events,
            rejects=self._reject_table(),
            skips=_skip_table(self._skips),
            lines_ok=len(self._lines) - warned,
            lines_warn=warned,
            counts=dict(counts),
        )

    def _reject_table(self) -> pa.Table:
        if not self._rejects:
            return REJECTS_SCHEMA.empty_table()
        columns = {
            name: [reject.get(name) for reject in self._rejects] for name in REJECTS_SCHEMA.names
        }
        offsets = np.array(columns["source_offset"], dtype=np.int64)
        columns["reject_id"] = event_ids(self._identity.source_file, offsets)
        size = len(self._rejects)
        columns["batch_id"] = [self._identity.batch_id] * size
        columns["ingest_time"] = [self._identity.ingest_time] * size
        columns["source_format"] = [self._settings.format] * size
        columns["source_file"] = [self._identity.source_file] * size
        return pa.table(columns, schema=REJECTS_SCHEMA)

    def _event_table(self) -> pa.Table:
        if not self._events:
            return EVENTS_SCHEMA.empty_table()
        times = [event.values.get("event_time") for event in self._events]
        columns = self._shared_columns(times)
        for column in EVENTS.columns:
            if column.name in columns or column.name in ("parse_status", "parse_warnings"):
                continue
            columns[column.name] = self._column(column.name, column.type, column.width)
        # Last, since cutting a column to its width adds a warning.
        warnings = [",".join(sorted(event.warnings)) or None for event in self._events]
        columns["parse_warnings"] = pa.array(warnings, pa.string())
        columns["parse_status"] = pa.array(["warn" if w else "ok" for w in warnings], pa.string())
        return pa.table([columns[name] for name in EVENTS_SCHEMA.names], schema=EVENTS_SCHEMA)

    def _shared_columns(self, times: list[int | None]) -> dict[str, pa.Array]:
        offsets = np.array([offset for offset, _ in self._places], dtype=np.int64)
        identity = self._identity
        return _constant_columns(identity, self._settings, len(offsets)) | {
            "event_id": event_ids(identity.source_file, offsets),
            "event_time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "event_date": self._event_dates(times),
            "source_offset": pa.array(offsets),
            "source_line": pa.array([line for _, line in self._places], pa.int64()),
            "extra": self._extra(),
        }

    def _event_dates(self, times: list[int | None]) -> pa.Array:
        """Return the partition dates; future and stale times are warned about on the way."""
        micros = np.array([0 if time is None else time for time in times], dtype=np.int64)
        known = np.array([time is not None for time in times])
        future, stale = limits(micros, self._identity, self._settings)
        for mask, code in (
            (future & known, "future_timestamp"),
            (stale & known, "stale_timestamp"),
        ):
            for row in np.flatnonzero(mask):
                self._events[row].warnings.add(code)
        return event_dates(micros, known & ~future & ~stale, self._identity)

    def _extra(self) -> pa.Array:
        return pa.array([encode_extra(e.extra, e.warnings) for e in self._events], pa.string())

    def _column(self, name: str, kind: Type, width: int | None) -> pa.Array:
        values = [event.values.get(name) for event in self._events]
        if kind is not Type.STRING:
            return pa.array(values, EVENTS_SCHEMA.field(name).type)
        texts = pa.array([value or None for value in values], pa.string())
        assert width is not None  # noqa: S101  every text column of the contract has a width
        if (pc.max(pc.binary_length(texts)).as_py() or 0) <= width:
            return texts
        return self._narrowed(texts, width)

    def _narrowed(self, texts: pa.Array, width: int) -> pa.Array:
        values = texts.to_pylist()
        for row in np.flatnonzero(pc.greater(pc.binary_length(texts), width).fill_null(False)):
            values[row] = cut(values[row], width)
            self._events[row].warnings.add("truncated_field")
        return pa.array(values, pa.string())


def _constant_columns(
    identity: Identity, settings: ParseSettings, size: int
) -> dict[str, pa.Array]:
    """Return the columns that are the same for `size` events of one object."""
    return {
        "batch_id": pa.repeat(pa.scalar(identity.batch_id), size),
        "ingest_time": pa.repeat(
            pa.scalar(identity.ingest_time, pa.timestamp("us", tz="UTC")), size
        ),
        "source_format": pa.repeat(pa.scalar(settings.format), size),
        "source_file": pa.repeat(pa.scalar(identity.source_file), size),
    }


def limits(
    micros: npt.NDArray[np.int64], identity: Identity, settings: ParseSettings
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which of the event times (UTC microseconds) are (in the future, stale)."""
    latest = micros_of(identity.ingest_time + settings.future_limit)
    return micros > latest, micros < micros_of(settings.min_event_time)


def event_dates(
    micros: npt.NDArray[np.int64], trusted: npt.NDArray[np.bool_], identity: Identity
) -> pa.Array:
    """Return the UTC date of each event time, the date of the ingest where it is not trusted."""
    today = micros_of(identity.ingest_time) // DAY
    days = np.where(trusted, micros // DAY, today).astype(np.int32)
    return pa.array(days).cast(pa.date32())


def _skip_table(skips: list[tuple[int, int | None, str]]) -> pa.Table:
    if not skips:
        return SKIPS_SCHEMA.empty_table()
    columns = [list(column) for column in zip(*skips, strict=True)]
    return pa.table(columns, schema=SKIPS_SCHEMA)
