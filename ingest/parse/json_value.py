"""One line of JSON to Python values: sections 1.2, 1.3 and 4.3 of the format specification.

orjson reads three to five times as fast as Python's json, but does not tell what it passes over: a
repeated key, an integer of more than 64 bits, a NUL, deep nesting. Where that may be, and where it
refuses, `read_exactly` reads the line.
"""

from __future__ import annotations

import json
import re
from math import inf, isinf
from typing import Any, NoReturn

import numpy as np
import orjson

from ingest.parse.fields.extra import Number
from ingest.parse.fields.text import decode
from ingest.parse.place import placed

MAX_DEPTH = 100
# Values of a line, and how many more for each object of an array line: Python takes two
# microseconds for a value.
MOST_VALUES, MOST_OF_ELEMENT = 10_000, 100
_LEAST_INT, _LARGEST_INT = -(2**63), 2**64 - 1
_INT_DIGITS = 20
_NUL_ESCAPE = rb"\u0000"
_SPACES = " \t\r\n"
_BEGIN = r"\\u[dD]"
_FIRST, _SECOND = "[89abAB][0-9a-fA-F]{2}", "[c-fC-F][0-9a-fA-F]{2}"
# The first of a pair of surrogates without the second, or the reverse.
_HALF = re.compile(
    rf"{_BEGIN}(?:{_FIRST}(?!{_BEGIN}{_SECOND})|(?<!{_BEGIN}{_FIRST}{_BEGIN}){_SECOND})"
)
_REPLACED = r"\ufffd"
# Stands for an escaped backslash: a text that `decode` returned has no NUL.
_BACKSLASH = "\0"
_STEPS = np.zeros(256, dtype=np.int64)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1


class BadValue(ValueError):
    """The line is not one JSON value. `reason` is from section 1.3, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        """Both are what `Reject` takes."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def read_value(raw: bytes, warnings: set[str]) -> Any:
    """Return the JSON value of a line; what had to be replaced is added to `warnings`.

    Numbers are int, float, or `Number`; one that no double can hold is a text. Raises BadValue.
    """
    _refuse_excess(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _read(raw, warnings)
    return value if _hides_nothing(raw, value) else _read(raw, warnings)


def _hides_nothing(raw: bytes, value: Any) -> bool:
    """Return whether `value`, which orjson read from `raw`, is certainly what the line says.

    Written again it gives the same bytes, but for blanks: so no key and no digit was lost.
    """
    if b"\\" in raw and _NUL_ESCAPE in raw:
        return False
    again = orjson.dumps(value)
    return again == raw or again.replace(b" ", b"") == raw.replace(b" ", b"")


def read_exactly(raw: bytes, warnings: set[str]) -> Any:
    """Return what `read_value` returns, at the speed of Python: its oracle."""
    _refuse_excess(raw)
    return _read(raw, warnings)


def _read(raw: bytes, warnings: set[str]) -> Any:
    text = decode(raw, warnings)
    if "\\" in text:
        text = _repaired(text, warnings)
    start = len(text) - len(text.lstrip(_SPACES))

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            warnings.add("duplicate_key")
        return found

    decoder = json.JSONDecoder(
        object_pairs_hook=members,
        parse_int=_whole,
        parse_float=_decimal,
        parse_constant=_refuse_constant,
    )
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        problem = error.msg.lower().removesuffix(" at")
        raise BadValue("bad_json", placed(problem, error.pos)) from error
    if text[end:].strip(" \t"):
        raise BadValue("trailing_data", placed("text after the value", end))
    return value


def _repaired(text: str, warnings: set[str]) -> str:
    """Return `text` with another character for escapes of NUL, and of halves of a pair."""
    escapes = text.replace("\\\\", _BACKSLASH)
    if _NUL_ESCAPE.decode() in escapes:
        warnings.add("nul_byte")
        escapes = escapes.replace(_NUL_ESCAPE.decode(), _REPLACED)
    escapes, halves = _HALF.subn(rf"\{_REPLACED}", escapes)
    if halves:
        warnings.add("invalid_utf8")
    return escapes.replace(_BACKSLASH, "\\\\")


def _refuse_excess(raw: bytes) -> None:
    """Raise BadValue when the line has more levels or values than are read.

    Python's json would use one level of the C stack for each level of brackets.
    """
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH and raw.count(b",") < MOST_VALUES:
        return
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    sent = np.frombuffer(unescaped, dtype=np.uint8)
    outside = sent[np.cumsum(sent == ord('"'), dtype=np.uint32) & 1 == 0]
    depth = _STEPS[outside].cumsum()
    if depth.max(initial=0) > MAX_DEPTH:
        raise BadValue("bad_json", f"nested deeper than {MAX_DEPTH} levels")
    is_array = raw.lstrip().startswith(b"[")
    elements = np.count_nonzero((outside == ord("{")) & (depth == 2)) if is_array else 0
    if np.count_nonzero(outside == ord(",")) >= MOST_VALUES + MOST_OF_ELEMENT * elements:
        raise BadValue("bad_json", f"more than {MOST_VALUES:,} values")


def _whole(text: str) -> int | Number | str:
    if len(text) <= _INT_DIGITS + 1:
        number = int(text)
        if _LEAST_INT <= number <= _LARGEST_INT:
            return number
    return text if isinf(float(text)) else Number(text)


def _decimal(text: str) -> float | str:
    number = float(text)
    return number if -inf < number < inf else text


def _refuse_constant(name: str) -> NoReturn:
    raise BadValue("bad_json", f"{name} is not a JSON number")
