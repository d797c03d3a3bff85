"""A log read in steps: however it grows, its lines come out once, as from one reading."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest
from fixtures.outcome import ACCESS, IDENTITY, LINE, SCHEMATIC, SETTINGS, Outcome, read
from fixtures.packs import PACKS, Pack
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse import fingerprint, ranges, stored
from ingest.parse.model import ObjectVerdict
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings

HEADER = b"Action,SessionID,ClientIP,Brand,Category\n"
RECORD = b"View,s1,192.0.2.1,b,c\n"
LOG = LINE.encode() + b"\n"
# In tests the bytes that are hashed at once, instead of 8 MiB.
CHUNK = 64
SHORT = replace(ACCESS, max_line_bytes=200)
SHORT_CSV = replace(SCHEMATIC, max_line_bytes=200)
ACCESS_PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"#\n", b"x", b"\0", b"\0" * 90, b"\xef\xbb\xbf"),
        *(LOG, LOG[:-1] + b"\r\n", LOG[:-1], b"y" * 300),
    ]
)
CSV_PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"x", b'"', b'"a\nb",', b"\0" * 9, HEADER, b"y" * 300),
        *(RECORD, RECORD[:-1], b'"View\n",s,192.0.2.1,\r\n', b'View,"open,192.0.2.1\n'),
    ]
)
PACKED = st.sampled_from([bytes, *PACKS.values()])


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stored, fingerprint, ranges):
        monkeypatch.setattr(module, "HASH_CHUNK_BYTES", CHUNK)


def rows(outcomes: list[Outcome]) -> list[list[dict[str, Any]]]:
    """Return the events, rejects and skips of all outcomes, one after the other."""
    names = ("events", "rejects", "skips")
    return [[row for outcome in outcomes for row in getattr(outcome, name)] for name in names]


def grow(data: bytes, sizes: list[int], parse: ParseSettings, pack: Pack) -> list[Outcome]:
    """Read `data` while it grows to each of `sizes`; at last it is packed and read to its end."""
    steps: list[Outcome] = []
    resume, line = 0, 1
    for size in sorted({*(size for size in sizes if size < len(data))}):
        step = read(data[:size], settings=parse, resume=resume, first_line=line, final=False)
        verdict = step.verdict
        assert (verdict.start, verdict.end + verdict.waiting_bytes) == (resume, size)
        resume, line = verdict.end, line + verdict.lines_read
        steps.append(step)
    last = read(pack(data), settings=parse, resume=resume, first_line=line)
    assert (last.verdict.end, last.verdict.waiting_bytes) == (len(data), 0)
    return [*steps, last]


def chunk_digests(data: bytes, start: int, end: int) -> list[bytes]:
    chunks = (data[at : min(at + CHUNK, end)] for at in range(start, end, CHUNK))
    return [hashlib.sha256(chunk).digest() for chunk in chunks]


def check_bytes(data: bytes, outcome: Outcome) -> None:
    """Check what the verdict says of the bytes consumed against the bytes themselves."""
    verdict = outcome.verdict
    consumed = data[: verdict.end]
    digests = chunk_digests(data, verdict.start, verdict.end)
    assert list(verdict.range_digests) == digests
    known = (verdict.opening, verdict.head, verdict.tail, verdict.range_hash)
    if consumed:
        prints = (consumed[:64], consumed[:4096], consumed[-4096:], b"".join(digests))
        assert known == tuple(hashlib.sha256(part).hexdigest() for part in prints)
    else:
        assert known == (None,) * 4


def check_growth(data: bytes, sizes: list[int], parse: ParseSettings, pack: Pack) -> None:
    whole = read(data, settings=parse)
    steps = grow(data, sizes, parse, pack)
    assert rows(steps) == rows([whole])
    line = 1
    for step in steps:
        check_bytes(data, step)
        verdict = step.verdict
        again = read(
            pack(data), settings=parse, resume=verdict.start, stop=verdict.end, first_line=line
        )
        assert rows([again]) == rows([step])
        assert again.verdict.end == verdict.end
        assert again.verdict.range_hash == verdict.range_hash
        line += verdict.lines_read
    assert line == 1 + whole.verdict.lines_read


SIZES = st.lists(st.integers(0, 1500), max_size=5)


@settings(deadline=None, max_examples=150)
@given(st.lists(ACCESS_PIECES, max_size=14), SIZES, PACKED)
def test_a_growing_access_log(pieces: list[bytes], sizes: list[int], pack: Pack) -> None:
    check_growth(LOG + b"".join(pieces), sizes, SHORT, pack)


@settings(deadline=None, max_examples=150)
@given(st.lists(CSV_PIECES, max_size=14), st.lists(st.integers(0, 900), max_size=5), PACKED)
def test_a_growing_csv(pieces: list[bytes], sizes: list[int], pack: Pack) -> None:
    check_growth(HEADER + b"".join(pieces), sizes, SHORT_CSV, pack)


@settings(deadline=None, max_examples=50)
@given(SIZES, PACKED)
def test_a_growing_log_of_which_no_format_is_set(sizes: list[int], pack: Pack) -> None:
    check_growth(b"\xef\xbb\xbf#\n" + LOG * 9 + b"half", sizes, SETTINGS, pack)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(ACCESS_PIECES, max_size=14),
    st.integers(0, 300),
    st.lists(st.integers(0, 20), max_size=5),
    st.booleans(),
)
def test_any_cut_of_what_is_new(
    pieces: list[bytes], resume: int, cuts: list[int], final: bool
) -> None:
    data = LOG + b"".join(pieces)
    resume = min(resume, len(data))
    whole = read(data, settings=SHORT, resume=resume, final=final, first_line=None)
    inner = sorted({resume + CHUNK * cut for cut in cuts if 0 < CHUNK * cut < len(data) - resume})
    outcomes = [
        read(
            data, settings=SHORT, start=start, end=end, resume=resume, final=final, first_line=None
        )
        for start, end in pairwise([resume, *inner, len(data)])
    ]
    assert rows(outcomes) == rows([whole])
    verdicts = [outcome.verdict for outcome in outcomes]
    waiting = next((i for i, v in enumerate(verdicts) if v.waiting_bytes), len(verdicts) - 1)
    end = verdicts[waiting].end
    digests = [digest for v in verdicts[: waiting + 1] for digest in v.range_digests]
    assert digests == chunk_digests(data, resume, end)
    assert verdicts[waiting].waiting_bytes == (0 if final else len(data) - end)
    # Of a hole that begins in an earlier range, that range consumes its part.
    assert data[whole.verdict.end : end].strip(b"\0") == b""


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
@pytest.mark.parametrize(
    ("parse", "first", "rest"),
    [
        (ACCESS, LOG + LOG[:30], LOG[30:]),
        (SCHEMATIC, HEADER + RECORD + b"View,s", RECORD),
        (SCHEMATIC, HEADER + RECORD + b'"a\n', RECORD),
    ],
    ids=["access", "csv", "open quote"],
)
def test_the_rest_of_a_line_that_was_taken_is_a_line(
    pack: Pack, parse: ParseSettings, first: bytes, rest: bytes
) -> None:
    taken = read(first, settings=parse)
    assert taken.verdict.end == len(first)
    data = pack(first + rest + b'z"\n')
    later = read(data, settings=parse, resume=len(first), first_line=4)
    places = [row["source_offset"] for row in later.events + later.rejects]
    assert sorted(places) == [len(first), len(first + rest)]
    assert later.rejects[-1]["source_line"] == 5


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_a_replay_ends_a_line_where_its_batch_did(pack: Pack) -> None:
    data, stop = LOG * 3, len(LOG) + 30
    again = read(pack(data), settings=ACCESS, stop=stop)
    assert rows([again]) == rows([read(data[:stop], settings=ACCESS)])
    assert read(pack(data), settings=ACCESS, stop=stop, final=False).verdict.end == stop


@pytest.mark.parametrize(
    ("data", "parse"),
    [(LINE.encode(), SETTINGS), (b"\xef\xbb\xbf", SETTINGS), (b"no format", SETTINGS),
     (HEADER[:-1], SCHEMATIC), (b'"Action\n,', SCHEMATIC), (b"\0" * 99, ACCESS)],
)  # fmt: skip
def test_an_object_without_a_line_waits_as_a_whole(data: bytes, parse: ParseSettings) -> None:
    verdict = read(data, settings=parse, final=False).verdict
    assert (verdict.file_status, verdict.lines_read) == ("ok", 0)
    assert (verdict.end, verdict.waiting_bytes) == (0, len(data))
    assert (verdict.head, verdict.range_hash) == (None, None)


@pytest.mark.parametrize(
    "data", [b"no format that is known\n", gzip.compress(LOG)[:-3]], ids=["rejected", "corrupt"]
)
def test_what_is_void_consumes_nothing(data: bytes) -> None:
    verdict = read(data, resume=7).verdict
    assert (verdict.start, verdict.end, verdict.waiting_bytes) == (7, 7, 0)
    assert (verdict.opening, verdict.head, verdict.tail, verdict.range_hash) == (None,) * 4


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_a_content_that_ends_before_it_is_resumed_is_an_error(pack: Pack) -> None:
    with pytest.raises(ValueError, match=f"the content ends at {len(LOG)}, before 999"):
        read(pack(LOG), resume=999)


def test_little_is_read_of_what_is_known() -> None:
    data = LOG * 2000
    resume, asked = len(LOG) * 1999, []

    def read_range(start: int, end: int) -> bytes:
        asked.append((start, end))
        return data[start:end]

    *_, verdict = parse_object(
        read_range, len(data), name="a", identity=IDENTITY, settings=ACCESS, resume=resume
    )
    assert isinstance(verdict, ObjectVerdict)
    assert verdict.lines_read == 1
    old = [(start, min(end, resume)) for start, end in asked if start < resume]
    assert sum(end - start for start, end in old) <= 2 * 4096


def test_gzip_that_grew_is_known_whole() -> None:
    data = gzip.compress(LOG * 2)
    assert read(data, resume=len(LOG)).verdict.chunk_digests == read(data).verdict.chunk_digests
    assert read(LOG * 2, resume=len(LOG)).verdict.chunk_digests == ()
    assert read(LOG * 2, stop=len(LOG)).verdict.chunk_digests == ()


def test_gzip_that_ends_at_the_stop_is_checked_to_its_end() -> None:
    data = bytearray(gzip.compress(LOG * 2))
    data[-8] ^= 1
    assert read(bytes(data), stop=2 * len(LOG)).verdict.file_status == "corrupt_gzip"


def test_every_field_of_the_verdict_is_the_same_for_a_resume_at_0() -> None:
    first, second = read(LOG * 3).verdict, read(LOG * 3, resume=0, stop=3 * len(LOG)).verdict
    assert all(getattr(first, f.name) == getattr(second, f.name) for f in fields(first))
