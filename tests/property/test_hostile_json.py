"""Whatever the bytes of a line of JSON: a verdict, balanced books, work that grows with its length.

Sections 1 and 3.3 of the format specification.
"""

from __future__ import annotations

import json
import time

import pytest
from fixtures.outcome import read
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.settings import ParseSettings

MAPPED = ParseSettings(
    format="json_mapping",
    mapping=(
        ("client_ip", "context.ip"), ("event_time", "ts"), ("extra.all", "context"),
        ("http_method", "m"), ("status_code", "status"), ("url", "items.0.a"),
    ),
)  # fmt: skip
SETTINGS = [ParseSettings(format=name) for name in ("jsonl", "docker_json", "waf")] + [MAPPED]
LINES = [
    '{"ts":"2024-05-06T07:08:09Z","ip":"192.0.2.1","request":"GET /a?b=1 HTTP/1.1","status":200,'
    '"bytes":5,"request_time":0.25,"upstream_status":"200, 404","host":"a:1","args":"b"}',
    '{"timestamp":1,"webaclId":"a","action":"BLOCK","httpRequest":{"clientIp":"192.0.2.1","uri":"/",'
    '"headers":[{"name":"Host","value":"h"},{"name":"Cookie","value":["x"]}]}}',
    '{"type":"track","userId":7,"event":"Product Viewed","timestamp":1714979289,'
    '"context":{"ip":"192.0.2.1","page":{"url":"https://a/?b"}},"properties":{"products":[{"sku":1}]}}',
    '{"event_timestamp":"1","event_name":"purchase","user_pseudo_id":"8.9","event_params":'
    '[{"key":"ga_session_id","value":{"int_value":"1"}}],"items":[{"item_id":"P9"}]}',
    '{"requestId":"a","httpMethod":"GET","path":"/","requestTimeEpoch":1,"ip":"-","status":"x"}',
    '{"ts":1.5,"request":{"method":"GET","uri":"/","remote_ip":"192.0.2.1","remote_port":"1",'
    '"headers":{"Cookie":["a"]}},"status":0,"duration":1e-7}',
    '{"StartUTC":"2024-05-06T07:08:09Z","ClientHost":"a","ClientPort":"9","RequestMethod":"GET",'
    '"RequestPath":"/","DownstreamStatus":0,"Duration":1,"request_X-A":"b","origin_Cookie":"c"}',
]
DOCKER = [
    json.dumps({"log": f"{line}\n", "stream": "stdout", "time": "t"}, separators=(",", ":"))
    for line in LINES
]
JUNK = [
    "null", "true", "-1", "1e400", "0.1", "[]", "{}", '""', '"-"', "99999999999999999999999",
    '"a,b"', r'"\ud800"', r'"\u0000"', '"9' + "9" * 400 + '"', '{"a":[{"b":null}]}',
    '"2024-02-31T00:00:00Z"',
    '"\x7f"', '"HTTP/1.1"', '"::1"', "1e-320",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a line of which values were replaced, or bytes were."""
    line = draw(st.sampled_from(LINES + DOCKER))
    for _ in range(draw(st.integers(0, 3))):
        colons = [at for at, char in enumerate(line) if char in ":["]
        at = draw(st.sampled_from(colons or [0])) + 1
        rest = line[at:]
        ends = [end for end, char in enumerate(rest) if char in ",]}"]
        end = draw(st.sampled_from(ends or [0]))
        line = line[:at] + draw(st.sampled_from(JUNK)) + rest[end:]
    raw = line.encode()
    at = draw(st.integers(0, len(raw)))
    return raw[:at] + draw(st.one_of(st.just(b""), st.binary(max_size=2))) + raw[at:]


@hypothesis_settings(deadline=None, max_examples=150)
@given(st.lists(mutated(), min_size=1, max_size=4), st.sampled_from(SETTINGS))
def test_each_line_gets_a_verdict(lines: list[bytes], settings: ParseSettings) -> None:
    read(b"\n" + b"\n".join(lines), settings=settings)


PIECES = [
    '"',
    "\\\\",
    "\\u0000",
    "\\ud800",
    "[",
    "{",
    ",",
    ".",
    ":",
    " ",
    "-",
    "9",
    "%41",
    "a=&",
    "@",
]
PIECES += ["1.2.3.4,", " : ", "é", "/", "?", "HTTP/1.1 ", "\\n"]
NAMES = ["ts", "ip", "request", "status", "bytes", "request_time", "upstream_response_time", "host"]
NAMES += ["referer", "http_cookie", "uri", "other", "protocol"]


@pytest.mark.parametrize("piece", PIECES)
def test_long_values(piece: str) -> None:
    """A line of 1 MB takes well below a second."""
    record = {"ts": "5", "ip": "192.0.2.1", "request": "GET / HTTP/1.1"}
    size = (1 << 18) // len(piece)
    lines = [
        json.dumps({**record, name: "@@"}).replace("@@", piece * size).encode() for name in NAMES
    ]
    started = time.process_time()
    read(b"\n".join(lines), settings=SETTINGS[0])
    assert time.process_time() - started < len(NAMES) / 4


@pytest.mark.parametrize(
    "element", ["0", "[]", '{"key":"source","value":{}}', '{"key":"page_location"}', '"a":1', "{}"]
)
def test_many_elements(element: str) -> None:
    many = ",".join([element] * ((1 << 19) // len(element)))
    params = f'{{"event_timestamp":1,"event_name":"a","event_params":[{many}],"x":{{{many}}}}}'
    started = time.process_time()
    for line in (params, params.replace(f',"x":{{{many}}}', ""), f"[{many}]", f"{{{many}}}"):
        read(line.encode(), settings=SETTINGS[0])
    assert time.process_time() - started < 3
