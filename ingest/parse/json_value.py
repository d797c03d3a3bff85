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
from ingest.parse.fields.possessive import P
from ingest.parse.fields.text import decode
from ingest.parse.place import placed

MAX_DEPTH = 100
_LEAST_INT, _LARGEST_INT = -(2**63), 2**64 - 1
_INT_DIGITS = 20
_NUL_ESCAPE = rb"\u0000"
_SPACES = " \t\r\n"
# Runs of escapes, so that a line of nothing else is a few matches: pairs of surrogates and all that
# need no repair, halves of a pair, NULs. A pattern that begins with a letter is found faster.
_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = r"u[dD][89a-fA-F][0-9a-fA-F]{2}"
_KEPT = rf"(?:{_PAIR}|(?!{_HALF}|u0000).)"
_ESCAPES = re.compile(
    rf"\\(?:{_KEPT}(?:\\{_KEPT})*{P}|({_HALF})(?:\\(?!{_PAIR}){_HALF})*{P}|(u0000)(?:\\u0000)*{P})",
    re.DOTALL,
)
_STRING = re.compile(rf'"[^"\\]*{P}(?:\\.[^"\\]*{P})*{P}(?:"|\\?\Z)', re.DOTALL)
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
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return read_exactly(raw, warnings)
    return value if _hides_nothing(raw, value) else read_exactly(raw, warnings)


def _hides_nothing(raw: bytes, value: Any) -> bool:
    """Return whether `value`, which orjson read from `raw`, is certainly what the line says.

    Written again it gives the same bytes, but for blanks: so no key and no digit was lost.
    """
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or (b"\\" in raw and _NUL_ESCAPE in raw):
        return False
    again = orjson.dumps(value)
    return again == raw or again.replace(b" ", b"") == raw.replace(b" ", b"")


def read_exactly(raw: bytes, warnings: set[str]) -> Any:
    """Return what `read_value` returns, at the speed of Python: its oracle."""
    text = decode(raw, warnings)
    if "\\" in text:
        text = _ESCAPES.sub(lambda match: _repaired(match, warnings), text)
    start = len(text) - len(text.lstrip(_SPACES))
    # Python's json would use one level of the C stack for each level of brackets.
    if _is_deep(text):
        raise BadValue("bad_json", f"nested deeper than {MAX_DEPTH} levels")

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


def _repaired(match: re.Match[str], warnings: set[str]) -> str:
    if match[1]:
        warnings.add("invalid_utf8")
    elif match[2]:
        warnings.add("nul_byte")
    else:
        return match[0]
    return r"\ufffd" * (len(match[0]) // len(r"\ufffd"))


def _is_deep(text: str) -> bool:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    outside = np.frombuffer(_STRING.sub("", text).encode(), dtype=np.uint8)
    return bool(_STEPS[outside].cumsum().max(initial=0) > MAX_DEPTH)


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
