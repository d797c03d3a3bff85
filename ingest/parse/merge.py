"""Events of the fast path and of the reference parser, and what both count, as one `Parsed`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.model import Parsed


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


def _warnings(codes: pa.ChunkedArray) -> tuple[int, Counter[str]]:
    """Return the number of lines that have warning codes, and that of each code."""
    warned = len(codes) - codes.null_count
    counts: Counter[str] = Counter()
    if warned:
        for entry in pc.value_counts(codes.drop_null()).to_pylist():
            counts.update(dict.fromkeys(entry["values"].split(","), entry["counts"]))
    return warned, counts
