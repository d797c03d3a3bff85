"""The values of events, counted batch by batch in the lake and in the index.

They are compared in `ingest.search.contents`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import polars as pl

from ingest.contract import EVENTS
from ingest.lake.frames import MOST_SESSIONS, Distinct, event_frames
from ingest.lake.records import BatchRecord
from ingest.search.document import rendering
from ingest.search.index import BATCH, Index
from ingest.search.months import MONTH_OF
from ingest.search.template import Marks
from ingest.storage import Storage

_SESSION, _ID = "session_id", "event_id"
_FIELDS = {column.name: column.search.field for column in EVENTS.columns if column.search}
SESSIONS = "sessions"

# (dimension, value, what was counted or added up) -> number.
Values = Mapping[tuple[str, Any, str], float]
_PerBatch = dict[str, defaultdict[tuple[str, Any, str], float]]
# Questions to the server at a time; each keeps one of its cores busy.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Dimension:
    """Events are counted per value of `column`, with sums of columns and counts of their values."""

    name: str
    column: str
    sums: Sequence[str] = ()
    present: Sequence[str] = ()


DIMENSIONS = (
    Dimension("status", "status_code"),
    Dimension("action", "event_type"),
    Dimension("brand", "brand"),
    Dimension("dataset", "source_format", ("view_count", "purchase_count"), ("event_time",)),
    Dimension("bytes", "bytes_scope", ("response_bytes",)),
)


class Shown:
    """The values that documents show, and so can be compared.

    `sessions` is how many were counted in the index, None when they are not compared: documents do
    not show them, or they are more than fit in memory (`has_too_many_sessions`).
    """

    def __init__(self, marks: Marks) -> None:
        self._how = rendering(marks, os.environ)
        self.sessions: int | None = None if _SESSION in marks.exclude else 0
        self.has_too_many_sessions = False
        self.dimensions = [
            replace(
                one,
                sums=[name for name in one.sums if name not in marks.exclude],
                present=[name for name in one.present if name not in marks.exclude],
            )
            for one in DIMENSIONS
            if one.column not in marks.exclude
        ]

    def in_lake(self, lake: Storage, record: BatchRecord, where: pl.Expr | None) -> Values:
        """Return the values of the events of `record`, of those that fulfil `where`; None for all.

        Raises ObjectUnreadable when a file cannot be read.
        """
        found: defaultdict[tuple[str, Any, str], float] = defaultdict(float)
        sessions = Distinct()
        for whole in event_frames(lake, record, self._columns(), hide=self._how.hide):
            frame = whole if where is None else whole.filter(where)
            for one in self.dimensions:
                _count(one, frame, found)
            if self.sessions is not None:
                found[SESSIONS, None, "events"] += frame[_SESSION].null_count()
                sessions.add(frame[_SESSION])
        found[SESSIONS, "", "distinct"] = sessions.number
        return found

    def in_index(self, index: Index, ids: Sequence[str]) -> Mapping[str, Values]:
        """Return the values of the documents per batch of `ids`."""
        found: dict[str, dict[tuple[str, Any, str], float]] = {batch_id: {} for batch_id in ids}
        where = index.kept_only()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            sessions = pool.submit(self._sessions, index, ids, where)
            counted = pool.map(partial(_documents, index, ids, where), self.dimensions)
            for part in (*counted, sessions.result()):
                for batch_id, values in part.items():
                    found[batch_id] |= values
        return found

    def _sessions(
        self, index: Index, ids: Sequence[str], where: Sequence[Mapping[str, Any]]
    ) -> _PerBatch:
        """Return the number of sessions per batch, nothing when there are too many of them."""
        found = _per_batch()
        if self.sessions is None:
            return found
        for (batch_id, session), bucket in index.buckets(
            BATCH, _FIELDS[_SESSION], of=ids, where=where
        ):
            if self.sessions >= MOST_SESSIONS:
                self.sessions, self.has_too_many_sessions = None, True
                return found
            self.sessions += 1
            if session is None:
                found[batch_id][SESSIONS, None, "events"] += bucket["doc_count"]
            else:
                found[batch_id][SESSIONS, "", "distinct"] += 1
        return found

    def _columns(self) -> list[str]:
        names = {name for one in self.dimensions for name in (one.column, *one.sums, *one.present)}
        return sorted(
            names.union(
                (_ID, MONTH_OF), (_SESSION,) * (self.sessions is not None), self._how.needed
            )
        )


def _per_batch() -> _PerBatch:
    return defaultdict(lambda: defaultdict(float))


def _documents(
    index: Index, ids: Sequence[str], where: Sequence[Mapping[str, Any]], one: Dimension
) -> _PerBatch:
    """Return the values of one dimension per batch."""
    found = _per_batch()
    sub = {name: {"sum": {"field": _FIELDS[name]}} for name in one.sums}
    sub |= {name: {"value_count": {"field": _FIELDS[name]}} for name in one.present}
    for (batch_id, value), bucket in index.buckets(
        BATCH, _FIELDS[one.column], of=ids, where=where, sub=sub
    ):
        found[batch_id][one.name, value, "events"] += bucket["doc_count"]
        for name in sub:
            found[batch_id][one.name, value, name] += bucket[name]["value"]
    return found


def _count(one: Dimension, frame: pl.DataFrame, found: dict[tuple[str, Any, str], float]) -> None:
    numbers = frame.group_by(one.column).agg(
        pl.len().alias("events"),
        *(pl.col(name).cast(pl.Float64).sum() for name in one.sums),
        *(pl.col(name).count() for name in one.present),
    )
    for row in numbers.iter_rows(named=True):
        for name in ("events", *one.sums, *one.present):
            found[one.name, row[one.column], name] += row[name]
