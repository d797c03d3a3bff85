"""Events of the fast path and of the reference parser, and what both count, as one `Parsed`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.model import Parsed
from ingest.parse.rows import NO_EVENTS


def with_fast(fast: pa.Table, others: Parsed) -> Parsed:
    """Return `others` with the events of `fast` too, one for each other line."""
    warned, counts = _warnings(fast["parse_warnings"])
    return replace(
        others,
        table=fast,
        lines_ok=others.lines_ok + fast.num_rows - warned,
        lines_warn=others.lines_warn + warned,
        counts=dict(counts + Counter(others.counts)),
    )


def joined(parts: Sequence[Parsed]) -> Parsed:
    """Return the verdicts of all `parts`, one behind the other."""
    if len(parts) == 1:
        return parts[0]
    tables = [part.table for part in parts if part.table.num_rows]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    return Parsed(
        table=pa.concat_tables(tables) if tables else NO_EVENTS,
        rows=tuple(chain.from_iterable(part.rows for part in parts)),
        row_bytes=sum(part.row_bytes for part in parts),
        rejects=pa.concat_tables(part.rejects for part in parts),
        skips=pa.concat_tables(part.skips for part in parts),
        lines_ok=sum(part.lines_ok for part in parts),
        lines_warn=sum(part.lines_warn for part in parts),
        counts=dict(counts),
    )


def _warnings(codes: pa.ChunkedArray) -> tuple[int, Counter[str]]:
    """Return the number of lines that have warning codes, and that of each code."""
    warned = len(codes) - codes.null_count
    counts: Counter[str] = Counter()
    if warned:
        for entry in pc.value_counts(codes.drop_null()).to_pylist():
            counts.update(dict.fromkeys(entry["values"].split(","), entry["counts"]))
    return warned, counts
