"""Rows of events become the bytes of bulk requests: one expression per column, no Python per row.

Each member of a document is a text column of `"name":value` fragments, null where the member is
left out; objects and documents are concatenations of them. A document contains no null, no empty
object and no line break.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS, Column, Type
from ingest.errors import BooksError
from ingest.pseudonyms import Pseudonyms, read_mark
from ingest.search.body import Body
from ingest.search.clients import CLIENT, without_clients
from ingest.search.months import MONTH_OF, month_names
from ingest.search.private import LONGEST_BYTES, clean, odd_pattern
from ingest.search.template import Marks

MOST_DOCUMENTS = 10_000
COLUMNS = tuple(column for column in EVENTS.columns if column.search is not None)
_NAMES = tuple(column.name for column in COLUMNS)
_ID_LENGTH = 32
_NS_IN_MS = 1_000_000
_MOST_NS = 2**63 - 1024  # the largest double that a long holds
# The same escapes as Python's json, so that both give the same bytes.
_ESCAPED = {char: json.dumps(char)[1:-1] for char in ['"', "\\", *map(chr, range(32))]}
_TIME_FORMAT = '"%Y-%m-%dT%H:%M:%S%.6fZ"'
# The server reads years of four digits only.
_FIRST_US = -62_135_596_800_000_000
_LAST_US = 253_402_300_799_999_999


# A level of the document: name -> the column that is the value, or the level below.
_Level = dict[str, "Column | _Level"]


def _tree() -> _Level:
    root: _Level = {}
    for column in COLUMNS:
        if column.search is None or column.search.field == "_id":
            continue
        *path, leaf = column.search.field.split(".")
        level = root
        for name in path:
            inner = level.setdefault(name, {})
            if isinstance(inner, Column):
                raise TypeError(f"field {name} of {column.name} is a value and an object")
            level = inner
        level[leaf] = column
    return root


_TREE = _tree()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How the events of a lake become the documents of an index.

    `monthly` is the alias of monthly indices, None where the request names the index; `pseudonyms`
    are shown in place of addresses, None to show these; `exclude` are columns that are left out,
    `private_keys` keys of `extra`.
    """

    monthly: str | None = None
    pseudonyms: Pseudonyms | None = None
    exclude: Collection[str] = ()
    private_keys: Collection[str] = ()

    def columns(self, present: Collection[str]) -> list[str]:
        """Return which of the columns that are `present` must be read."""
        wanted = {*_NAMES}.difference(self.exclude).union(self.needed)
        if self.monthly is not None:
            wanted.add(MONTH_OF)
        return [name for name in present if name in wanted]

    @property
    def needed(self) -> Collection[str]:
        """The columns that must be known to hide what they show, excluded or not."""
        return () if self.pseudonyms is None else CLIENT

    def hide(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return `rows` of events under the names that are shown."""
        return rows if self.pseudonyms is None else without_clients(rows, self.pseudonyms)


def rendering(marks: Marks, environ: Mapping[str, str], *, monthly: str | None = None) -> Rendering:
    """Return how documents are made that show what `marks` say.

    Raises SettingsError where `environ` has another key for pseudonyms.
    """
    return Rendering(
        monthly=monthly,
        pseudonyms=read_mark(marks.pseudonyms, environ),
        exclude=marks.exclude,
        private_keys=marks.private_keys,
    )


def bodies(
    rows: pa.RecordBatch,
    how: Rendering,
    *,
    version: int,
    first_row: int,
    most_bytes: int,
) -> Iterator[Body]:
    """Yield the request bodies of `rows`, in order, each of at most `most_bytes` or one document.

    `rows` has contract columns of events; missing ones (an older contract) are null. `version` is
    the number of the batch record, `first_row` the position of row 0 in its file. Raises BooksError
    for rows that violate the contract.
    """
    if not rows.num_rows:
        return
    text = render(rows, how, version=version).to_arrow(compat_level=pl.CompatLevel.oldest())
    text = text.cast(pa.large_string())
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    data = memoryview(text.buffers()[2] or b"")
    for start, end in _cuts(offsets, most_bytes):
        yield Body(
            bytes(data[offsets[start] : offsets[end]]), range(first_row + start, first_row + end)
        )


def _cuts(offsets: npt.NDArray[np.int64], most_bytes: int) -> Iterator[tuple[int, int]]:
    start, rows = 0, len(offsets) - 1
    while start < rows:
        fits = int(np.searchsorted(offsets, offsets[start] + most_bytes, side="right")) - 1
        end = min(max(fits, start + 1), start + MOST_DOCUMENTS, rows)
        yield start, end
        start = end


def render(rows: pa.RecordBatch, how: Rendering, *, version: int) -> pl.Series:
    """Return action line and document of each of one or more rows; arguments as in `bodies`."""
    _check_ids(rows["event_id"])
    rows = how.hide(rows)
    fragments = _Fragments(rows, how)
    document = _joined(fragments.of_members(_TREE))
    frame = pl.select(
        pl.concat_str(
            pl.lit('{"index":{'),
            *_month(rows, how.monthly),
            pl.lit('"_id":"'),
            fragments.plain("event_id"),
            pl.lit(f'","version":{version},"version_type":"external_gte"}}}}\n{{'),
            document,
            pl.lit("}\n"),
        ).alias("text")
    )
    text = frame["text"]
    if len(text) != rows.num_rows or text.null_count():
        raise BooksError(f"{rows.num_rows:,} rows became {len(text):,} documents")
    return text


def _month(rows: pa.RecordBatch, monthly: str | None) -> list[pl.Expr]:
    """Return the member of an action that names the index, none where the request does."""
    if monthly is None:
        return []
    names = month_names(monthly, rows[MONTH_OF])
    return [pl.lit('"_index":"'), pl.lit(names), pl.lit('",')]


def _check_ids(ids: pa.Array) -> None:
    right = pc.match_substring_regex(ids, f"^[0-9a-f]{{{_ID_LENGTH}}}$")
    if ids.null_count or not pc.all(right, min_count=0).as_py():
        raise BooksError("an event_id is not 32 lower-case hexadecimal digits")


def _joined(members: list[pl.Expr]) -> pl.Expr:
    return pl.concat_str(members, separator=",", ignore_nulls=True)


class _Fragments:
    """The members of the documents of one chunk, as expressions over its columns."""

    def __init__(self, rows: pa.RecordBatch, how: Rendering) -> None:
        self._rows = rows
        self._shown = set(rows.schema.names).difference(how.exclude)
        self._private_keys = how.private_keys

    def of_members(self, level: _Level) -> list[pl.Expr]:
        """Return the members of `level` that at least one row has."""
        found = (
            self._leaf(name, inner) if isinstance(inner, Column) else self._object(name, inner)
            for name, inner in level.items()
        )
        return [member for member in found if member is not None]

    def plain(self, name: str) -> pl.Expr:
        """Return the column `name` unchanged."""
        return pl.lit(pl.Series(name, self._rows[name]))

    def _object(self, name: str, level: _Level) -> pl.Expr | None:
        members = self.of_members(level)
        if not members:
            return None
        inside = _joined(members)
        whole = pl.concat_str(pl.lit(f"{json.dumps(name)}:{{"), inside, pl.lit("}"))
        return pl.when(inside != "").then(whole)

    def _leaf(self, name: str, column: Column) -> pl.Expr | None:
        if column.name not in self._shown:
            return None
        values = self._rows[column.name]
        if values.null_count == len(values):
            return None
        key = json.dumps(name)
        if column.name == "extra":
            return pl.concat_str(pl.lit(f"{key}:"), pl.lit(_extra(values, self._private_keys)))
        if _is_constant(values):
            (value,) = pl.select(_value(column, values[:1])).to_series()
            return None if value is None else pl.lit(f"{key}:{value}")
        return pl.concat_str(pl.lit(f"{key}:"), _value(column, values))


def _is_constant(values: pa.Array) -> bool:
    if values.null_count or not values[0].equals(values[-1]):
        return False
    return bool(pc.all(pc.equal(values, values[0])).as_py())


def _value(column: Column, values: pa.Array) -> pl.Expr:
    """Return the JSON values of a column, null where it is null."""
    if column.name == "parse_warnings":
        codes = _escaped(values).str.replace_all(",", '","', literal=True)
        return pl.concat_str(pl.lit('["'), codes, pl.lit('"]'))
    if column.name == "duration_ms":
        return pl.lit(_nanoseconds(values))
    if column.type is Type.TIMESTAMP:
        return pl.lit(_times(values))
    if column.type is Type.STRING:
        return pl.concat_str(pl.lit('"'), _escaped(values), pl.lit('"'))
    return pl.lit(pl.Series(values)).cast(pl.String)


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


def _extra(values: pa.Array, private_keys: Collection[str]) -> pl.Series:
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
