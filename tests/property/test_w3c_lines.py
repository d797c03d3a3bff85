"""Logs in columns: every byte string gets a verdict, in time linear in its length (3.3)."""

from __future__ import annotations

import time

import pytest
from fixtures.outcome import Outcome, read
from hypothesis import given, settings
from hypothesis import strategies as st
from support.edited_lines import edited_lines

from ingest.settings import ParseSettings

FIELDS = (
    b"date time c-ip cs-method cs-uri-stem sc-status sc-bytes cs(User-Agent) cs(Cookie)"
    b" x-forwarded-for cs(Host) cs-protocol-version c-port time-taken x-a"
)
RECORD = (
    b"2024-05-02 10:11:12 203.0.113.9 GET /a%2520b?c=d 200 15 agent%2520(x) a=b;+c=d"
    b" 1.2.3.4,+5.6.7.8 a.example:80 HTTP/2.0 33121 0.118 x"
)
TABBED = RECORD.replace(b" ", b"\t")
NAMES = tuple(FIELDS.decode().split())
HEADER = b"#Fields: " + FIELDS + b"\n"
EVENT = b"\t".join(b"%d" % number for number in range(131))
RT_NAMES = ("timestamp", "c-ip", "cs-uri-stem", "cs-user-agent", "cs-cookie", "asn")
# Format -> (its settings, the lines before a record, a record).
CASES: dict[str, tuple[dict[str, object], bytes, bytes]] = {
    "cloudfront": ({}, HEADER, TABBED),
    "cloudfront_v2": ({"fields": NAMES, "delimiter": ","}, b"", RECORD.replace(b" ", b",")),
    "cloudfront_rt": ({"fields": RT_NAMES}, b"", b"1714979289.1\t1.2.3.4\t/a?b\tx%20\ta=b\t1"),
    "w3c": ({}, HEADER, RECORD),
    "snowplow": ({}, b"", EVENT.replace(b"\t3\t", b"\t2024-05-06 07:08:09.1\t", 1)),
}
RECORDS = {name: record for name, (_, _, record) in CASES.items()}
SNIPS = (
    b"\t", b" ", b"%", b"%41", b"%c3", b"%00", b"+", b"-", b"#", b"?", b",", b"\xff", b"\0", b"\r",
    b"9" * 25, b"#Fields:", b"#Fields: c-ip date time\n", b"#Fields: a a a\n", b"\n", HEADER,
)  # fmt: skip
MEGABYTE = 1_000_000
# A quadratic pattern shows here as well: as minutes instead of hours.
LONG = MEGABYTE // 4
UNITS = (
    *(bytes([code]) for code in b'\t %+-#?,;:"/[]0a&=\xff'),
    b"%41", b"%2541", b"%ff", b"%c3%a9", b"%00", b";+", b"a=&", b"1.2.3.4,", b"x\t", b"x ",
)  # fmt: skip


def of(name: str) -> ParseSettings:
    more, _, _ = CASES[name]
    return ParseSettings(format=name, max_line_bytes=2 * MEGABYTE, **more)  # type: ignore[arg-type]


def outcome(name: str, lines: bytes) -> Outcome:
    return read(b"x\n" + CASES[name][1] + lines, settings=of(name))


@settings(deadline=None, max_examples=120)
@given(edited_lines(RECORDS, SNIPS))
def test_every_line_gets_a_verdict(case: tuple[str, bytes]) -> None:
    name, line = case
    data = line + b"\n" + RECORDS[name] + b"\n"
    before = outcome(name, b"").verdict.lines_read
    assert outcome(name, data).verdict.lines_read == before + data.count(b"\n")


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(CASES)), st.binary(max_size=100))
def test_any_bytes_get_a_verdict(name: str, data: bytes) -> None:
    outcome(name, data)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["cloudfront", "w3c"]),
    st.lists(st.sampled_from((*SNIPS, RECORD + b"\n", TABBED + b"\n")), max_size=8),
    st.integers(0, 8),
)
def test_a_log_that_is_resumed_reads_as_in_one_go(name: str, pieces: list[bytes], at: int) -> None:
    first = b"".join(pieces[:at])
    first = first[: first.rfind(b"\n") + 1]
    data = b"x\n" + CASES[name][1] + first
    whole = read(data + b"".join(pieces[at:]), settings=of(name))
    later = read(data + b"".join(pieces[at:]), settings=of(name), resume=len(data), first_line=None)

    def rows(outcome: Outcome) -> list[tuple[int, object]]:
        events = [(row["source_offset"], row.get("extra")) for row in outcome.events]
        others = [(row["source_offset"], row["reason"]) for row in outcome.rejects + outcome.skips]
        return sorted([*events, *others], key=lambda row: row[0])

    assert rows(later) == [row for row in rows(whole) if row[0] >= len(data)]


def seconds(name: str, lines: bytes) -> float:
    """Return the CPU time that the lines take, after checking that they are counted."""
    before = time.process_time()
    assert outcome(name, lines).verdict.lines_read == 1 + CASES[name][1].count(b"\n") + 1
    return time.process_time() - before


@pytest.mark.parametrize("name", CASES)
def test_long_texts_take_linear_time(name: str) -> None:
    for unit in UNITS:
        for place in (b"", b"1.2.3.4", b"a=b"):
            line = RECORDS[name].replace(place, place + unit * (LONG // len(unit)), 1)
            assert seconds(name, line) < 0.5, (unit, place)


WORST = (
    b"#Fields: " + b" ".join(b"a-%d" % (number % 90_000) for number in range(150_000)),
    TABBED.replace(b"agent", b"%25" * (MEGABYTE // 3), 1),
    b"x\t" * (MEGABYTE // 2),
)


@pytest.mark.parametrize("worst", range(len(WORST)))
@pytest.mark.parametrize("name", ["cloudfront", "cloudfront_rt"])
def test_a_megabyte_of_the_worst_takes_below_a_second(name: str, worst: int) -> None:
    assert seconds(name, WORST[worst]) < 1
