"""Verdicts on the lines of a chunk, collected into one `Parsed`."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.contract import REJECTS
from ingest.parse.fields.ids import event_ids
from ingest.parse.fields.text import cut
from ingest.parse.finish import Finisher
from ingest.parse.lines import RAW_BYTES, LongLine
from ingest.parse.model import Identity, Parsed
from ingest.parse.rows import NO_EVENTS, Row
from ingest.parse.verdict import Event, EventArray, Reject, Skip, Verdict, warn
from ingest.render import arrow_schema
from ingest.settings import ParseSettings

REJECTS_SCHEMA = arrow_schema(REJECTS)
SKIPS_SCHEMA = pa.schema(
    [("source_offset", pa.int64()), ("source_line", pa.int64()), ("reason", pa.string())]
)
_NO_REJECTS, _NO_SKIPS = REJECTS_SCHEMA.empty_table(), SKIPS_SCHEMA.empty_table()
_RAW_TEXT_BYTES = REJECTS.column("raw_text").width or 0
_DETAIL_BYTES = REJECTS.column("detail").width or 0
# A row is a dictionary of some 30 values; its texts take about as much as its line.
_ROW_BYTES = 3_000

NOTHING = Parsed(
    table=NO_EVENTS,
    rows=(),
    row_bytes=0,
    rejects=_NO_REJECTS,
    skips=_NO_SKIPS,
    lines_ok=0,
    lines_warn=0,
    counts={},
)


class Collector:
    """Collects the verdicts on consecutive lines of one object into one `Parsed`."""

    def __init__(self, identity: Identity, settings: ParseSettings) -> None:
        """`settings.format` is the concrete format of all events and rejects."""
        self._identity = identity
        self._settings = settings
        self._finisher = Finisher(identity, settings)
        self._rows: list[Row] = []
        self._row_bytes = 0
        self._lines_ok = self._lines_warn = 0
        self._codes: Counter[str] = Counter()
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
            self._add_events((verdict,), offset, line, len(raw))
        elif isinstance(verdict, EventArray):
            warn(verdict, "json_array")
            self._add_events(verdict.events, offset, line, len(raw))
        elif isinstance(verdict, Skip):
            self._skips.append((offset, line, verdict.reason))
        else:
            self._reject(verdict, offset=offset, line=line, head=raw, length=len(raw))

    def _add_events(
        self, events: tuple[Event, ...], offset: int, line: int | None, length: int
    ) -> None:
        # Element i of an array is placed at byte i of its line, so that no two share an offset.
        for index, event in enumerate(events):
            self._rows.append(self._finisher.row(event, offset + index, line))
        self._row_bytes += length + _ROW_BYTES * len(events)
        codes = set().union(*(event.warnings for event in events))
        self._codes.update(codes)
        if codes:
            self._lines_warn += 1
        else:
            self._lines_ok += 1

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
        counts = self._codes.copy()
        counts.update(reason for _, _, reason in self._skips)
        counts.update(reject["reason"] for reject in self._rejects)
        return Parsed(
            table=NO_EVENTS,
            rows=tuple(self._rows),
            row_bytes=self._row_bytes,
            rejects=self._reject_table(),
            skips=_skip_table(self._skips),
            lines_ok=self._lines_ok,
            lines_warn=self._lines_warn,
            counts=dict(counts),
        )

    def _reject_table(self) -> pa.Table:
        if not self._rejects:
            return _NO_REJECTS
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


def _skip_table(skips: list[tuple[int, int | None, str]]) -> pa.Table:
    if not skips:
        return _NO_SKIPS
    columns = [list(column) for column in zip(*skips, strict=True)]
    return pa.table(columns, schema=SKIPS_SCHEMA)
