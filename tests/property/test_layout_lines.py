"""Lines of own layouts: every byte string gets a verdict, in time linear in its length (3.3)."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from fixtures.outcome import read
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.edited_lines import edited_lines

from ingest.errors import SettingsError
from ingest.parse.layout.compiled import compile_layout
from ingest.settings import ParseSettings

MEGABYTE = 1_000_000
LAYOUTS = {
    '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D': (
        b'192.0.2.1 - ann [03/Mar/2024:07:08:09 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "-" "agent" 15'
    ),
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    "[$name] $upstream_addr $upstream_response_time $http_x_forwarded_for - $req_id": (
        b'192.0.2.1 - ann [03/Mar/2024:07:08:09 +0000] "GET /a HTTP/1.1" 200 5 [web] 10.0.0.1:80, '
        b"10.0.0.2:80 0.1, 0.2 192.0.2.7, 192.0.2.8 - ab12"
    ),
    '%a "%m %U%q %H" %{%F %T}t.%{msec_frac}t|%>s|%{Cookie}i': (
        b'192.0.2.1 "GET /a?b HTTP/2.0" 2024-03-03 07:08:09.250|200|a=b; c=d'
    ),
}
SNIPS = (b'"', b"\\", b" ", b"-", b"[", b"]", b", ", b" : ", b"|", b"\xff", b"\0", b"\x1b[0m")
UNITS = (
    *(bytes([code]) for code in b' "\\-[]:,|.0a%/?#\t\xff'),
    b", ",
    b" : ",
    b"- ",
    b" [",
    b'" ',
)


def of(string: str) -> ParseSettings:
    return ParseSettings(log_format=string, max_line_bytes=2 * MEGABYTE)


@settings(deadline=None, max_examples=120)
@given(edited_lines(LAYOUTS, SNIPS))
def test_every_line_gets_a_verdict(case: tuple[str, bytes]) -> None:
    string, line = case
    line = line.replace(b"\n", b" ")
    # Else an object with NULs in a short line could be UTF-16.
    outcome = read(b"x" * 4096 + b"\n" + line + b"\n", settings=of(string))
    # A line of NULs only is a hole, and no line.
    assert outcome.verdict.lines_read == 1 + bool(line.strip(b"\0") or b"\0" not in line)
    assert line != LAYOUTS[string] or outcome.lines["reject"] == 1


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            ["%h", "%t", "%r", "%{%F}t", "%{sec}t", "%U", "%q", '"', "[", "]", " ", "\\", "$a", "$",
             "{", "}", "%", "$is_args", "$args", "|"]
        ),
        max_size=9,
    ).map("".join) | st.text(max_size=12),
    st.binary(max_size=40),
)  # fmt: skip
@example("%h ", b"")
def test_any_string_compiles_or_is_a_settings_error(string: str, line: bytes) -> None:
    with suppress(SettingsError):
        compile_layout(string)
        read(b"x\n" + line.replace(b"\n", b" ") + b"\n", settings=of(string))


@pytest.mark.parametrize("string", LAYOUTS)
def test_long_lines_take_linear_time(string: str) -> None:
    line = LAYOUTS[string]
    for unit in UNITS:
        for place in (b"", b"ann", b"GET ", b"0.1", b"[web]"):
            long = line.replace(place, place + unit * (MEGABYTE // 4 // len(unit)), 1)
            before = time.process_time()
            assert read(b"x\n" + long, settings=of(string)).verdict.lines_read == 2
            assert time.process_time() - before < 0.5, (unit, place)
