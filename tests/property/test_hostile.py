"""Whatever the bytes: no exception, balanced books, and work that grows with the length only.

A quadratic pattern would keep the long lines below busy for many minutes.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from fixtures.outcome import ACCESS, CSV_HEADER, LINE, SCHEMATIC, SETTINGS, read
from fixtures.packs import PACKS
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.cli.preview import json_lines
from ingest.errors import ClickstreamError
from ingest.settings import ParseSettings

LONG = 1 << 18
SMALL = ParseSettings(format="access", max_line_bytes=40)
FRAGMENTS = st.sampled_from(
    [
        LINE.encode(),
        CSV_HEADER.encode(),
        b"Action,SessionID,ClientIP\n",
        b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "',
        b"GET / HTTP/1.1",
        b'" 200 5 "',
        b" X-Forwarded-For=",
        b"\xef\xbb\xbf",
        b"\x1f\x8b",
        b"\xff",
        b"\0",
        b"\n",
        b"\r\n",
        b'"',
        b",",
        b"[",
        b"]",
        b"\\",
        b" ",
        b"-",
        b"#",
        b"{",
        b"%00",
        b"1",
        "é\u2028".encode(),
    ]
)
CONTENT = st.one_of(
    st.binary(max_size=300),
    st.lists(FRAGMENTS, max_size=30).map(b"".join),
    st.lists(st.one_of(FRAGMENTS, st.binary(max_size=5)), max_size=30).map(b"".join),
)
PACKED = st.builds(lambda pack, raw: pack(raw), st.sampled_from([*PACKS.values()]), CONTENT)
STORED = st.one_of(CONTENT, PACKED, PACKED.map(lambda packed: packed[:-9]))


@hypothesis_settings(deadline=None, max_examples=60)
@given(STORED, st.sampled_from([SETTINGS, ACCESS, SCHEMATIC, SMALL]))
def test_books_balance(data: bytes, settings: ParseSettings) -> None:
    verdict = read(data, settings=settings).verdict
    if verdict.file_status in ("rejected", "corrupt_gzip", "empty"):
        assert verdict.lines_read == 0


@hypothesis_settings(deadline=None, max_examples=60)
@given(CONTENT)
@example(b"?")  # a parameter in a chunk without any quote
@example(b"\0")  # a hole that no line follows
def test_plain_access_lines_are_all_counted(data: bytes) -> None:
    outcome = read(b"\n" + data, settings=ACCESS)
    expected = data.count(b"\n") + bool(data.rpartition(b"\n")[2].strip(b"\0"))
    if outcome.verdict.file_status != "rejected":
        assert outcome.verdict.lines_read == 1 + expected


@hypothesis_settings(deadline=None, max_examples=60)
@given(data=STORED)
def test_parse_prints_json_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.log"
    path.write_bytes(data)
    lines: list[str] = []
    with suppress(ClickstreamError):
        lines.extend(json_lines(path, SETTINGS))
    offsets = [json.loads(line)["offset"] for line in lines]
    assert offsets == sorted(set(offsets))
    assert all(line.splitlines() == [line] for line in lines)


UNITS = [b'"', b"\\", b'\\"', b"[", b" ", b", ", b"a,", b"1.2.3.4,", b'" "', b"\xff", b"\0", b"\t"]
UNITS += [b"192.0.2.1 ", b"192.0.2.1, ", b'] "', b'[a] "', b"\x1b[1m", b'a="', b"a.log:", b"web | "]
UNITS += [b"%41", b"%ff", b"&", b"a=&", b"/", b"?", b"://", b"@", b":", b"HTTP/1.1 ", b"9", b"{"]
PLACES = [
    b"%s",
    b'Mar  3 07:08:09 %s - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
    b'<1>1 - - - - - [%s] 192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
    b'192.0.2.1 - %s [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
    b'%s - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5',
    b'192.0.2.1 - - [%s] "GET / HTTP/1.1" 200 5',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /?%s HTTP/1.1" 200 5',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET http://%s" 200 5',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /" 200 5%s',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /" 200 5 "http://a/%s" "%s"',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /" 200 5 %s "-" "-"',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /" 200 5 "-" "-" %s',
    b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /" 200 5 "-" "-" "%s',
]


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_long_lines(place: int) -> None:
    fields = PLACES[place].count(b"%s")
    size = (LONG - 200) // fields
    lines = [PLACES[place].replace(b"%s", unit * (size // len(unit))) for unit in UNITS]
    assert read(b"\n".join(lines), settings=ACCESS).verdict.lines_read == len(lines)


def test_long_csv_records() -> None:
    units = [b'"', b",", b'",', b'",""', b'""', b"a", b'a"', b'x,"', b"\xff,", b'"",""",']
    for unit in units:
        data = CSV_HEADER.encode() + b"\n" + unit * (LONG // len(unit)) + b"\nView,s\n"
        verdict = read(data, settings=SCHEMATIC).verdict
        assert verdict.counts["header"] == 1


def test_quotes_that_are_never_closed_cost_at_most_100_lines_each() -> None:
    data = CSV_HEADER.encode() + b'\n"a' + b"\nb" * 5_000
    verdict = read(data * 2, settings=SCHEMATIC).verdict
    assert verdict.counts["bad_csv"] == 2


def test_huge_numbers_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(LINE.replace(" 200 5 ", f" 200 {'9' * 500_000} ") + "\n", encoding="utf-8")
    (line,) = json_lines(path, SETTINGS)
    assert json.loads(line)["warnings"] == ["bytes_overflow"]
