"""Cutting content into lines (3.1), compared with splitting it line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse import lines as module
from ingest.parse.lines import Cutter, LongLine, equal_parts
from ingest.parse.model import Lines

# (offset, number, bytes or length of a line over the limit)
Cut = tuple[int, int | None, bytes | int]


def flat(chunks: Iterator[Lines | LongLine]) -> Iterator[Cut]:
    for chunk in chunks:
        if isinstance(chunk, LongLine):
            yield chunk.offset, chunk.number, chunk.length
            continue
        for index, (start, end) in enumerate(zip(chunk.starts, chunk.ends, strict=True)):
            number = None if chunk.first_line is None else chunk.first_line + index
            yield chunk.offset + int(start), number, chunk.buffer[start:end].tobytes()


def cut(pieces: Sequence[bytes], *, limit: int = 1 << 20, offset: int = 0) -> list[Cut]:
    cutter = Cutter(offset=offset, first_line=1, max_line_bytes=limit)
    found = [line for piece in pieces for line in flat(cutter.feed(piece))]
    return found + list(flat(cutter.finish()))


def expected(data: bytes, *, limit: int, offset: int = 0) -> list[Cut]:
    """Split at LF, one by one."""
    found: list[Cut] = []
    *lines, last = data.split(b"\n")
    for number, raw in enumerate([*lines, last] if last else lines, 1):
        line = raw.removesuffix(b"\r")
        found.append((offset, number, len(line) if len(raw) > limit else line))
        offset += len(raw) + 1
    return found


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"\r\n", [b""]),
        (b"a", [b"a"]),
        (b"a\r", [b"a"]),
        (b"\r", [b""]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"a\r\r\nb", [b"a\r", b"b"]),
        (b"a\rb\x0b\x0c\xc2\x85\xe2\x80\xa8c\n", [b"a\rb\x0b\x0c\xc2\x85\xe2\x80\xa8c"]),
    ],
)
def test_line_ends(data: bytes, lines: list[bytes]) -> None:
    assert [line for _, _, line in cut([data])] == lines


FEW = bytes(b"ab\n\r"[byte % 4] for byte in range(256))
PIECES = st.lists(st.binary(max_size=30).map(lambda raw: raw.translate(FEW)), max_size=8)


@settings(deadline=None)
@given(
    PIECES,
    st.integers(0, 12),
    st.integers(0, 3),
    st.sampled_from([1, 10, 1 << 20]),
    st.sampled_from([0, 3, 1 << 20]),
)
def test_any_pieces_give_the_lines_of_the_whole(
    pieces: list[bytes], limit: int, offset: int, chunk: int, many: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_BYTES", chunk)
        patch.setattr(module, "_MANY_LINES", many)
        patch.setattr(module, "_BLOCK_BYTES", 8)
        found = cut(pieces, limit=limit, offset=offset)
    assert found == expected(b"".join(pieces), limit=limit, offset=offset)


def test_the_limit_counts_the_bytes_before_the_lf() -> None:
    assert cut([b"aaaa\naaaaa\naaa\r\naaaa\r\n"], limit=4) == [
        (0, 1, b"aaaa"),
        (5, 2, 5),
        (11, 3, b"aaa"),
        (16, 4, 4),
    ]


def test_only_the_beginning_of_a_long_line_is_kept() -> None:
    cutter = Cutter(offset=0, first_line=1, max_line_bytes=1 << 20)
    piece = b"x" * (8 << 20)
    for _ in range(20):
        assert list(cutter.feed(piece)) == []
        assert sum(map(len, cutter._parts)) <= 16 << 20
    (line, *rest) = [*cutter.feed(b"x\r\nnext\n"), *cutter.finish()]
    assert isinstance(line, LongLine)
    assert (line.length, len(line.head), line.number) == (160 * (1 << 20) + 1, 48_000, 1)
    assert list(flat(iter(rest))) == [(line.length + 2, 2, b"next")]


def test_a_long_line_within_the_limit_is_joined_seldom() -> None:
    cutter = Cutter(offset=0, first_line=1, max_line_bytes=1 << 40)
    sizes = []
    for _ in range(64):
        assert list(cutter.feed(b"x" * (1 << 20))) == []
        sizes.append(len(cutter._parts))
    # One part = joined. Twice the size each time: the work stays linear.
    assert sizes.count(1) <= 1 + 4


def test_a_chunk_has_a_limited_number_of_lines() -> None:
    cutter = Cutter(offset=0, first_line=1, max_line_bytes=9)
    assert list(cutter.feed(b"\n" * 200_000)) == []
    chunks = [chunk for chunk in cutter.finish() if isinstance(chunk, Lines)]
    assert [len(chunk.starts) for chunk in chunks] == [50_000] * 4
    assert [chunk.first_line for chunk in chunks] == [1, 50_001, 100_001, 150_001]
    assert [chunk.offset for chunk in chunks] == [0, 50_000, 100_000, 150_000]


def test_parts_are_of_the_same_size_but_for_the_last() -> None:
    assert list(equal_parts(3, 10, 3)) == [(3, 6), (6, 9), (9, 10)]
    assert list(equal_parts(0, 2, 5)) == [(0, 1), (1, 2)]
    assert list(equal_parts(7, 7, 0)) == []


def test_the_first_line_after_a_bom_has_offset_0() -> None:
    cutter = Cutter(offset=3, first_line=1, max_line_bytes=99, after_bom=True)
    assert list(cutter.feed(b"a\nb\n")) == []
    assert list(flat(cutter.finish())) == [(0, 1, b"a"), (5, 2, b"b")]


def test_the_last_line_of_broken_content_is_dropped() -> None:
    cutter = Cutter(offset=0, first_line=1, max_line_bytes=99)
    assert list(cutter.feed(b"a\nb")) == []
    assert list(flat(cutter.finish(ends=False))) == [(0, 1, b"a")]
