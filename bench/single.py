"""The reference parser alone, lines that are meant to be slow, and the machine itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np

from ingest.parse.formats.access import access_parser
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

SETTINGS = ParseSettings(format="access")
IDENTITY = Identity(
    source_file="access.log", batch_id="0" * 32, ingest_time=datetime(2024, 4, 1, tzinfo=UTC)
)
_REFERENCE_LINES = 20_000
_START = b'192.0.2.9 - - [03/Mar/2024:07:08:09 +0000] "GET /'
_END = b' HTTP/1.1" 200 1 "-" "-"'
HOSTILE = {
    "quotes": b'"',
    "backslashes": b"\\",
    "escaped quotes": b'\\"',
    "brackets": b"[",
    "bracket pairs": b"] [",
    "blanks": b" ",
    "commas": b"a, ",
    "parameters": b"&a=%",
}
SIZES = (500_000, 1_000_000)
ADDITIONS = 20_000_000


def addition_seconds() -> float:
    """Return how long ADDITIONS take in a loop: the speed of the machine, as it is just now."""
    started = time.perf_counter()
    total = 0
    for number in range(ADDITIONS):
        total += number
    return time.perf_counter() - started


def lines_of(raw: list[bytes]) -> Lines:
    """Return `raw` as the reader would cut it."""
    sizes = np.array([len(line) + 1 for line in raw], dtype=np.int64)
    ends = np.cumsum(sizes) - 1
    buffer = np.frombuffer(b"".join(line + b"\n" for line in raw), dtype=np.uint8)
    return Lines(buffer=buffer, starts=ends - sizes + 1, ends=ends, offset=0, first_line=1)


def reference_rate(path: Path) -> float:
    """Return how many lines per second the reference parser reads on one core."""
    with path.open("rb") as file:
        lines = lines_of([line.rstrip(b"\n") for line in islice(file, _REFERENCE_LINES)])
    started = time.perf_counter()
    access_parser(IDENTITY, SETTINGS, fast_path=None).parse(lines)
    return _REFERENCE_LINES / (time.perf_counter() - started)


def hostile_milliseconds() -> dict[str, tuple[float, ...]]:
    """Return per kind of line the time for each of SIZES, at the worst of three places."""
    return {name: tuple(_worst(text, size) for size in SIZES) for name, text in HOSTILE.items()}


def _worst(text: bytes, size: int) -> float:
    body = text * (size // len(text))
    return max(_milliseconds(line) for line in (body, body + _START + _END, _START + body + _END))


def _milliseconds(line: bytes) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        access_parser(IDENTITY, SETTINGS).parse(lines_of([line]))
        best = min(best, time.perf_counter() - started)
    return best * 1000
