"""What the driver sees of a content without cutting lines."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from fixtures.packs import PACKS, Pack, each_kind

from ingest.errors import ObjectUnreadable
from ingest.parse.peek import Content

DATA = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100_000))
OFFSETS = [0, 1, 64, 4095, 4096, 4097, 70_000, len(DATA) - 1, len(DATA), len(DATA) + 1]
BEFORE = {at: DATA[max(0, at - 4096) : at] for at in OFFSETS[:-1]}


class Source:
    """Stored bytes that notes how many of them were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes_read = 0

    def __call__(self, start: int, end: int) -> bytes:
        self.bytes_read += end - start
        return self.data[start:end]

    def content(self) -> Content:
        return Content(self, len(self.data))


def test_plain() -> None:
    source = Source(DATA)
    content = source.content()
    assert source.bytes_read == 0
    assert (content.is_compressed, content.opening) == (False, DATA[:4096])
    assert content.scan([70_000]) == (len(DATA), {70_000: BEFORE[70_000], len(DATA): DATA[-4096:]})
    assert source.bytes_read == 3 * 4096
    assert content.scan(OFFSETS)[1] == BEFORE
    assert not content.is_damaged


@each_kind
@pytest.mark.parametrize("layers", [1, 2])
def test_compressed(layers: int, kind: str) -> None:
    pack = PACKS[kind]
    stored = b"".join(pack(DATA[at : at + 99_999]) for at in range(0, len(DATA), 99_999))
    source = Source(stored if layers == 1 else gzip.compress(stored))
    content = source.content()
    assert (content.is_compressed, content.opening) == (True, DATA[:4096])
    assert source.bytes_read < len(source.data) / 2
    assert content.scan([*OFFSETS, 5]) == (len(DATA), BEFORE | {5: DATA[:5]})
    assert content.scan([]) == (len(DATA), {len(DATA): DATA[-4096:]})
    assert not content.is_damaged


@each_kind
def test_damaged(kind: str) -> None:
    content = Source(PACKS[kind](DATA)[:-9]).content()
    length, found = content.scan([64, len(DATA)])
    assert content.is_damaged
    assert 0 < length <= len(DATA)
    assert found[64] == DATA[:64]
    assert found[length] == DATA[length - 4096 : length]


@pytest.mark.parametrize(
    "data", [b"", *(pack(b"") for pack in PACKS.values())], ids=["plain", *PACKS]
)
def test_no_content(data: bytes) -> None:
    content = Source(data).content()
    assert content.opening == b""
    assert content.scan([0, 9]) == (0, {0: b""})


def test_a_short_read_is_an_error_of_storage() -> None:
    with pytest.raises(ObjectUnreadable, match="got 3 of 4096 bytes at offset 0"):
        _ = Content(lambda *_: b"abc", 5000).opening


@pytest.mark.parametrize("size", [0, 1, 4096, 3 << 20])
@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_a_hole_is_measured(size: int, pack: Pack) -> None:
    assert Source(pack(bytes(size) + b"a\0b")).content().hole() == size
    assert Source(pack(bytes(size))).content().hole() == size
