"""The kernels of `alb`, `clb` and `s3`: sections 4.4, 4.5 and 4.9 of the format specification."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fixtures.cut_lines import lines_of
from fixtures.outcome import IDENTITY
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse.format import FEW_LINES
from ingest.parse.formats import elb, s3
from ingest.parse.kernels import spaced
from ingest.parse.kernels.columns import dictionary_column, null_column
from ingest.parse.kernels.declared import Field, Spaced, Value, Written
from ingest.parse.kernels.extra import MILLISECONDS, NUMBER, TEXT, TEXTS, Item, plan_of, write_extra
from ingest.parse.kernels.split import ESCAPED, PLAIN
from ingest.parse.model import Parsed
from ingest.parse.registry import lookup
from ingest.settings import ParseSettings

ALB = (
    "https", "2024-05-02T10:11:12.345678Z", "app/web/50dc6c495c0c9188", "203.0.113.9:33121",
    "10.0.2.14:8443", "0.002", "0.118", "0.001", "200", "201", "734", "15220",
    '"POST https://shop.example:443/cart.do?action=addtocart&itemId=EST-1&productId=FX-1'
    '&JSESSIONID=SD7&utm_source=mail HTTP/2.0"',
    '"Mozilla/5.0 (X11; \\"beta\\")"', "TLS_AES_128_GCM_SHA256", "TLSv1.3", "arn:aws:web/73e2",
    '"Root=1-68b6c1f0-0a1b"', '"www.shop.example"', '"arn:aws:acm:eu-west-1:1:certificate/7"',
    "12", "2024-05-02T10:11:12.224000Z", '"waf,forward"', '"-"', '"-"', '"10.0.2.14:8443"',
    '"201"', '"Acceptable"', '"SpaceInUri"', "TID_5f0b2c", '"shop.internal"', '"/v2/cart.do"',
    '"TransformSuccess"', "later", '"in time"',
)  # fmt: skip
CLB = (
    "2024-05-02T10:11:12.345678Z", "legacy", "203.0.113.9:33121", "10.0.2.14:80", "0.000073",
    "0.001048", "0.000057", "200", "200", "0", "29",
    '"GET http://old.example:80/list?p=2 HTTP/1.1"', '"curl/7.38.0"', "DHE-RSA-AES128-SHA",
    "TLSv1.2", "-", '"x y"',
)  # fmt: skip
S3 = (
    "79a59df9", "shop-media", "[02/May/2024:10:11:12 +0200]", "203.0.113.9",
    "arn:aws:iam::1:user/ann", "3E57427F3EXAMPLE", "REST.GET.OBJECT", "img/lens%2B1.jpg",
    '"GET /img/lens%2B1.jpg?itemId=EST-1&productId=FX-1 HTTP/1.1"', "206", "-", "2662", "3462992",
    "70", "10", '"https://Shop.example/list?action=remove"', '"Mozilla/5.0 (X11)"', "v3HL4",
    "s9lzHYrFp76ZVxRcpX9", "SigV4", "ECDHE-RSA-AES128-GCM-SHA256", "AuthHeader",
    "shop-media.s3.example", "TLSv1.2", "arn:aws:s3:accesspoint/web", "Yes", "eu-west-1", "new",
    "-",
)  # fmt: skip
LINES = {"alb": ALB, "clb": CLB, "s3": S3}
SHAPES = {"alb": elb.ALB, "clb": elb.CLB, "s3": s3.SHAPE}
KNOWN = {"alb": 33, "clb": 15, "s3": 27}
USUAL = {
    "alb": (20, 21, 25, 27, 29, 30, 33),
    "clb": (12, 15),
    "s3": (17, 18, 24, 25, 26, 27),
}


def line(name: str, **changes: str) -> bytes:
    """Return the usual line; `_3` changes its third field."""
    fields = list(LINES[name])
    for place, text in changes.items():
        fields[int(place[1:]) - 1] = text
    return " ".join(fields).encode()


def by_line(parsed: Parsed) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parsed.events.to_pylist()
    return sorted(rows, key=lambda row: row["source_line"])


def taken(name: str, raw: Sequence[bytes], **changes: Any) -> list[bool]:
    """Return which lines the kernels take, after checking that the reference parser agrees."""
    lines = lines_of([*raw, *[line(name)] * (FEW_LINES + 1)], offset=1000)
    fast, slow = (
        lookup(name).open(IDENTITY, ParseSettings(fast=is_fast, **changes)).parse(lines)
        for is_fast in (True, False)
    )
    assert by_line(fast) == by_line(slow)
    assert fast.line_counts == slow.line_counts
    assert (fast.counts, fast.skips) == (slow.counts, slow.skips)
    assert fast.rejects.equals(slow.rejects)
    numbers = set(fast.table["source_line"].to_pylist())
    return [index + 1 in numbers for index in range(len(raw))]


@pytest.mark.parametrize("name", LINES)
def test_usual_widths(name: str) -> None:
    """4.4, 4.5, 4.9, widths; surplus fields are kept."""
    counts = range(1, len(LINES[name]) + 1)
    expected = [count in USUAL[name] or count > KNOWN[name] for count in counts]
    raw = [" ".join(LINES[name][:count]).encode() for count in counts]
    assert taken(name, raw) == expected


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("alb", {"_1": "h2"}),
        ("alb", {"_2": "2024-05-02T10:11:12Z"}),
        ("alb", {"_2": "2024-02-29T23:59:59.5Z"}),
        ("alb", {"_2": "2030-01-01T00:00:00Z"}),
        ("alb", {"_2": "1994-12-31T23:59:59.999999Z"}),
        ("alb", {"_4": "[2001:DB8::7]:50001"}),
        ("alb", {"_4": "2001:db8::7:50001"}),
        ("alb", {"_4": "crawler.example:1"}),
        ("alb", {"_4": "-"}),
        ("alb", {"_5": "-", "_6": "-1", "_7": "-1", "_8": "-1", "_9": "502", "_10": "-"}),
        ("alb", {"_7": "99999.999999"}),
        ("alb", {"_7": "0"}),
        ("alb", {"_7": "12.040"}),
        ("alb", {"_9": "000", "_11": "-", "_12": "0"}),
        ("alb", {"_13": '"GET https://shop.example/ HTTP/1.1"', "_14": "-"}),
        ("alb", {"_13": '"GET /path?x=1 HTTP/1.1"', "_15": "-", "_16": "-", "_19": '"-"'}),
        ("alb", {"_13": '"GET https://[2001:db8::1]:8443/a#b HTTP/3"', "_19": '"-"'}),
        ("alb", {"_14": '"caf\u00e9"', "_17": "arn:\u00e9", "_18": "bare"}),
        ("alb", {"_19": "www.bare.example", "_21": "0", "_23": '"waf"'}),
        ("alb", {"_34": '"new"', "_35": "-"}),
        ("alb", {"_13": '"-"'}),
        ("alb", {"_13": "-"}),
        ("alb", {"_13": '""'}),
        ("alb", {"_13": '"- http://host:80- "'}),
        ("clb", {"_12": '"- - - "'}),
        ("clb", {"_12": '"- nonsense"'}),
        ("s3", {"_9": '"nonsense"'}),
        ("clb", {"_3": "[::ffff:192.0.2.1]:80"}),
        ("clb", {"_12": '"GET http://old.example/ HTTP/1.1"', "_14": "-", "_15": "-"}),
        ("s3", {"_1": "-", "_2": "-", "_4": "-", "_5": "-", "_6": "-", "_8": "-"}),
        ("s3", {"_4": "crawler.example"}),
        ("s3", {"_4": "2001:DB8::7"}),
        ("s3", {"_7": "REST.COPY.OBJECT_GET"}),
        ("s3", {"_7": "BATCH.DELETE.OBJECT", "_9": "-", "_16": "-", "_17": "-"}),
        ("s3", {"_7": "S3.EXPIRE.OBJECT", "_9": '"-"', "_10": "-", "_14": "-", "_15": "-"}),
        ("s3", {"_9": '""', "_16": '""', "_17": '""'}),
        ("s3", {"_10": "0", "_11": "NoSuchKey", "_12": "-", "_13": "-"}),
        ("s3", {"_14": "999999999999", "_16": '"relative?action=view"'}),
        ("s3", {"_17": '"caf\u00e9"', "_29": "7"}),
    ],
)
def test_usual_lines(name: str, changes: dict[str, str]) -> None:
    """4.4, 4.5, 4.9, mapping."""
    assert taken(name, [line(name, **changes)]) == [True]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("alb", {"_1": "udp"}),
        ("alb", {"_1": "-"}),
        ("alb", {"_2": "2024-05-02 10:11:12Z"}),
        ("alb", {"_2": "2024-05-02T10:11:12.3456789Z"}),
        ("alb", {"_2": "2024-05-02T10:11:12.Z"}),
        ("alb", {"_2": "2024-05-02T10:11:12+00:00"}),
        ("alb", {"_2": "2023-02-29T10:11:12Z"}),
        ("alb", {"_2": "2024-05-02T24:11:12Z"}),
        ("alb", {"_2": "2024-05-02T10:11:60Z"}),
        ("alb", {"_2": "2024-13-02T10:11:00Z"}),
        ("alb", {"_4": "203.0.113.9"}),
        ("alb", {"_4": "203.0.113.9:65536"}),
        ("alb", {"_4": "203.0.113.9:1:2"}),
        ("alb", {"_4": "-:80"}),
        ("alb", {"_4": ":80"}),
        ("alb", {"_4": "203.0.113.999:80"}),
        ("alb", {"_7": "0.0000001"}),
        ("alb", {"_7": "100000.5"}),
        ("alb", {"_7": "1."}),
        ("alb", {"_7": ".5"}),
        ("alb", {"_7": "-2"}),
        ("alb", {"_9": "600"}),
        ("alb", {"_10": "20"}),
        ("alb", {"_11": "9" * 19}),
        ("alb", {"_12": "x"}),
        ("alb", {"_13": '"GET \\"x\\" HTTP/1.1"'}),
        ("alb", {"_13": '"GET https://shop.example HTTP/1.1"'}),
        ("alb", {"_13": '"GET /a;jsessionid=7 HTTP/1.1"'}),
        ("alb", {"_13": '"GET verylongscheme123456://a/ HTTP/1.1"'}),
        ("alb", {"_13": "GET"}),
        ("alb", {"_14": '"half'}),
        ("alb", {"_14": '"a "b" c"'}),
        ("alb", {"_15": '""'}),
        ("alb", {"_15": "a:b"}),
        ("alb", {"_16": "tls"}),
        ("alb", {"_18": '"a\\"b"'}),
        ("alb", {"_19": '"a\\"b"'}),
        ("alb", {"_19": "a" * 256}),
        ("alb", {"_20": '"a\\\\b"'}),
        ("alb", {"_21": "-1"}),
        ("alb", {"_24": '"a\tb"'}),
        ("alb", {"_34": '"a\\"b"'}),
        ("alb", {"_34": 'a"b'}),
        ("alb", {"_34": " x"}),
        ("alb", {"_35": "x "}),
        ("alb", {"_35": "x" * 4000}),
        ("clb", {"_2": "192.0.2.1"}),
        ("clb", {"_12": '"-"'}),
        ("clb", {"_12": '""'}),
        ("clb", {"_12": '"nonsense \\x16"'}),
        ("s3", {"_1": "#owner"}),
        ("s3", {"_3": "[02/May/2024:10:11:12]"}),
        ("s3", {"_3": "-"}),
        ("s3", {"_4": "203.0.113.9,203.0.113.10"}),
        ("s3", {"_4": "203.0.113.9:80"}),
        ("s3", {"_5": "two words"}),
        ("s3", {"_5": "a" * 513}),
        ("s3", {"_6": "a" * 257}),
        ("s3", {"_7": "-"}),
        ("s3", {"_7": "REST.get"}),
        ("s3", {"_8": 'a"b'}),
        ("s3", {"_9": '"GET /a"b HTTP/1.1"'}),
        ("s3", {"_9": "nonsense"}),
        ("s3", {"_10": "-1"}),
        ("s3", {"_14": "1.5"}),
        ("s3", {"_14": "1000000000000"}),
        ("s3", {"_16": "bare"}),
        ("s3", {"_17": '"a\\b"'}),
        ("s3", {"_18": '"quoted"'}),
        ("s3", {"_18": ""}),
    ],
)
def test_unusual_lines_are_left_to_the_reference_parser(name: str, changes: dict[str, str]) -> None:
    assert taken(name, [line(name, **changes), line(name)]) == [False, True]


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({}, "target_duration_ms", 118.0),
        ({"_7": "0.001048"}, "target_duration_ms", 1.048),
        ({"_7": "0.00004"}, "target_duration_ms", 0.04),
        ({"_7": "0.000001"}, "target_duration_ms", 0.001),
        ({"_7": "0"}, "target_duration_ms", 0.0),
        ({"_21": "007"}, "matched_rule_priority", 7),
        ({}, "url_port", 443),
        ({}, "extra_fields", ["later", "in time"]),
        ({"_34": "-"}, "extra_fields", ["-", "in time"]),
    ],
)
def test_extra_of_alb(changes: dict[str, str], key: str, told: object) -> None:
    """4.4, mapping; numbers are numbers (2.2)."""
    lines = lines_of([line("alb", **changes)] * (FEW_LINES + 1))
    table = lookup("alb").open(IDENTITY, ParseSettings()).parse(lines).table
    (text,) = set(table["extra"].to_pylist())
    assert json.loads(text)[key] == told


@pytest.mark.parametrize(
    ("name", "first", "agent"), [("alb", "_3", "_14"), ("clb", "_2", "_13"), ("s3", "_1", "_17")]
)
def test_blanks_and_quotes_may_be_any_of_the_bytes_that_are_looked_at_together(
    name: str, first: str, agent: str
) -> None:
    shifts = [{first: "a" * size} for size in range(1, 66)]
    assert all(taken(name, [line(name, **shift) for shift in shifts]))
    assert not any(taken(name, [line(name, **shift, **{agent: '"a"b'}) for shift in shifts]))


def test_settings_are_heeded() -> None:
    """2.4 and 3.5."""
    raw = [line("s3", _3="[02/May/2024:10:11:12]"), line("s3")]
    assert taken("s3", raw, timezone="Europe/Berlin") == [False, True]
    assert taken("s3", raw, action_parameter="p" * 17) == [False, False]
    assert taken("alb", [line("alb")], max_line_bytes=200) == [False]
    assert taken("alb", [line("alb")], action_parameter="utm_source") == [True]


TEXTS_OF_FIELDS = (
    "-", '""', '"-"', "-1", "0", "1", "007", "1.5", "0.0000001", "12345.678901", "999999.5", "1.",
    '"a b"', '"a\\"b"', 'a"b', "a\\b", "#", "[::1]:80", "2001:db8::1:443", "203.0.113.9",
    "203.0.113.9:70000", "host:80", "203.0.113.9:00080", "-:80", ":80", "a:", "a,b", "tls", "http",
    "999", "000", "99", "9" * 18, "9" * 19, "9" * 25, '"GET / HTTP/1.1"', '"GET /"', '"-  "',
    '"GET https://A.example:99999/?action=view&itemId=1&productId=%C3%A9 HTTP/2"', '"GET a HTTP/1"',
    '"POST http://u@h.example:8080/x;jsessionid=1?JSESSIONID=a+b HTTP 1.0"', "S3.EXPIRE.OBJECT",
    '"https://a.example/?itemId=x&productId=y"', '"/r?action=Purchase"', "WEBSITE.HEAD.OBJECT",
    "[02/May/2024:10:11:12 +0200]", "[29/Feb/2023:10:11:12 +0000]", "[02/May/2024:10:11:12]",
    "2024-05-02T10:11:12Z", "2024-02-30T10:11:12.5Z", "2031-05-02T10:11:12.000001Z", '"\u00e9"',
    "1990-05-02T10:11:12.123Z", "TLSv1.2", "\u00e9", "a" * 300, "", " ", "\t", "\x7f",
)  # fmt: skip
SNIPS = (b'"', b"\\", b" ", b"-", b"[", b"]", b":", b"\xff", b"\0", b"\r", b'" "', b"#", b"0", b".")


@st.composite
def raw_lines(draw: st.DrawFn, name: str) -> bytes:
    """Lines that the kernels take, lines that they nearly take, and damaged ones."""
    fields = list(LINES[name])
    for _ in range(draw(st.integers(0, 3))):
        fields[draw(st.integers(0, len(fields) - 1))] = draw(st.sampled_from(TEXTS_OF_FIELDS))
    if draw(st.booleans()):
        fields = fields[: draw(st.integers(1, len(fields)))]
    raw = " ".join(fields).encode()
    if not draw(st.integers(0, 3)):
        at, removed = draw(st.integers(0, len(raw))), draw(st.integers(0, 3))
        raw = raw[:at] + draw(st.sampled_from(SNIPS)) + raw[at + removed :]
    return raw.replace(b"\n", b"")


@pytest.mark.parametrize("name", LINES)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_line_comes_out_as_from_the_reference_parser(name: str, data: st.DataObject) -> None:
    """3.3: kernels change the speed and nothing else."""
    raw = data.draw(st.lists(raw_lines(name) | st.binary(max_size=40), max_size=8))
    taken(name, [one.replace(b"\n", b"") for one in raw])


HOSTILE = ('"', "\\", '\\"', " ", '" ', ' "', "&", "%", "/", "[", "] [", ":", "0", "1.", "\u00e9")


@pytest.mark.parametrize("name", LINES)
def test_blocks_join_without_a_seam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaced, "_BLOCK_BYTES", 900)  # a line or two, so the last one is shorter
    raw = [line(name).replace(b"10:11:12", b"10:11:%d" % second) for second in (13, 24, 99, 35)]
    assert len(set(raw)) == 4
    assert taken(name, raw) == [True, True, False, True]


@pytest.mark.parametrize("name", LINES)
def test_hostile_lines_take_linear_time(name: str) -> None:
    """3.3."""
    raw = []
    for text in HOSTILE:
        body = text * (3000 // len(text.encode()))
        raw += [line(name, **{f"_{place}": body}) for place in (1, 4, 7, 13, 14, len(LINES[name]))]
    lines = lines_of(raw)
    started = time.process_time()
    SHAPES[name].parse(lines, IDENTITY, ParseSettings(format=name))
    # 0.3 MB: some milliseconds; anything quadratic takes seconds.
    assert time.process_time() - started < 0.25


TOY = Spaced(
    fields=(
        Field(Value.ISO_TIME),
        Field(Value.CLIENT),
        Field(Value.REQUEST, written=Written.QUOTED),
        Field(Value.SECONDS, "taken_ms"),
        Field(target="mood", check={"glad", "sad"}.__contains__),
    ),
    widths=frozenset((4, 5)),
    bytes_scope="body",
)


def test_another_format_only_declares_its_fields() -> None:
    raw = [
        b'2024-05-02T10:11:12Z 192.0.2.1 "GET /a?action=view HTTP/1.1" 0.25 glad "and more"',
        b'2024-05-02T10:11:12Z 192.0.2.1 "GET / HTTP/1.1" 0.25',
        b'2024-05-02T10:11:12Z 192.0.2.1 "GET / HTTP/1.1" 0.25 bored',
        b'2024-05-02T10:11:12Z 192.0.2.1 "GET / HTTP/1.1"',
    ]
    table, handled = TOY.parse(lines_of(raw), IDENTITY, ParseSettings(format="toy"))
    assert handled.tolist() == [True, True, False, False]
    row, _ = table.to_pylist()
    assert row["extra"] == '{"extra_fields":["and more"],"mood":"glad","taken_ms":250.0}'
    told = (row["source_format"], row["client_ip"], row["event_type"], row["duration_ms"])
    assert told == ("toy", "192.0.2.1", "view", 250.0)
    assert (row["server_name"], row["referrer"], row["user_agent"]) == (None, None, None)


def test_extra_has_sorted_keys_and_no_nulls() -> None:
    """2.2."""
    buffer = np.frombuffer(b'ab "c d" e\\' + bytes(100), dtype=np.uint8)
    places = np.array([[[0, 0], [3, 3]], [[2, 0], [10, 11]]], dtype=np.uint32)
    numbers = np.array([[1234567, -1], [10, -1]])
    items = (
        Item("z", TEXT, 0), Item("b", TEXTS, 1), Item("c", MILLISECONDS, 0), Item("a", NUMBER, 1)
    )  # fmt: skip
    rows = np.array([0, 1], dtype=np.uint32)
    plain = np.array([PLAIN, PLAIN | ESCAPED], dtype=np.uint8)
    written, sure = write_extra(buffer, places, numbers, rows, plain, plan_of(items))
    assert written[0].as_py() == '{"a":10,"b":["c d","e"],"c":1234.567,"z":"ab"}'
    assert sure.tolist() == [True, False]
    without, _ = write_extra(buffer, places, numbers, rows[1:], plain, plan_of(items[2:]))
    assert without.to_pylist() == [None]


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 65])
def test_extra_has_whole_texts_and_keys(size: int) -> None:
    """Steps of 32 bytes copy them; a number has as many digits as it needs."""
    buffer = np.frombuffer(b"a" * size + b"x" * 100, dtype=np.uint8)
    places = np.array([[[0]], [[size]]], dtype=np.uint32)
    numbers = np.array([[0], [9], [10], [10**18 - 1], [10**18], [2**63 - 1]])
    items = [Item("k" * size, TEXT, 0), *(Item(f"n{row}", NUMBER, row) for row in range(6))]
    one, plain = np.zeros(1, dtype=np.uint32), np.full(1, PLAIN, dtype=np.uint8)
    written, _ = write_extra(buffer, places, numbers, one, plain, plan_of(items))
    expected = {"k" * size: "a" * size, **{f"n{row}": int(n[0]) for row, n in enumerate(numbers)}}
    assert written[0].as_py() == json.dumps(expected, separators=(",", ":"))


def test_null_texts_are_those_of_another_column() -> None:
    one, other = (dictionary_column(pa.array(t)) for t in (["a", None, None], ["b", "a", None]))
    both = one.or_else(other)
    assert both.texts().to_pylist() == ["a", "a", None]
    assert len(both.values) == 2
    assert one.or_else(null_column(3)) is one
