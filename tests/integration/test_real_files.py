"""The two real files, with the numbers that their descriptions promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fixtures.outcome import IDENTITY, SETTINGS
from support.mutated import reading

from ingest.parse.model import ObjectVerdict, Parsed
from ingest.parse.reader import parse_object


def read(path: Path) -> tuple[pa.Table, ObjectVerdict]:
    """Return the events of `path` and the verdict on it."""
    data = path.read_bytes()
    items = list(
        parse_object(
            lambda start, end: data[start:end],
            len(data),
            name=path.name,
            identity=IDENTITY,
            settings=SETTINGS,
        )
    )
    *_, verdict = items
    assert isinstance(verdict, ObjectVerdict)
    chunks = [item for item in items if isinstance(item, Parsed)]
    assert sum(chunk.rejects.num_rows for chunk in chunks) == verdict.lines_reject
    assert sum(chunk.skips.num_rows for chunk in chunks) == verdict.lines_skip
    return pa.concat_tables([chunk.events for chunk in chunks if chunk.events.num_rows]), verdict


def test_kernels_read_nearly_all_lines(seed_csv: Path, hackers_log: Path) -> None:
    """Issue 12: at least 99 % of the lines of each real file."""
    shares = {
        path.name: found.by_kernels / found.verdict.lines_read
        for path in (seed_csv, hackers_log)
        for found in (reading(path.read_bytes(), SETTINGS),)
    }
    assert min(shares.values()) > 0.999, shares


def counted(column: pa.ChunkedArray) -> dict[Any, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def test_reference_csv(seed_csv: Path) -> None:
    events, verdict = read(seed_csv)
    assert (verdict.source_format, verdict.file_status) == ("schematic-csv", "ok")
    assert dict(verdict.counts) == {"header": 1, "no_timestamp": 18_501}
    assert (verdict.lines_read, verdict.lines_skip, verdict.lines_warn) == (18_502, 1, 18_501)
    assert counted(events["event_name"]) == {
        "addtocart": 5_407,
        "view": 4_763,
        "View": 2_836,
        "purchase": 2_972,
        "remove": 1_278,
        "changequantity": 1_245,
    }
    assert counted(events["status_code"]) == {
        200: 17_099,
        503: 435,
        408: 197,
        406: 176,
        400: 173,
        500: 166,
        505: 125,
        404: 80,
        403: 50,
    }
    assert pc.sum(events["view_count"]).as_py() == 15_529
    assert pc.sum(events["purchase_count"]).as_py() == 2_972
    brands = counted(events["brand"])
    assert len(brands) == 16
    assert (brands["Micromax"], brands["XOLO"], brands["Panasonic"]) == (1_626, 1_587, 43)
    assert len(counted(events["client_ip"])) == 182
    one = events.filter(pc.equal(events["client_ip"], "87.194.216.51"))
    assert (one.num_rows, len(counted(one["session_id"]))) == (494, 120)
    for column in ("event_time", "http_method", "url_original", "url_path"):
        assert events[column].null_count == 18_501


def test_attacked_server(hackers_log: Path) -> None:
    events, verdict = read(hackers_log)
    assert (verdict.source_format, verdict.file_status) == ("access", "ok")
    assert verdict.lines_read == verdict.events == events.num_rows == 3_456
    assert verdict.lines_skip == verdict.lines_reject == 0
