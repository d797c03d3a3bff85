"""No line takes more than 50 ms of CPU a megabyte: section 3.3 of the format specification.

`make soak-fuzz` runs it; pytest does not collect it by itself. FUZZ_SEED changes it.
"""

from __future__ import annotations

import os
import random

import pytest
from fixtures.outcome import CSV_HEADER
from support.hostile import Stopwatch, fillings, pieces_of, places
from support.mutated import NAMES, Seeds, seeds_of_all

from ingest.settings import ParseSettings

SIZE = (1 << 20) - 20_000  # and a line around it
SEEDS = 8  # lines of a format that are blown up
LONGEST = 10_000


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seeds]:
    return seeds_of_all(tmp_path_factory.mktemp("seeds"))


@pytest.mark.parametrize("name", NAMES)
def test_no_line_takes_long(
    name: str, seeds: dict[str, Seeds], capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("FUZZ_SEED", random.getrandbits(32)))
    with capsys.disabled():
        print(f"FUZZ_SEED={seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    stopwatch = Stopwatch(seeds[name])
    lines = [line.rstrip() for line in seeds[name].lines if len(line) < LONGEST]
    lines = [line for line in chance.sample(lines, min(SEEDS, len(lines))) if line]
    for run in fillings(pieces_of(lines), SIZE):
        stopwatch.check(run)
        line = chance.choice(lines)
        at = chance.choice(places(line))
        stopwatch.check(line[:at] + run + line[at:])


FIELDS = "date time c-ip cs-method cs-uri-stem sc-status"
RECORD = b"2024-05-06 07:08:09 192.0.2.1 GET /a 200 ".replace(b" ", b"\t")
ACCESS = b'192.0.2.1 - - [06/May/2024:07:08:09 +0000] "GET /a HTTP/1.1" 200 5 "-" "Mozilla"'
GA4 = b'{"event_timestamp":1,"event_name":"a"'
SYSLOG = b"<13>1 2024-05-06T07:08:09Z h a p m "
SLOW_SIZE = 1_000_000
# Each took more than 50 ms once.
SLOW: dict[str, tuple[str, bytes]] = {
    "quotes": ("alb", b'"" ' * (SLOW_SIZE // 3)),
    "blanks": ("clb", b"a " * (SLOW_SIZE // 2)),
    "percent": ("cloudfront", RECORD + b"%%%%41" * (SLOW_SIZE // 6)),
    "csv": ("schematic-csv", b'"","",' * (SLOW_SIZE // 6)),
    "tail": ("access", ACCESS + b" " + b'"" "" ' * (SLOW_SIZE // 6)),
    "words": ("access", ACCESS.replace(b' "-"', b" 400" * (SLOW_SIZE // 4) + b' "-"')),
    "list": ("access", b"::1, " * (SLOW_SIZE // 5) + ACCESS),
    "listed": ("access", ACCESS + b" " + b"::1, " * (SLOW_SIZE // 5)),
    "user": ("access", ACCESS.replace(b"- -", b"- " + b"a. " * (SLOW_SIZE // 3))),
    "escapes": ("access", ACCESS.replace(b"Moz", b"\\x41a" * (SLOW_SIZE // 5))),
    "parameters": ("access", ACCESS.replace(b"/a", b"/a?action=" + b"%ffa" * (SLOW_SIZE // 4))),
    "upstreams": ("combined_time_us", b":," * (SLOW_SIZE // 2)),
    "members": ("ga4", GA4 + b',"k":0' * (SLOW_SIZE // 6) + b"}"),
    "elements": ("ga4", b"[" + b"{}," * (SLOW_SIZE // 3) + b"{}]"),
    "cookie": ("access", ACCESS + b' "a=b' + b";" * SLOW_SIZE + b'"'),
    "brackets": ("access", b"a " + b"[1a]" * (SLOW_SIZE // 4) + b' [x] "GET / HTTP/1.1" 200 1'),
    "element": ("access", SYSLOG + b"[x " + b"\\]" * (SLOW_SIZE // 2) + ACCESS),
    "data": ("access", SYSLOG + b"[x]" * (SLOW_SIZE // 3) + ACCESS),
    "relays": ("access", b"a | " * (SLOW_SIZE // 4) + ACCESS),
    "colours": ("access", ACCESS + b" \x1b[0m " + b'"a" ' * (SLOW_SIZE // 4)),
    "columns": ("snowplow", b"\t\x80" * (SLOW_SIZE // 2)),
    "halves": ("ga4", GA4 + b',"a":"' + rb"\ud83da" * (SLOW_SIZE // 7) + b'"}'),
}


@pytest.mark.parametrize("name", SLOW)
def test_lines_that_were_slow_once(name: str) -> None:
    known, line = SLOW[name]
    head = {"schematic-csv": CSV_HEADER, "cloudfront": f"#Fields: {FIELDS} cs(User-Agent)"}
    lines = [f"{head[known]}\n".encode()] if known in head else []
    Stopwatch(Seeds(lines=lines, settings=ParseSettings(format=known))).check(line)
