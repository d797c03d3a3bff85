"""One line of JSON to a value: sections 1.2, 1.3 and 4.3 of the format specification."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.parse.fields.extra import Number, encode_extra
from ingest.parse.json_value import MAX_DEPTH, BadValue, read_exactly, read_value

LINE = (
    b'{"time":"2024-05-06T07:08:09Z","ip":"192.0.2.1","n":17,"ms":0.25,"big":1e300,"null":null,'
    b'"list":[{"name":"a","value":"say \\"b\\":"},{"name":"c: d","value":[]}],"caf\xc3\xa9":true}'
)


def value(raw: bytes) -> Any:
    return outcome(raw)[0]


def outcome(raw: bytes) -> tuple[Any, set[str]]:
    """Return the value and the warnings of `raw`; both readers must agree on them."""
    found = []
    for read in (read_value, read_exactly):
        codes: set[str] = set()
        try:
            found.append((read(raw, codes), codes))
        except BadValue as error:
            found.append((error.reason, set()))
    assert repr(found[0]) == repr(found[1])
    return found[0]


def test_a_line_is_its_value() -> None:
    """RFC 8259; the expected value comes from Python's json."""
    assert outcome(LINE) == (json.loads(LINE), set())
    spaced = json.dumps(json.loads(LINE)).encode()
    assert outcome(b" \t" + spaced + b" \t") == (json.loads(LINE), set())


@pytest.mark.parametrize(
    ("raw", "expected", "code"),
    [
        (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}, "duplicate_key"),
        (b'{"a":{"b":1,"b" :2}}', {"a": {"b": 2}}, "duplicate_key"),
        (b'[{"b":1,"b":2}, 3]', [{"b": 2}, 3], "duplicate_key"),
        (rb'{"a":"\"x\":","a":"\":"}', {"a": '":'}, "duplicate_key"),
        (rb'{"a":1,"\u0061":2}', {"a": 2}, "duplicate_key"),
        (rb'{"a":"x\ud800y"}', {"a": "x\ufffdy"}, "invalid_utf8"),
        (rb'{"a":"\udc00\ud83d"}', {"a": "\ufffd\ufffd"}, "invalid_utf8"),
        (b'{"a":"\xff"}', {"a": "\ufffd"}, "invalid_utf8"),
        (rb'{"a":"\u0000"}', {"a": "\ufffd"}, "nul_byte"),
        (b'{"a":"\0"}', {"a": "\ufffd"}, "nul_byte"),
    ],
)
def test_what_is_replaced_warns(raw: bytes, expected: Any, code: str) -> None:
    """1.2: duplicate_key at any depth, the last value wins; invalid_utf8; nul_byte."""
    assert outcome(raw) == (expected, {code})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (rb'{"a":"\ud83d\ude00\\ud800\\u0000\/"}', {"a": "😀\\ud800\\u0000/"}),
        (b'{"a":"\x7f"}', {"a": "\x7f"}),
        (b'{"a":18446744073709551615}', {"a": 18446744073709551615}),
        (b'{"a":-9223372036854775808}', {"a": -9223372036854775808}),
        (b'{"a":123456789012345678901}', {"a": Number("123456789012345678901")}),
        (b'{"a":-9223372036854775809}', {"a": Number("-9223372036854775809")}),
        (b'{"a":1e400}', {"a": "1e400"}),
        (b'{"a":-1e400}', {"a": "-1e400"}),
        (b'{"a":' + b"9" * 400 + b"}", {"a": "9" * 400}),
        (b'{"a":0.1,"b":1E2,"c":-0}', {"a": 0.1, "b": 100.0, "c": 0}),
        (b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100)),
        (b'["' + b"[{" * 100 + b'"]', ["[{" * 100]),
        (rb'["\"' + b"[" * 101 + b'"]', ['"' + "[" * 101]),
    ],
)
def test_what_is_kept(raw: bytes, expected: Any) -> None:
    """4.3: numbers are exact, pairs of surrogates are characters, and 100 levels may be nested."""
    assert outcome(raw) == (expected, set())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a":1', "bad_json"),
        (b'{"a":"b', "bad_json"),
        (b'{"a":NaN}', "bad_json"),
        (b'{"a":-Infinity}', "bad_json"),
        (b'{"a":"\x01"}', "bad_json"),
        (b'{"a":"\t"}', "bad_json"),
        (b"{'a':1}", "bad_json"),
        (b'{"a":1,}', "bad_json"),
        (b'{"a":01}', "bad_json"),
        (rb'{"a":"\x41"}', "bad_json"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b"\0{}", "bad_json"),
        (b"nonsense", "bad_json"),
        (b"[" * 101 + b"]" * 101, "bad_json"),
        (b'{"a":' * 100_000, "bad_json"),
        (b'{"a":1}{"b":2}', "trailing_data"),
        (b'{"a":1} // note', "trailing_data"),
        (b'{"a":1}\r', "trailing_data"),
        (b"1 2", "trailing_data"),
    ],
)
def test_other_text_is_refused(raw: bytes, reason: str) -> None:
    """1.3: RFC 8259 without extensions, at most 100 levels, and nothing behind the value."""
    assert value(raw) == reason
    assert MAX_DEPTH == 100


def test_a_long_integer_is_written_as_it_was_sent() -> None:
    """2.2: JSON sources keep their own types."""
    found = value(b'{"b":{"n":123456789012345678901},"a":-1.5}')
    assert encode_extra(found, set()) == '{"a":-1.5,"b":{"n":123456789012345678901}}'


PIECES = [
    b'"a":',
    b'"a" :',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b'"',
    b"\\",
    b'\\"',
    b"\\u0000",
    b"\\ud800",
]
PIECES += [b"1e400", b"18446744073709551616", b"-0", b"NaN", b"\xff", b"\0", b"\r", b" ", b"9" * 30]
KEYS = st.text("ab: {é", max_size=2)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,", "\t:")])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Return JSON, in half of the cases with a piece of JSON put anywhere."""
    raw = json.dumps(
        draw(VALUES), separators=draw(SEPARATORS), ensure_ascii=draw(st.booleans())
    ).encode(errors="replace")
    at = draw(st.integers(0, len(raw)))
    return raw[:at] + draw(st.sampled_from([b"", *PIECES])) + raw[at:]


@hypothesis_settings(deadline=None, max_examples=200)
@given(st.one_of(lines(), st.lists(st.sampled_from(PIECES)).map(b"".join), st.binary()))
@example(rb'{"a":1,"a" :2,"\":":3}')
def test_the_fast_reader_is_the_exact_one(raw: bytes) -> None:
    outcome(raw)


@pytest.mark.parametrize("piece", PIECES)
def test_long_lines(piece: bytes) -> None:
    """3.3: a quadratic reader would take minutes."""
    many = piece * ((1 << 18) // len(piece))
    started = time.process_time()
    for raw in (many, b'{"a":"' + many, b'{"a":"' + many + b'"}', b'{"a":' + many + b"}"):
        outcome(raw)
    assert time.process_time() - started < 1


ESCAPES = [r"\ud83d", r"\ude00", r"\u0000", r"\\", r"\"", r"\u00e9", "u0000", "ud83d", "x"]


@given(st.lists(st.sampled_from(ESCAPES)))
@example([r"\ud83d", r"\ud83d", r"\ude00", r"\ude00"])
def test_any_row_of_escapes(escapes: list[str]) -> None:
    """1.2: of surrogates only pairs are characters; what Python's json makes of them is known."""
    raw = f'["{"".join(escapes)}"]'
    (sent,) = json.loads(raw)
    expected = ["\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in sent]
    assert outcome(raw.encode())[0] == ["".join(expected)]


@pytest.mark.parametrize(
    "raw",
    [
        b"[]" * 101 + b'"' + b'\\"' * (1 << 18) + b"\\",
        b'["' + b'\\"' * (1 << 18),
        b'["' + b"\\ud800" * (1 << 16) + b'"]',
        b'["a",' + b"][" * (1 << 18),
    ],
    ids=["open string after brackets", "escapes", "halves of pairs", "brackets"],
)
def test_long_lines_take_milliseconds(raw: bytes) -> None:
    """3.3: the first took hours when each escaped quote was tried as the start of a string."""
    started = time.process_time()
    value(raw)
    assert time.process_time() - started < 0.5
