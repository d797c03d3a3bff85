"""Two million mutated lines, bombs and tiny files: equal parsers, bounded memory, nothing lost.

`make soak-fuzz` runs it; pytest does not collect it by itself. FUZZ_LINES and FUZZ_SEED change it.
"""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.outcome import IDENTITY
from support.memory_lake import pages, paths_in

from ingest.job.run import IngestSummary
from ingest.parse.lines import Cutter
from ingest.parse.model import Lines
from ingest.parse.registry import lookup
from ingest.parse.rows import EVENTS_SCHEMA
from ingest.settings import ParseSettings, Settings

LINES = int(os.environ.get("FUZZ_LINES", "500000"))  # of each format
AT_ONCE = 20_000
SETTINGS = ParseSettings()
# Peak memory of a process that reads one object, in KiB: twice what a task of plain lines takes.
MOST_KIB = 700 << 10
ACCESS = (
    b'198.51.100.23 - - [03/Mar/2024:07:08:09 +0100] "GET /shoes/red%20one?utm_source=mail&size=4'
    b' HTTP/2.0" 200 5120 "https://www.example.org:8443/list?p=2" "Mozilla/5.0 (X11)"',
    b'192.0.2.9 - ann [29/Feb/2024:23:59:59 -0130] "HEAD /a HTTP/1.0" 304 -',
    b'shop.example:443 2001:db8::7 - - [10/Oct/2024:13:00:00 +0000] "POST /cart.do?action=purchase'
    b'&itemId=EST-6&productId=FS-SG-G03&JSESSIONID=SD1 HTTP 1.1" 200 0 "-" "-" 1234',
    b'192.0.2.1, 203.0.113.5 - - [10/Oct/2024:13:00:00 +0000] "GET / HTTP/1.1" 499 0 "-" "a\\"b"'
    b' "203.0.113.9, unknown" rt=0.012',
    b'192.0.2.1 - - [10/Oct/2024:13:00:00] "\\x16\\x03\\x01" 400 166 "-" "-"',
)
SEEDS = {
    "access": ACCESS,
    "alb": (
        b"https 2024-05-02T10:11:12.345678Z app/web/50dc 203.0.113.9:33121 10.0.2.14:8443 0.002"
        b' 0.118 0.001 200 201 734 15220 "GET https://shop.example:443/a?itemId=1&productId=2'
        b' HTTP/2.0" "agent" TLS_AES TLSv1.3 arn:a "Root=1" "shop.example" "-" 1'
        b' 2024-05-02T10:11:12.3Z "forward" "-" "-" "10.0.2.14:8443" "201" "-" "-" TID_1',
        b"h2 2024-05-02T10:11:12Z app/web/50dc [2001:db8::7]:1 - -1 -1 -1 502 - 0 -"
        b' "POST https://shop.example/ HTTP/2.0" "a\\"b" - - - "-" "-" "-" 0',
    ),
    "clb": (
        b"2024-05-02T10:11:12.345678Z lb 203.0.113.9:33121 10.0.2.14:80 0.00007 0.001048 0.000057"
        b' 200 200 0 29 "GET http://old.example:80/list?p=2 HTTP/1.1" "curl/7.38.0" - -',
        b'2024-05-02T10:11:12.3Z lb 203.0.113.9:2 10.0.2.14:8 0.1 0.2 0.3 - - 82 305 "- - - " "-"',
    ),
    "s3": (
        b"b0b0 bucket [02/May/2024:10:11:12 +0200] 203.0.113.9 ann 3E57 REST.GET.OBJECT a.jpg"
        b' "GET /a.jpg?itemId=1&productId=2 HTTP/1.1" 206 - 2662 346 70 10 "https://a.example/?b=c"'
        b' "agent" - h= SigV4 - - - - -',
        b"b0b0 bucket [06/May/2024:00:00:00 +0000] - AmazonS3 11AA22 S3.EXPIRE.OBJECT old.txt"
        b' "-" - - - 77 - - "-" "-" - hostid= - - - - -',
    ),
}
PIECES = (
    b'"', b"\\", b"\\\"", b" ", b"-", b"[", b"]", b"?", b"&", b"=", b"%00", b"%", b"+", b"/", b":",
    b";jsessionid=X", b", ", b"\t", b"\x1b[0m", b"\xff", "é".encode(), b"\0", b"\r", b"0",
    b"9" * 20, b"HTTP/1.1", b"#", b"http://", b"2024", b"[::1]",
)  # fmt: skip

READ_ONE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from ingest.parse.model import Identity
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings
file = Path(sys.argv[1]).open("rb")
size = file.seek(0, 2)
identity = Identity(source_file="a", batch_id="b", ingest_time=datetime(2026, 1, 1, tzinfo=UTC))
for item in parse_object(
    lambda start, end: os.pread(file.fileno(), end - start, start), size,
    name=sys.argv[1], identity=identity,
    settings=ParseSettings(format="access"),
):
    pass
# Not ru_maxrss, which a process inherits from the one that started it.
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(item.file_status, item.file_reason, peak)
"""


def mutated(name: str, chance: random.Random) -> bytes:
    """Return a line of the format `name` with a few pieces put in, taken out or doubled."""
    line = bytearray(chance.choice(SEEDS[name]))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(line) + 1)
        match chance.randrange(4):
            case 0:
                line[at:at] = chance.choice(PIECES)
            case 1:
                del line[at : at + chance.randrange(1, 9)]
            case 2:
                line[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                line[at:at] = line[at : at + chance.randrange(1, 30)]
    return bytes(line).replace(b"\n", b" ")


def chunks(content: bytes) -> Iterator[Lines]:
    cutter = Cutter(offset=0, first_line=1, max_line_bytes=1 << 20)
    for lines in (*cutter.feed(content), *cutter.finish()):
        assert isinstance(lines, Lines)
        yield lines


@pytest.mark.parametrize("name", SEEDS)
def test_both_parsers_give_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("FUZZ_SEED", random.getrandbits(32)))
    with capsys.disabled():
        print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    fast = lookup(name).open(IDENTITY, SETTINGS)
    slow = lookup(name).open(IDENTITY, replace(SETTINGS, fast=False))
    taken = 0
    for _ in range(0, LINES, AT_ONCE):
        for lines in chunks(b"\n".join(mutated(name, chance) for _ in range(AT_ONCE)) + b"\n"):
            one, other = fast.parse(lines), slow.parse(lines)
            assert one.line_counts == other.line_counts
            assert one.counts == other.counts
            events = one.events.unify_dictionaries().cast(EVENTS_SCHEMA).sort_by("source_offset")
            assert events.equals(other.events.sort_by("source_offset"))
            assert one.rejects.equals(other.rejects)
            taken += one.line_counts.lines_read
    assert taken == len(range(0, LINES, AT_ONCE)) * AT_ONCE


def _gzipped(piece: bytes, times: int) -> bytes:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packed.compress(piece) for _ in range(times)) + packed.flush()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (lambda: _gzipped(b"\n" * (1 << 20), 300), "rejected expansion_limit"),
        (lambda: _gzipped(b"#\n" * (1 << 19), 300), "rejected expansion_limit"),
        (lambda: _gzipped(b"x" * (1 << 20), 300), "rejected expansion_limit"),
        (lambda: gzip.compress(_gzipped(b"\0" * (1 << 20), 4000)), "rejected expansion_limit"),
        (lambda: _gzipped(b"#" + os.urandom(30).hex().encode() + b"\n", 500_000), "ok None"),
        (lambda: b"\n" * (16 << 20), "misnamed"),
        (lambda: b"\0" * (512 << 20) + ACCESS[0], "misnamed"),
    ],
    ids=["blank lines", "comments", "one line", "twice", "mostly comments", "plain", "a hole"],
)
def test_memory_is_bounded(tmp_path: Path, content: Callable[[], bytes], status: str) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(content())
    done = subprocess.run(
        [sys.executable, "-c", READ_ONE, str(path)], capture_output=True, text=True, check=True
    )
    *said, peak = done.stdout.split()
    assert " ".join(said).startswith(status)
    assert int(peak) < MOST_KIB


def test_tiny_files_are_all_read(
    make_settings: Callable[..., Settings],
    ingest_here: Callable[..., IngestSummary],
    access_lines: Callable[..., bytes],
) -> None:
    settings = make_settings()
    raw = Path(settings.sources[0].uri)
    for number in range(30_000):
        (raw / f"{number}.log").write_bytes(access_lines(1, first=number))
    ingest_here()
    found = paths_in(settings)
    assert sum(found.values()) == len(found) == 30_000
    assert found.keys() >= pages("0.log", 0, 1).keys()
