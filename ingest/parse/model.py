"""What travels between the reader, the parsers and the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.lake.counts import LineCounts
from ingest.parse.fields.times import datetime_of
from ingest.parse.rows import Row, events_table, together

# Raise it with every change that gives another event for the same bytes: it is part of batch_id.
PARSER_VERSION = 4

# (start, end) -> exactly the stored bytes [start, end), or ObjectUnreadable / ObjectChanged.
ReadRange = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every event of one raw object shares. `ingest_time` is UTC, the start of the batch."""

    source_file: str
    batch_id: str
    ingest_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Consecutive physical lines of one object, cut but not yet parsed.

    `buffer` holds their raw bytes (uint8); line i is buffer[starts[i]:ends[i]] without LF and
    without a CR directly before it. buffer[0] is at content offset `offset`. `first_line` is
    the number (from 1) of line 0, None when it is unknown. `nuls` counts the NUL bytes that were
    passed over before each line (int64), None when there are none before any.
    """

    buffer: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    offset: int
    first_line: int | None
    nuls: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The verdicts on consecutive lines of one object.

    The events are those of `table` and of `rows`; `row_bytes` is roughly the memory that the
    rows take. `rejects` and `skips` are in input order; events are not: sort by source_offset where
    order matters. `table` and `rejects` have the Arrow schemas of the contract; `table` may hold
    text columns as dictionaries (`ingest.lake.parquet.encoded_schema`). `skips` has the columns
    source_offset (int64), source_line (int64, null in ranges) and reason (string).
    `counts` maps each warning code, skip and reject reason to its number of lines.
    lines_read = lines_ok + lines_warn + skips.num_rows + rejects.num_rows; each line of
    lines_ok and lines_warn gives one event, a JSON array one for each element.
    """

    table: pa.Table
    rows: tuple[Row, ...]
    row_bytes: int
    rejects: pa.Table
    skips: pa.Table
    lines_ok: int
    lines_warn: int
    counts: Mapping[str, int]

    @property
    def events(self) -> pa.Table:
        """All events as one table, built at each access."""
        return together(self.table, events_table(self.rows))

    @property
    def times(self) -> tuple[datetime, datetime] | None:
        """The earliest and the latest event time, UTC; None when no event has one."""
        known = [row["event_time"] for row in self.rows if row.get("event_time") is not None]
        times = [datetime_of(time) for time in (min(known), max(known))] if known else []
        if self.table.num_rows:
            ends = pc.min_max(self.table["event_time"]).as_py()
            times += [time for time in ends.values() if time is not None]
        return (min(times), max(times)) if times else None

    @property
    def line_counts(self) -> LineCounts:
        """The lines by verdict, and the events."""
        skipped, rejected = self.skips.num_rows, self.rejects.num_rows
        return LineCounts(
            lines_read=self.lines_ok + self.lines_warn + skipped + rejected,
            lines_ok=self.lines_ok,
            lines_warn=self.lines_warn,
            lines_skip=skipped,
            lines_reject=rejected,
            events=self.table.num_rows + len(self.rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVerdict(LineCounts):
    """The verdict on what was read of one raw object, or of one byte range of it.

    For `corrupt_gzip` and `rejected` all counts are 0, every `Parsed` that came before is void
    and nothing was consumed. `source_format` is None when none was found or needed.

    What was consumed are the content bytes [`start`, `end`); `start` is the `resume` of the call
    also for a byte range. `waiting_bytes` after `end` have no LF behind them yet, or are a record
    whose quote is open: they were left for a later run.
    `opening`, `head` and `tail` are SHA-256 digests (hexadecimal) of the first min(64, end) and
    min(4096, end) content bytes and of the last min(4096, end) ones before `end`; `range_hash` is
    the content hash of [start, end). All are None for a byte range and where nothing was consumed
    or known before (`end` = 0).

    `chunk_digests` are the SHA-256 digests of the consecutive 8 MiB chunks of the stored bytes,
    in a byte range of those in it; empty when not all bytes of the object were wanted.
    `range_digests` are those of the consumed content bytes from `resume` on, in a byte range of
    those in it. The ranges of one object are cut at multiples of 8 MiB from `resume`; their
    `range_digests`, joined in order up to the first range with waiting bytes, are those of the
    whole, and the `end` of that range (else of the last one) is the end of the whole.
    """

    source_format: str | None
    file_status: str
    file_reason: str | None
    min_event_time: datetime | None = None
    max_event_time: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    waiting_bytes: int = 0
    opening: str | None = None
    head: str | None = None
    tail: str | None = None
    range_hash: str | None = None
    chunk_digests: tuple[bytes, ...] = ()
    range_digests: tuple[bytes, ...] = ()
