"""Whole objects: opening (3.1), compression, each file status and their precedence (1.4)."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fixtures.outcome import ACCESS, HEAD, IDENTITY, LINE, SETTINGS, Outcome, read
from fixtures.packs import NAMES, PACKS, SUFFIXES, UNITS, Pack, each_kind

from ingest.errors import ObjectChanged, ObjectUnreadable, SettingsError
from ingest.parse.model import ObjectVerdict
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings

LOG = f"{LINE}\n{LINE}\n".encode()
GZ = "access.log.gz"


def status(outcome: Outcome) -> tuple[str, str | None]:
    return outcome.verdict.file_status, outcome.verdict.file_reason


def test_verdict_of_a_plain_object() -> None:
    time = datetime(2024, 3, 3, 7, 8, 9, tzinfo=UTC)
    late = LINE.replace("07:08:09", "09:00:00")
    data = f"#c\n\n{late}\n{HEAD}\nx\n{LINE[:-1]}".encode()
    whole = hashlib.sha256(data)
    assert read(data).verdict == ObjectVerdict(
        source_format="access",
        file_status="ok",
        file_reason=None,
        lines_read=6,
        lines_ok=2,
        lines_warn=1,
        lines_skip=2,
        lines_reject=1,
        events=3,
        min_event_time=time,
        max_event_time=datetime(2024, 3, 3, 9, tzinfo=UTC),
        counts={"comment": 1, "blank": 1, "no_match": 1, "unterminated_quote": 1},
        end=len(data),
        opening=hashlib.sha256(data[:64]).hexdigest(),
        head=whole.hexdigest(),
        tail=whole.hexdigest(),
        range_hash=hashlib.sha256(whole.digest()).hexdigest(),
        chunk_digests=(whole.digest(),),
        range_digests=(whole.digest(),),
    )


def test_identity_and_places() -> None:
    outcome = read(LOG)
    assert [row["source_offset"] for row in outcome.events] == [0, len(LINE) + 1]
    assert [row["source_line"] for row in outcome.events] == [1, 2]
    # The check value of the specification: this file name gives this prefix.
    assert outcome.events[0]["event_id"] == "63c576d511cab0cebef1" + "0" * 12
    assert outcome.events[1]["event_id"] == f"63c576d511cab0cebef1{len(LINE) + 1:012x}"
    assert outcome.events[0]["batch_id"] == IDENTITY.batch_id
    assert outcome.events[0]["source_file"] == IDENTITY.source_file
    assert outcome.events[0]["source_format"] == "access"
    assert outcome.events[0]["ingest_time"] == IDENTITY.ingest_time


def test_reject_record() -> None:
    outcome = read(b"a\n" + b"\xff\x00" + "é".encode() * 30_000 + b"\r\n", settings=ACCESS)
    record = outcome.rejects[1]
    assert record.pop("raw_base64").startswith("/wDDqcOp")
    assert record == {
        "reject_id": "63c576d511cab0cebef1" + "000000000002",
        "batch_id": IDENTITY.batch_id,
        "ingest_time": IDENTITY.ingest_time,
        "source_format": "access",
        "source_file": IDENTITY.source_file,
        "source_offset": 2,
        "source_line": 2,
        "reason": "no_match",
        "detail": "expected a [time] in front of the request at character 30003",
        "raw_length": 60_002,
        # 1,024 bytes repaired grow by two for each replaced one, and are cut again.
        "raw_text": "\ufffd\ufffd" + "é" * 509,
    }


def test_raw_bytes_are_kept_up_to_48000() -> None:
    (record,) = read(b"x" * 50_000, settings=ACCESS).rejects
    assert (record["raw_length"], len(record["raw_base64"])) == (50_000, 64_000)


@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
def test_empty_object(name: str) -> None:
    outcome = read(b"", name=name)
    assert status(outcome) == ("empty", "no content")
    assert outcome.verdict.source_format is None
    assert outcome.verdict.chunk_digests == ()


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b""), gzip.compress(b"") * 2, gzip.compress(gzip.compress(b""))],
    ids=["gzip", "two members", "twice"],
)
def test_gzip_of_nothing_is_empty(data: bytes) -> None:
    assert status(read(data, name="a.log")) == ("empty", "no content")


def test_gzip_of_nothing_with_garbage_is_empty() -> None:
    assert status(read(gzip.compress(b"") + b"\0", name=GZ))[0] == "empty"


def test_only_blank_and_comment_lines_need_no_format() -> None:
    outcome = read(b"\n# c\n \n")
    assert status(outcome) == ("ok", None)
    assert outcome.verdict.source_format is None
    assert dict(outcome.verdict.counts) == {"blank": 2, "comment": 1}


@each_kind
def test_compressed(kind: str) -> None:
    data = PACKS[kind](LOG)
    for name in NAMES[kind]:
        outcome = read(data, name=name)
        assert status(outcome) == ("ok", None)
        assert outcome.events == read(LOG).events


@each_kind
def test_digests_are_of_the_stored_bytes(kind: str) -> None:
    data = PACKS[kind](LOG) + b"garbage"
    assert read(data).verdict.chunk_digests == (hashlib.sha256(data).digest(),)


@each_kind
def test_a_line_may_cross_members(kind: str) -> None:
    data = b"".join(PACKS[kind](LOG[at : at + 7]) for at in range(0, len(LOG), 7))
    outcome = read(data, name=NAMES[kind][0])
    assert status(outcome) == ("ok", None)
    assert outcome.events == read(LOG).events


def test_thousands_of_tiny_members() -> None:
    lines = b"#\n" * 20_000
    data = b"".join([gzip.compress(b"#\n", compresslevel=1)] * 20_000)
    assert read(data, name=GZ).verdict.lines_read == lines.count(b"\n")


@each_kind
def test_misnamed(kind: str) -> None:
    others = [names[0] for other, names in NAMES.items() if other != kind]
    for name in ("a.log", *others):
        outcome = read(PACKS[kind](LOG), name=name)
        assert status(outcome) == ("misnamed", f"{kind} without {SUFFIXES[kind]} in its name")
        assert len(outcome.events) == 2
    assert status(read(LOG, name=NAMES[kind][0])) == ("misnamed", f"not {kind}")


@pytest.mark.parametrize(
    ("garbage", "told"),
    [(b"\0" * 1000, "1,000 bytes"), (b"x", "1 byte"), (b"\x1f", "1 byte"), (b"\n", "1 byte")],
)
@each_kind
def test_trailing_garbage(garbage: bytes, told: str, kind: str) -> None:
    outcome = read(PACKS[kind](LOG) + garbage, name="a.log")
    assert status(outcome) == ("trailing_garbage", f"{told} after the last {UNITS[kind]}")
    assert len(outcome.events) == 2


@each_kind
@pytest.mark.parametrize("inner", PACKS)
def test_two_layers(kind: str, inner: str) -> None:
    pack = PACKS[inner]
    outcome = read(PACKS[kind](pack(LOG[:50]) + pack(LOG[50:])) + b"\0", name="a.log")
    assert status(outcome) == ("double_gzip", f"{inner} inside {kind}, unwrapped twice")
    assert outcome.events == read(LOG).events


@each_kind
def test_a_third_layer_is_refused(kind: str) -> None:
    data = gzip.compress(PACKS[kind](gzip.compress(LOG)))
    assert status(read(data, name=GZ)) == ("rejected", "nested_gzip")


def damaged(change: Callable[[bytearray], object]) -> bytes:
    # Many lines, so that the damage lies far behind the first 64 KiB of content.
    data = bytearray(gzip.compress(LOG * 500, compresslevel=0))
    change(data)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        damaged(lambda data: data.__delitem__(slice(-1, None))),
        damaged(lambda data: data.__delitem__(slice(-8, None))),
        damaged(lambda data: data.__delitem__(slice(len(data) // 2, None))),
        damaged(lambda data: data.__setitem__(-1, data[-1] ^ 1)),
        damaged(lambda data: data.__setitem__(-8, data[-8] ^ 1)),
        damaged(lambda data: data.__setitem__(len(data) // 2, data[len(data) // 2] ^ 1)),
        gzip.compress(gzip.compress(LOG)[:-3]),
        gzip.compress(LOG) + b"\x1f\x8b",
        gzip.compress(LOG) + gzip.compress(LOG)[:20],
        b"\x1f\x8b",
        b"\x1f\x8b\x07" + b"x" * 50,
    ],
    ids=[
        "length cut",
        "trailer cut",
        "half",
        "length",
        "crc",
        "data",
        "inner",
        "member head",
        "second member",
        "magic",
        "method",
    ],
)
def test_corrupt_gzip_counts_nothing(data: bytes) -> None:
    verdict = read(data, name=GZ).verdict
    assert verdict.file_status == "corrupt_gzip"
    assert (verdict.lines_read, verdict.events, dict(verdict.counts)) == (0, 0, {})
    assert (verdict.min_event_time, verdict.max_event_time) == (None, None)
    assert verdict.chunk_digests == (hashlib.sha256(data).digest(),)


def test_corrupt_gzip_names_what_could_be_read() -> None:
    member = zlib.compressobj(wbits=31)
    data = member.compress(LOG + b"cut off") + member.flush(zlib.Z_SYNC_FLUSH)
    reason = "the file ends inside a gzip member: "
    reason += f"{len(LOG) + 7} bytes and 2 lines could be read"
    assert status(read(data, name=GZ)) == ("corrupt_gzip", reason)


@pytest.mark.parametrize("at", [-8, -4], ids=["crc", "length"])
def test_a_wrong_trailer_of_a_small_gzip_says_how_far_reading_came(at: int) -> None:
    data = bytearray(gzip.compress(LOG + b"cut off"))
    data[at] ^= 1
    outcome = read(bytes(data), name=GZ)
    assert status(outcome)[0] == "corrupt_gzip"
    readable = f"{len(LOG) + 7} bytes and 2 lines could be read"
    assert (outcome.verdict.file_reason or "").endswith(readable)


@each_kind
def test_a_cut_or_damaged_object_counts_nothing(kind: str) -> None:
    """Section 1.4: the one status of damage is corrupt_gzip, and the reason names the kind."""
    data = PACKS[kind](LOG * 500)
    second = data + PACKS[kind](LOG)[:20]
    for stored in (data[:-1], data[: len(data) // 2], second):
        outcome = read(stored, name=NAMES[kind][0], settings=ACCESS)
        assert outcome.verdict.file_status == "corrupt_gzip"
        reason = outcome.verdict.file_reason or ""
        assert reason.startswith(f"the file ends inside a {UNITS[kind]}: ")
        assert reason.endswith(" could be read")
        assert (outcome.verdict.lines_read, outcome.verdict.events) == (0, 0)
        assert outcome.verdict.chunk_digests == (hashlib.sha256(stored).digest(),)


def test_a_cut_first_line_does_not_hide_that_the_gzip_is_corrupt() -> None:
    member = zlib.compressobj(wbits=31)
    data = member.compress(b"half a li") + member.flush(zlib.Z_SYNC_FLUSH)
    assert status(read(data, name=GZ))[0] == "corrupt_gzip"


@each_kind
@pytest.mark.parametrize("layers", [1, 2])
def test_what_unpacks_to_far_more_than_its_size_is_refused(
    monkeypatch: pytest.MonkeyPatch, layers: int, kind: str
) -> None:
    monkeypatch.setattr("ingest.unpack.layers._FREE_BYTES", 50_000)
    settings, pack = replace(ACCESS, max_expansion_ratio=2), PACKS[kind]
    fits, over = (pack(LOG + b"\n" * count) for count in (45_000, 60_000))
    if layers > 1:
        fits, over = pack(fits), pack(over)
    outcome = read(fits, settings=settings)
    assert outcome.verdict.file_status == ("misnamed" if layers == 1 else "double_gzip")
    outcome = read(over, settings=settings)
    assert status(outcome) == ("rejected", "expansion_limit")
    assert outcome.verdict.lines_read == 0
    assert outcome.verdict.chunk_digests == (hashlib.sha256(over).digest(),)


def test_rejected_goes_before_corrupt() -> None:
    member = zlib.compressobj(wbits=31)
    data = member.compress(b"no known format\n" * 9) + member.flush(zlib.Z_SYNC_FLUSH)
    assert status(read(data, name=GZ)) == ("rejected", "unknown_format")


def test_a_bomb_is_read_in_small_pieces() -> None:
    # One comment of 64 MiB in 64 KiB of gzip.
    outcome = read(gzip.compress(b"#" * (64 << 20), compresslevel=1), name=GZ, settings=ACCESS)
    assert outcome.rejects[0]["raw_length"] == 64 << 20


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("\ufeffa\n".encode("utf-16-le"), "not_utf8"),
        ("\ufeffa\n".encode("utf-16-be"), "not_utf8"),
        ("\ufeffa\n".encode("utf-32-le"), "not_utf8"),
        ("\ufeffa\n".encode("utf-32-be"), "not_utf8"),
        (LINE.encode("utf-16-le"), "not_utf8"),
        (b"abc\0", "not_utf8"),
        (b"x" + LINE.encode("utf-16-le"), "not_utf8"),
        (b"\0" * 3000 + LINE.encode("utf-16-le") * 9, "not_utf8"),
        (b"a\0bcdefg" * 512, "not_utf8"),
        (b"BZh9" + LOG[:5] + b"\0", "unsupported_content"),
        (lzma.compress(LOG), "unsupported_content"),
        (b"PK\x03\x04" + LOG, "unsupported_content"),
        (b"PK\x05\x06" + b"\0" * 18, "unsupported_content"),
        (b"PAR1\x15\x04\x15\x10", "unsupported_content"),
        (b"ORC\x0a\x0b\x08", "unsupported_content"),
        (b"Obj\x01\x04\x14avro.codec", "unsupported_content"),
        (b"nothing that is known\n", "unknown_format"),
        (b"{\n", "multiline_json"),
        (b"\n [\n", "multiline_json"),
        (b'{\n  "a": 1\n}\n', "multiline_json"),
        (b'[\n  {"a": 1}\n]\n', "multiline_json"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_rejected(data: bytes, reason: str, pack: Pack) -> None:
    stored = pack(data)
    outcome = read(stored)
    assert status(outcome) == ("rejected", reason)
    assert outcome.verdict.lines_read == 0
    assert outcome.events == outcome.rejects == outcome.skips == []
    assert outcome.verdict.chunk_digests == (hashlib.sha256(stored).digest(),)


@pytest.mark.parametrize("host", ["PAR1.example.net", "ORCHID", "BZh9"])
def test_a_host_name_is_not_a_magic_number(host: str) -> None:
    row = read(LINE.replace("192.0.2.1", host).encode()).events[0]
    assert row["client_address"] == host


def test_nul_below_a_quarter_is_text() -> None:
    outcome = read(LINE.replace("agent", "a" + "\0" * 20).encode())
    assert dict(outcome.verdict.counts) == {"nul_byte": 1}


def test_runs_of_nuls_are_text() -> None:
    outcome = read(LINE.replace("agent", "a" + "\0" * 5000).encode())
    assert dict(outcome.verdict.counts) == {"nul_byte": 1, "truncated_field": 1}


def test_bom() -> None:
    outcome = read(b"\xef\xbb\xbf" + LOG)
    assert [row["source_offset"] for row in outcome.events] == [0, 3 + len(LINE) + 1]
    assert outcome.lines["ok"] == 2
    assert read(gzip.compress(b"\xef\xbb\xbf" + LOG), name=GZ).events == outcome.events


def test_a_bom_alone_holds_no_line() -> None:
    outcome = read(b"\xef\xbb\xbf")
    assert (outcome.verdict.file_status, outcome.verdict.lines_read) == ("ok", 0)


def test_a_second_bom_is_text() -> None:
    outcome = read(b"\xef\xbb\xbf\xef\xbb\xbf" + LOG)
    assert outcome.events[0]["client_address"] == "\ufeff192.0.2.1"


def test_crlf_and_a_missing_final_newline() -> None:
    outcome = read(LOG.replace(b"\n", b"\r\n").removesuffix(b"\n"))
    assert outcome.lines == {"ok": 2, "warn": 0, "skip": 0, "reject": 0}
    assert [row["source_offset"] for row in outcome.events] == [0, len(LINE) + 2]


@pytest.mark.parametrize("size", [100, 101])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_line_too_long(size: int, end: bytes) -> None:
    settings = replace(ACCESS, max_line_bytes=100)
    outcome = read(b"#\n" + b"#" * size + end, settings=settings)
    assert [row["reason"] for row in outcome.rejects] == ["line_too_long"] * (size > 100)
    assert outcome.verdict.lines_skip == 2 - (size > 100)


def test_a_line_of_many_blocks_is_one_reject() -> None:
    data = LOG + b"x" * (20 << 20) + b"\n" + LOG
    outcome = read(data)
    (record,) = outcome.rejects
    assert (record["reason"], record["raw_length"]) == ("line_too_long", 20 << 20)
    assert (record["source_line"], record["source_offset"]) == (3, len(LOG))
    assert [row["source_line"] for row in outcome.events] == [1, 2, 4, 5]
    assert len(outcome.verdict.chunk_digests) == 3


def failing(error: Exception) -> Callable[[int, int], bytes]:
    def read_range(_start: int, _end: int) -> bytes:
        raise error

    return read_range


@pytest.mark.parametrize("error", [ObjectUnreadable("denied"), ObjectChanged("etag")])
def test_errors_of_storage_pass_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        list(parse_object(failing(error), 9, name="a", identity=IDENTITY, settings=SETTINGS))


def test_a_short_read_is_an_error_of_storage() -> None:
    with pytest.raises(ObjectUnreadable, match="got 3 of 9 bytes at offset 0"):
        list(parse_object(lambda *_: b"abc", 9, name="a", identity=IDENTITY, settings=SETTINGS))


def test_a_format_that_is_not_supported_is_an_error_of_settings() -> None:
    settings = ParseSettings(format="xml")
    arguments: dict[str, Any] = {"name": "a", "identity": IDENTITY, "settings": settings}
    with pytest.raises(SettingsError) as caught:
        list(parse_object(lambda *_: b"", 0, **arguments))
    assert str(caught.value).startswith("format 'xml' is unknown; supported: auto, access, ")
