"""Text formats of AWS: every byte string gets a verdict, in time linear in its length (3.3)."""

from __future__ import annotations

import time

import pytest
from fixtures.outcome import read
from hypothesis import given, settings
from hypothesis import strategies as st
from support.edited_lines import edited_lines

from ingest.settings import ParseSettings

ALB = (
    b"https 2024-05-02T10:11:12.345678Z app/web/50dc 203.0.113.9:33121 10.0.2.14:8443 0.002 0.118"
    b' 0.001 200 201 734 15220 "GET https://shop.example:443/a?b=c HTTP/2.0" "agent" TLS_AES'
    b' TLSv1.3 arn:a "Root=1" "shop.example" "-" 1 2024-05-02T10:11:12.3Z "forward" "-" "-"'
    b' "10.0.2.14:8443" "201" "-" "-" TID_1'
)
LINES = {
    "alb": ALB,
    "clb": ALB.partition(b" ")[2].partition(b" arn:a")[0],
    "s3": b"b0b0 bucket [02/May/2024:10:11:12 +0200] 203.0.113.9 ann lee 3E57 REST.GET.OBJECT a.jpg"
    b' "GET /a"b.jpg HTTP/1.1" 206 - 2662 346 70 10 "https://a.example/" "agent" - h= SigV4 - - -',
    "apigw_clf": b'203.0.113.9 caller ann [02/May/2024:10:11:12 +0000]"GET /a HTTP/1.1" 200 512 id',
}
SNIPS = (b'"', b"\\", b'" "', b" ", b"-", b"[", b"]", b":", b"\xff", b"\0", b"\r", b"-1", b"9" * 25)
MEGABYTE = 1_000_000
# A quadratic pattern shows here as well: as minutes instead of hours.
LONG = MEGABYTE // 4
UNITS = (
    *(bytes([code]) for code in b' "\\-[]:,.0a%/?#\t\xff'),
    b'" ', b'" "', b'\\"', b' "', b'" 200 - 1 1 1 1 "', b'" 200 - 1 1 1 1 -', b" REST.GET.OBJECT",
    b"REST.A ", b' - "', b'"" ',
)  # fmt: skip
PLACES = (b"", b"GET ", b"agent", b" 20")


def of(name: str) -> ParseSettings:
    return ParseSettings(format=name, max_line_bytes=2 * MEGABYTE)


@settings(deadline=None, max_examples=100)
@given(edited_lines(LINES, SNIPS))
def test_every_line_gets_a_verdict(case: tuple[str, bytes]) -> None:
    name, line = case
    line = line.replace(b"\n", b" ")
    outcome = read(b"x\n" + line + b"\n", settings=of(name))
    # A line of NULs only is a hole, and no line.
    assert outcome.verdict.lines_read == 1 + bool(line.strip(b"\0") or b"\0" not in line)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(LINES)), st.binary(max_size=100))
def test_any_bytes_get_a_verdict(name: str, data: bytes) -> None:
    read(b"x\n" + data, settings=of(name))


def seconds(line: bytes, name: str) -> float:
    """Return the CPU time that the line takes, after checking that it is counted."""
    before = time.process_time()
    assert read(b"x\n" + line, settings=of(name)).verdict.lines_read == 2
    return time.process_time() - before


@pytest.mark.parametrize("name", ["alb", "s3", "apigw_clf"])  # clb is read as alb is
def test_long_lines_take_linear_time(name: str) -> None:
    for unit in UNITS:
        for place in PLACES:
            line = LINES[name].replace(place, place + unit * (LONG // len(unit)), 1)
            assert seconds(line, name) < 0.5, (unit, place)


@pytest.mark.parametrize("name", LINES)
def test_a_megabyte_of_the_worst_takes_below_a_second(name: str) -> None:
    line = LINES[name].replace(b"GET ", b"GET " + b'" "' * (MEGABYTE // 3), 1)
    assert seconds(line, name) < 1
