"""Events of the fast and of the obvious path, put back into input order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.model import Parsed

# Up to so many alternations the result is stitched from slices; beyond, copying it is cheaper
# than the thousands of small chunks that every later step would have to visit.
_MAX_SLICES = 64


def with_plain(plain: pa.Table, obvious: Parsed) -> Parsed:
    """Return `obvious` with the events of `plain` (other lines of the same chunk) merged in."""
    warned, counts = _warnings(plain["parse_warnings"])
    return Parsed(
        events=in_order(plain, obvious.events),
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


def in_order(first: pa.Table, second: pa.Table) -> pa.Table:
    """Return the rows of both tables, each sorted by source_offset, in that order.

    Nothing is copied when one is empty. The types of `first` win (it may hold dictionaries).
    """
    if not second.num_rows:
        return first
    if not first.num_rows:
        return second
    second = second.cast(first.schema)
    offsets = [table["source_offset"].to_numpy() for table in (first, second)]
    places = np.searchsorted(offsets[0], offsets[1])
    runs = np.flatnonzero(np.diff(places)) + 1
    if len(runs) < _MAX_SLICES:
        return _stitched(first, second, places, runs)
    both = pa.concat_tables([first, second]).unify_dictionaries().combine_chunks()
    return both.take(np.argsort(np.concatenate(offsets), kind="stable"))


def _stitched(
    first: pa.Table,
    second: pa.Table,
    places: npt.NDArray[np.int64],
    runs: npt.NDArray[np.int64],
) -> pa.Table:
    """Return `first` with the rows of `second` put in before the rows `places`.

    `runs` are the rows of `second` before which its place changes.
    """
    slices: list[pa.Table] = []
    done = 0
    for start, end in zip([0, *runs], [*runs, len(places)], strict=True):
        slices += [first.slice(done, places[start] - done), second.slice(start, end - start)]
        done = places[start]
    slices.append(first.slice(done))
    return pa.concat_tables([piece for piece in slices if piece.num_rows])
