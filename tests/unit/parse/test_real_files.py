"""The two real files, with the numbers that their descriptions promise."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fixtures.outcome import read


def test_reference_csv(seed_csv: Path) -> None:
    outcome = read(seed_csv.read_bytes(), name=seed_csv.name)
    assert outcome.verdict.source_format == "schematic-csv"
    assert dict(outcome.verdict.counts) == {"header": 1, "no_timestamp": 18_501}
    assert outcome.lines == {"ok": 0, "warn": 18_501, "skip": 1, "reject": 0}
    events = outcome.events
    assert Counter(row["event_name"] for row in events) == {
        "addtocart": 5_407,
        "view": 4_763,
        "View": 2_836,
        "purchase": 2_972,
        "remove": 1_278,
        "changequantity": 1_245,
    }
    assert Counter(row["status_code"] for row in events) == {
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
    assert sum(row["view_count"] for row in events) == 15_529
    assert sum(row["purchase_count"] for row in events) == 2_972
    brands = Counter(row["brand"] for row in events)
    assert len(brands) == 16
    assert (brands["Micromax"], brands["XOLO"], brands["Panasonic"]) == (1_626, 1_587, 43)
    assert len({row["client_ip"] for row in events}) == 182
    one = [row["session_id"] for row in events if row["client_ip"] == "87.194.216.51"]
    assert (len(one), len(set(one))) == (494, 120)
    assert all({"event_time", "http_method", "url_original"}.isdisjoint(row) for row in events)


def test_attacked_server(hackers_log: Path) -> None:
    outcome = read(hackers_log.read_bytes(), name=hackers_log.name)
    assert outcome.verdict.source_format == "access"
    assert outcome.verdict.lines_read == outcome.verdict.events == 3_456
    assert outcome.rejects == outcome.skips == []
