"""Hostile lines of a given size, of any format: what takes a parser longest to read.

A run of one piece, on its own or inside a sound line: each byte, each pair of the characters that
mean something somewhere, the words of the format, and texts of which none is like another.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from itertools import count, product

from support.mutated import IDENTITY, PIECES, Seeds

from ingest.parse.reader import parse_object

_TELLING = b'% "\\\t,;=&[]{}:/.-0a\x80\xc3\xff'
_PAIRS = tuple(bytes(pair) for pair in product(_TELLING, repeat=2))
_BYTES = tuple(bytes([code]) for code in range(256))
_LONGER = (
    b"%%%%41", b"%41", b"%25", b"%2541", b"%252541", b"%C3%A9", b"%25C3%25A9", b"%C3", b"%00",
    b"\\x41", b"\\x", b'\\"', b'"" ', b'"a" ', b'"",', b'"a",', b'" "', b"\\u0041", b"\\ud83d",
    b"\\n", b"a=b&", b"a=b; ", b"a,b", b"[a]", b"[] ", b"{},", b"[],", b"0,", b"1 ", b"- ", b"-\t",
    b"1.", b"1e", b"null,", b'"a":1,', b'{"a":', b'{"a":1},', b"[[", b"[1],", b"http://a/ ",
    b"1.1.1.1, ", b"::1, ", b"unknown, ", b"a.b.", b"://", b"@", b"HTTP/1.1 ", b" HTTP/1.1\"",
    b"\xc3\xa9", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"\x1b[0m", b"#Fields: ",
    b"/../", b";jsessionid=", b"JSESSIONID=a;", b"?a", b"2024-05-06T07:08:09Z ",
    b"[1]", b"\\]", b"a | ", b"a/:", b"2024-05-06T07:08:09Z stdout P ", b'" - - - - - - -',
    b"[06/May/2024:07:08:09 +0000] ", b"REST.GET.OBJECT ", b' - "', b'" 200 1 "',
)  # fmt: skip
# What has another meaning behind them: structured data of syslog, colours, headers of columns.
_HEADS = (b"<13>1 2024-05-06T07:08:09Z h a p m [x ", b"\x1b[0m ", b"#Fields: ")
# Texts that differ: `at` is the number of the piece.
_NUMBERED: tuple[Callable[[int], bytes], ...] = (
    lambda at: b'"k%d":%d,' % (at, at),
    lambda at: b'"k%d":"",' % at,
    lambda at: b'"%d":{"%d":[]},' % (at, at),
    lambda at: b"k%d=%d&" % (at, at),
    lambda at: b"k%d=%%%02x%d;" % (at, at % 256, at),
    lambda at: b"%d " % at,
    lambda at: b"%d\t" % at,
    lambda at: b"%d," % at,
    lambda at: b'"%d" ' % at,
    lambda at: b'"%d",' % at,
    lambda at: b"%%%02x%d" % (at % 256, at),
    lambda at: b"%%25%02x%d" % (at % 256, at),
    lambda at: b"%%%02x%%%02X" % (at % 256, at // 7 % 256),
    lambda at: b"%%25%02x%%%02X" % (at % 256, at // 7 % 256),
    lambda at: b"\\x%02x" % (at % 256),
    lambda at: b"\\u%04x" % (at % 65536),
    lambda at: chr(at % 0xD000 + 1).encode(),
    lambda at: b"%d.%d.%d.%d, " % (1, at % 256, at // 256 % 256, at // 65536 % 256),
    lambda at: b"{" + b'"k%d":' % at,
)
_ELEMENTS: tuple[Callable[[int], bytes], ...] = (
    lambda _: b"{},", lambda _: b"0,", lambda _: b"-1.5e3,", lambda _: b'"",', lambda _: b"[],",
    lambda at: b"%d%d," % (at, 1 << 70), lambda _: b'{"a":0},', lambda at: b'{"k%d":0},' % at,
    lambda _: b'"\\u0041",', lambda _: b'{"key":"a","value":{}},', lambda _: b'{"name":"a"},',
)  # fmt: skip
_WORD = re.compile(rb"[^ \t,;&\"]+[ \t,;&\"]*")
# Where a run may be put: behind what separates words, members, elements or parameters.
_BETWEEN = re.compile(rb"[ \t,;&\"{\[:=?/(]+")


def pieces_of(lines: list[bytes]) -> list[bytes]:
    """Return what a run is made of: of any format, and the words of these `lines`."""
    words = dict.fromkeys(word for line in lines for word in _WORD.findall(line.rstrip()))
    return list(dict.fromkeys((*_BYTES, *_PAIRS, *PIECES, *_LONGER, *words)))


def fillings(pieces: list[bytes], size: int) -> Iterator[bytes]:
    """Yield a run of `size` bytes at most of each piece, and runs of pieces that differ."""
    for piece in pieces:
        yield (piece * (size // len(piece))).replace(b"\n", b" ")
    for head, piece in product(_HEADS, _LONGER):
        yield head + piece * ((size - len(head)) // len(piece))
    for made in _NUMBERED:
        yield _run(made, size)
    # Members and elements of an object of JSON, where one may stand.
    for made in (*_NUMBERED[:3], *_ELEMENTS):
        yield b'"zz":{' + _run(made, size).removesuffix(b",") + b"},"
    for made in (*_NUMBERED[5:8], *_ELEMENTS):
        yield b'"zz":[' + _run(made, size).removesuffix(b",") + b"],"
    for brackets in ((b"[", b"]"), (b'{"a":', b"}")):
        half = size // sum(map(len, brackets))
        yield brackets[0] * half + brackets[1] * half
    noise = random.Random(7)  # noqa: S311 - not for secrets
    yield noise.randbytes(size).replace(b"\n", b" ")


def _run(made: Callable[[int], bytes], size: int) -> bytes:
    parts, total = [], 0
    for at in count():
        part = made(at).replace(b"\n", b" ")
        total += len(part)
        if total > size:
            break
        parts.append(part)
    return b"".join(parts)


def places(line: bytes) -> list[int]:
    """Return where a word of the `line` begins or a text may, and its end."""
    behind = (at for match in _BETWEEN.finditer(line) for at in range(match.start(), match.end()))
    return sorted({0, len(line), *(at + 1 for at in behind)})


class Stopwatch:
    """Measures lines below the head of a format, and how slow the machine is just now."""

    # CPU of a line of 1 MB, and of a known loop on an idle machine of the bench.
    MOST_SECONDS = 0.05
    LOOP_SECONDS = 0.0032
    TRIES = 3

    def __init__(self, seeds: Seeds) -> None:
        """`seeds` say which settings read the lines."""
        self._seeds = seeds

    def check(self, line: bytes) -> None:
        """Raise AssertionError when `line` takes longer than its bytes may, in each of the tries.

        The head of its object is measured too; of a machine that is slower than usual, more is
        allowed.
        """
        content = self._seeds.head + line + b"\n"
        most = self.MOST_SECONDS * max(len(line) / (1 << 20), 0.1)
        seconds = self._seconds(content)
        if seconds > most:
            tries = (self._seconds(content) / self._slowness() for _ in range(self.TRIES))
            seconds = min(tries)
        middle = len(line) // 2
        assert seconds <= most, (seconds, line[:200], line[middle : middle + 60], line[-200:])

    def _seconds(self, content: bytes) -> float:
        started = time.process_time()
        for _ in parse_object(
            lambda first, last: content[first:last],
            len(content),
            name="a.log",
            identity=IDENTITY,
            settings=self._seeds.settings,
        ):
            pass
        return time.process_time() - started

    def _slowness(self) -> float:
        started = time.process_time()
        for _ in range(2):
            list(map(str, range(20_000)))
        return max(1.0, (time.process_time() - started) / self.LOOP_SECONDS)
