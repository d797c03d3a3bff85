"""The values of a column as JSON, one expression for all rows of a chunk."""

from __future__ import annotations

import json
from collections.abc import Collection

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import Column, Type
from ingest.errors import BooksError
from ingest.search.private import LONGEST_BYTES, clean, odd_pattern

_NS_IN_MS = 1_000_000
_MOST_NS = 2**63 - 1024  # the largest double that a long holds
# The same escapes as Python's json, so that both give the same bytes.
_ESCAPED = {char: json.dumps(char)[1:-1] for char in ['"', "\\", *map(chr, range(32))]}
_TIME_FORMAT = '"%Y-%m-%dT%H:%M:%S%.6fZ"'
# The server reads years of four digits only.
_FIRST_US = -62_135_596_800_000_000
_LAST_US = 253_402_300_799_999_999


def json_value(column: Column, values: pa.Array) -> tuple[str, pl.Expr, str]:
    """Return the JSON values of a column, null where it is null, and the texts around each."""
    if column.name == "parse_warnings":
        return '["', _escaped(values).str.replace_all(",", '","', literal=True), '"]'
    if column.name == "duration_ms":
        return "", pl.lit(_nanoseconds(values)), ""
    if column.type is Type.TIMESTAMP:
        return "", pl.lit(_times(values)), ""
    if column.type is Type.STRING:
        return '"', _escaped(values), '"'
    return "", pl.lit(pl.Series(values)).cast(pl.String), ""


def _escaped(values: pa.Array) -> pl.Expr:
    text = pl.lit(pl.Series(values))
    if not _needs_escape(values):
        return text
    return text.str.replace_many(list(_ESCAPED), list(_ESCAPED.values()))


def _needs_escape(values: pa.Array) -> bool:
    """Return whether any value contains a quote, a backslash or a control character."""
    values = values.cast(pa.large_string())
    offsets = np.frombuffer(values.buffers()[1], np.int64)
    start, end = offsets[values.offset], offsets[values.offset + len(values)]
    raw = np.frombuffer(values.buffers()[2] or b"", np.uint8)[start:end]
    return bool(((raw < 0x20) | (raw == ord('"')) | (raw == ord("\\"))).any())


def _times(values: pa.Array) -> pl.Series:
    times = values.cast(pa.timestamp("us"))
    ends = pc.min_max(times.cast(pa.int64())).as_py()
    if ends["min"] < _FIRST_US or ends["max"] > _LAST_US:
        raise BooksError("a time is outside the years 1 to 9999")
    return pl.Series(times).dt.to_string(_TIME_FORMAT)


def _nanoseconds(values: pa.Array) -> pl.Series:
    exact = np.rint(values.to_numpy(zero_copy_only=False) * _NS_IN_MS)
    null = values.is_null().to_numpy(zero_copy_only=False)
    if not np.all(null | (np.isfinite(exact) & (exact >= 0))):
        raise BooksError("a duration is negative or not a number")
    fits = null | (exact <= _MOST_NS)
    digits = pl.Series(np.where(null | ~fits, 0, exact).astype(np.int64)).cast(pl.String)
    if not fits.all():
        # More than 292 years: the server refuses it, and the event becomes a dead letter.
        huge = [None if ok else str(int(value)) for ok, value in zip(fits, exact, strict=True)]
        digits = pl.Series(huge, dtype=pl.String).fill_null(digits)
    return digits.set(pl.Series(null), None)


def json_extra(values: pa.Array, private_keys: Collection[str]) -> pl.Series:
    """Return the objects of `extra` without `private_keys` and what is never exported.

    Null where that leaves nothing.
    """
    text = pl.Series(values)
    plain = (
        text.str.starts_with("{")
        & text.str.ends_with("}")
        & text.str.len_bytes().is_between(len('{"":0}'), LONGEST_BYTES)
        & ~text.str.contains(odd_pattern(private_keys))
    )
    if plain.all():  # nulls are passed over
        return text
    odd = (~plain).fill_null(False)
    cleaned = [
        clean(value, private_keys) if hit else value for value, hit in zip(text, odd, strict=True)
    ]
    return pl.Series(cleaned, dtype=pl.String)
