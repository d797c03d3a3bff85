"""The walk along lines whose fields have a blank between two, block by block."""

from __future__ import annotations

import numpy as np

from ingest.parse.kernels.declared import Written
from ingest.parse.kernels.split import NOT_PLAIN, PLAIN
from ingest.parse.kernels.walk import walk
from ingest.parse.lines import READ_AHEAD

BEHIND = b'\x00" \xff\\'


def walked(line: bytes) -> tuple[int, list[bytes]]:
    """Return what the walk says of `line`, which bytes with other marks follow, and two fields."""
    buffer = np.frombuffer(line + BEHIND * READ_AHEAD, dtype=np.uint8)
    begins, stops = np.zeros((2, 3, 1), dtype=np.uint32)
    plain = np.zeros(1, dtype=np.uint8)
    walk(
        buffer, np.zeros(1, dtype=np.int64), np.array([len(line)]),
        np.array([Written.WORD, Written.QUOTED], dtype=np.uint64), begins, stops, plain,
        np.uint64(1 << 2), np.uint64(4096), np.uint64(0), np.uint64(1),
    )  # fmt: skip
    spans = zip(begins[:2, 0], stops[:2, 0], strict=True)
    return int(plain[0]), [line[begin:stop] for begin, stop in spans]


def test_bytes_behind_a_line_mean_nothing() -> None:
    for size in range(1, 140):
        text = b"x" * size
        assert walked(b'a "' + text + b'"') == (PLAIN, [b"a", text])


def test_each_byte_of_a_line_is_looked_at() -> None:
    for size in (60, 61, 62, 63, 64, 125):
        text = bytearray(b"x" * size)
        for place in range(size):
            text[place] = 0x7F
            assert walked(b'a "' + text + b'"')[0] == NOT_PLAIN
            text[place] = ord("x")
