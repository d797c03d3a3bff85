"""Compressed layers: sections 1.4 (file status) and 3.1 (gzip) of the specification, every kind.

Each kind of compression keeps the same rules, so each test is run for all of them.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Iterator

import pytest
from fixtures.packs import NAMES, PACKS, UNITS, each_kind
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.unpack.layers import Unwrapped, kind_named, kind_of, most_content, unwrap

TEXT = b"".join(b"192.0.2.%d - - line %d\n" % (number % 256, number) for number in range(9_000))
NOISE = hashlib.shake_128(b"5").digest(200_000)
MOST = 64 << 20
LOST = 512  # what bzip2 and zstd may lose before a damage
# Made by the programs `zstd` (with a checksum) and `pzstd` (with a frame to be skipped first).
BY_ZSTD = bytes.fromhex(
    "28b52ffd0458c100003139322e302e322e3120610a3139322e302e322e3220620a4bd61bdd"
)
BY_PZSTD = bytes.fromhex(
    "502a4d18040000002500000028b52ffd0458c100003139322e302e322e3120610a3139322e302e322e3220620a4bd61bdd"
)
SKIPPABLE = b"\x5e\x2a\x4d\x18\x03\x00\x00\x00abc"


def blocks(data: bytes, size: int = 8 << 20) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def opened(data: bytes, *, block: int = 8 << 20, most: int = MOST) -> tuple[bytes, Unwrapped]:
    unwrapped = unwrap(blocks(data, block), 4096, most=most)
    return b"".join(unwrapped.pieces), unwrapped


@each_kind
def test_the_first_bytes_tell_the_kind(kind: str) -> None:
    for content in (b"", TEXT):
        found = kind_of(PACKS[kind](content))
        assert found is not None
        assert found.name == kind
        assert all(kind_named(name) is found for name in NAMES[kind])


@pytest.mark.parametrize(
    "head", [b"", b"BZh9 - - [x]", b"BZh91AY&", b"\x1f", b"\x28\xb5\x2f", TEXT]
)
def test_other_first_bytes_are_not_compressed(head: bytes) -> None:
    assert kind_of(head) is None
    assert opened(head)[0] == head


@pytest.mark.parametrize("name", ["a.log", "a.gz.log", "zst", ""])
def test_other_names_promise_nothing(name: str) -> None:
    assert kind_named(name) is None


@each_kind
@pytest.mark.parametrize("data", [b"", b"a", TEXT, NOISE], ids=["nothing", "byte", "text", "noise"])
def test_content_comes_back(kind: str, data: bytes) -> None:
    content, unwrapped = opened(PACKS[kind](data))
    assert (content, unwrapped.error, unwrapped.head) == (data, None, data[:4096])
    assert [(layer.size, layer.garbage) for layer in unwrapped.layers] == [(len(data), 0)]


@each_kind
@pytest.mark.parametrize("block", [1, 7, 64 << 10])
def test_members_are_joined_wherever_the_blocks_end(kind: str, block: int) -> None:
    pack, text = PACKS[kind], TEXT[:2_000]
    data = b"".join(pack(piece) for piece in blocks(text, 99)) + pack(b"")
    assert opened(data, block=block)[0] == text


@each_kind
def test_thousands_of_tiny_members(kind: str) -> None:
    started = time.process_time()
    assert opened(PACKS[kind](b"#\n") * 5_000)[0] == b"#\n" * 5_000
    assert time.process_time() - started < 2


@each_kind
def test_little_is_read_for_the_first_bytes(kind: str) -> None:
    noise = hashlib.shake_128(b"6").digest(1_500_000)
    data = PACKS[kind](noise)
    stored = blocks(data, 64 << 10)
    assert unwrap(stored, 4096, most=MOST).head == noise[:4096]
    assert sum(map(len, stored)) > len(data) / 2


@each_kind
@pytest.mark.parametrize("garbage", [b"\0" * 1_000, b"x", b"\n"])
def test_what_follows_the_last_member_is_counted(kind: str, garbage: bytes) -> None:
    content, unwrapped = opened(PACKS[kind](TEXT) + garbage, block=100)
    assert (content, unwrapped.error) == (TEXT, None)
    assert unwrapped.layers[0].garbage == len(garbage)


@each_kind
def test_the_beginning_of_another_member_is_no_garbage(kind: str) -> None:
    pack = PACKS[kind]
    content, unwrapped = opened(pack(TEXT) + pack(TEXT)[:9])
    assert len(TEXT) - LOST < len(content) <= len(TEXT)
    assert unwrapped.error == f"the file ends inside a {UNITS[kind]}"


@each_kind
@pytest.mark.parametrize("lost", [1, 5, 1_000])
def test_a_cut_file_gives_what_can_be_read(kind: str, lost: int) -> None:
    content, unwrapped = opened(PACKS[kind](TEXT)[:-lost])
    assert TEXT.startswith(content)
    assert unwrapped.error == f"the file ends inside a {UNITS[kind]}"
    assert unwrapped.layers[0].size == len(content)


@each_kind
def test_what_comes_before_a_damage_is_kept(kind: str) -> None:
    pack = PACKS[kind]
    damaged = bytearray(pack(TEXT) + pack(NOISE))
    start = len(pack(TEXT)) + 9
    damaged[start : start + 30] = b"\xff" * 30
    content, unwrapped = opened(bytes(damaged))
    assert content.startswith(TEXT[:-LOST])
    assert unwrapped.error is not None


def test_a_wrong_checksum_is_a_damage() -> None:
    assert opened(BY_ZSTD)[0] == b"192.0.2.1 a\n192.0.2.2 b\n"
    unwrapped = opened(BY_ZSTD[:-1] + bytes((BY_ZSTD[-1] ^ 1,)))[1]
    assert (unwrapped.error or "").startswith("the data of a zstd frame are damaged")


@each_kind
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_is_found_or_harms_nothing(kind: str, data: st.DataObject) -> None:
    text = TEXT[:5_000]
    packed = bytearray(PACKS[kind](text))
    at = data.draw(st.integers(10, len(packed) - 1))
    packed[at] = data.draw(st.integers(0, 255))
    stored = bytes(packed) + data.draw(st.binary(max_size=20))
    content, unwrapped = opened(stored, block=data.draw(st.integers(1, 300)))
    # Arrow writes frames without a checksum, whose damage may go unseen.
    assert unwrapped.error or content == text or kind == "zstd"
    assert unwrapped.layers[0].size == len(content)


def test_frames_to_be_skipped() -> None:
    assert opened(BY_PZSTD)[0] == b"192.0.2.1 a\n192.0.2.2 b\n"
    data = SKIPPABLE + PACKS["zstd"](TEXT) + SKIPPABLE * 2 + PACKS["zstd"](b"a") + SKIPPABLE
    for block in (3, 64 << 10):
        content, unwrapped = opened(data, block=block)
        assert (content, unwrapped.error, unwrapped.layers[0].garbage) == (TEXT + b"a", None, 0)
    content, unwrapped = opened(SKIPPABLE)
    assert (content, unwrapped.error) == (b"", None)
    assert opened(SKIPPABLE[:-1])[1].error == "the file ends inside a zstd frame"


@each_kind
@pytest.mark.parametrize("inner", PACKS)
def test_two_layers_are_unwrapped_and_a_third_is_left(kind: str, inner: str) -> None:
    twice = PACKS[kind](PACKS[inner](TEXT))
    content, unwrapped = opened(twice)
    assert content == TEXT
    assert [layer.kind.name for layer in unwrapped.layers] == [kind, inner]
    thrice = PACKS["gzip"](twice)
    assert opened(thrice)[0] == PACKS[inner](TEXT)


@each_kind
def test_a_bomb_is_not_unpacked(kind: str) -> None:
    packed = PACKS[kind](b"\n" * (40 << 20))
    consumed = blocks(packed, 1_000)
    unwrapped = unwrap(consumed, 4096, most=1 << 20)
    most = max(len(piece) for piece in unwrapped.pieces)
    assert (unwrapped.is_bomb, unwrapped.error) == (True, "over 1048576 bytes")
    assert unwrapped.layers[0].size <= (1 << 20) + most
    assert next(consumed, None) is None  # read to its end, so that it is hashed
    assert most <= 8 << 20


def test_how_much_an_object_may_hold() -> None:
    assert most_content(1, 250) == 64 << 20
    assert most_content(1 << 20, 250) == 250 << 20


@each_kind
@pytest.mark.parametrize("error", [OSError("disk"), ValueError("changed")])
def test_errors_of_the_storage_pass_through(kind: str, error: Exception) -> None:
    def broken() -> Iterator[bytes]:
        yield PACKS[kind](NOISE)[:150_000]
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(unwrap(broken(), 4096, most=MOST).pieces)


def test_a_cut_gzip_gives_every_byte_before_the_cut() -> None:
    member = zlib.compressobj(wbits=31)
    data = member.compress(TEXT) + member.flush(zlib.Z_SYNC_FLUSH)
    assert opened(data)[0] == TEXT


@each_kind
@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"a"])
def test_a_megabyte_behind_the_magic_takes_little_time(kind: str, fill: bytes) -> None:
    for length in (4, 10):
        started = time.process_time()
        opened(PACKS[kind](TEXT)[:length] + fill * (1 << 20))
        assert time.process_time() - started < 0.8
