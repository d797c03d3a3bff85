"""Events of the fast and of the reference parser, and what both count, as one `Parsed`."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.model import Parsed


def with_fast(plain: pa.Table, obvious: Parsed) -> Parsed:
    """Return `obvious` with the events of `plain`, of other lines of its chunk, before its own."""
    warned, counts = _warnings(plain["parse_warnings"])
    return Parsed(
        events=together(plain, obvious.events),
        rejects=obvious.rejects,
        skips=obvious.skips,
        lines_ok=obvious.lines_ok + plain.num_rows - warned,
        lines_warn=obvious.lines_warn + warned,
        counts=dict(counts + Counter(obvious.counts)),
    )


def _warnings(codes: pa.ChunkedArray) -> tuple[int, Counter[str]]:
    """Return the lines that have warning codes, and the lines of each code."""
    warned = len(codes) - codes.null_count
    counts: Counter[str] = Counter()
    if warned:
        for entry in pc.value_counts(codes.drop_null()).to_pylist():
            counts.update(dict.fromkeys(entry["values"].split(","), entry["counts"]))
    return warned, counts


def together(first: pa.Table, second: pa.Table) -> pa.Table:
    """Return the rows of `first`, then those of `second`, in the types of `first`.

    Nothing is copied: interleaving them would cost a fifth of the time of the whole fast path,
    and every event names its place in the object.
    """
    if not second.num_rows:
        return first
    if not first.num_rows:
        return second
    return pa.concat_tables([first, second.cast(first.schema)])
