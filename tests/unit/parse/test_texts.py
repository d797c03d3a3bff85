"""Texts of lines as dictionary columns."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.parse.kernels.texts import encode

ROW = 700  # bytes, more than those from which texts are fetched before they are compared


@pytest.mark.parametrize("distance", [40, ROW])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 500])
def test_each_different_text_is_numbered_once(count: int, distance: int) -> None:
    texts = [["", "a", f"text {i % 7}", f"a text of its own {i}"][i % 4] for i in range(count)]
    buffer = b"".join(text.encode().ljust(distance) for text in texts).ljust(count * distance + 80)
    begins = np.arange(count, dtype=np.uint32) * np.uint32(distance)
    stops = begins + np.array([len(text) for text in texts], dtype=np.uint32)
    for rows in (np.arange(count, dtype=np.uint32), np.arange(0, count, 3, dtype=np.uint32)):
        column = encode(np.frombuffer(buffer, dtype=np.uint8), begins, stops, rows)
        wanted = [texts[row] or None for row in rows]
        assert column.texts().to_pylist() == wanted
        assert column.values.to_pylist() == [*dict.fromkeys(filter(None, wanted))]


def test_nothing_is_read_for_a_text_that_is_nowhere() -> None:
    count = 200
    buffer = np.frombuffer(b"".join(f"{i:<{ROW}}".encode() for i in range(count)), dtype=np.uint8)
    begins = np.arange(count, dtype=np.uint32) * np.uint32(ROW)
    lengths = np.where(np.arange(count) % 2, 3, 0).astype(np.uint32)
    begins[::2] = np.uint32(0xFFFF_FFFF)
    begins[0] = 0
    column = encode(buffer, begins, begins + lengths, np.arange(count, dtype=np.uint32))
    assert [code < 0 for code in column.codes] == [True, False] * (count // 2)
