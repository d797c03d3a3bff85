"""Rows of events become the bytes of bulk requests: one expression per column, no Python per row.

Each member of a document is a text column of `"name":value` fragments, null where the member is
left out; documents are concatenations of them. A document contains no null, no empty object and no
line break.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS, Column
from ingest.errors import BooksError
from ingest.pseudonyms import Pseudonyms, read_mark
from ingest.search.body import Body
from ingest.search.clients import CLIENT, without_clients
from ingest.search.json_values import json_extra, json_value
from ingest.search.months import MONTH_OF, month_names
from ingest.search.template import Marks

MOST_DOCUMENTS = 10_000
COLUMNS = tuple(column for column in EVENTS.columns if column.search is not None)
_NAMES = tuple(column.name for column in COLUMNS)
_ID_LENGTH = 32

# A part of a document: the same text for all, or one for each row, null where there is none.
_Piece = str | pl.Expr
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
    text = pl.select(
        _concatenated(
            '{"index":{',
            *_month(rows, how.monthly),
            '"_id":"',
            pl.lit(pl.Series(rows["event_id"])),
            f'","version":{version},"version_type":"external_gte"}}}}\n{{',
            *_joined(_Members(rows, how).of(_TREE)),
            "}\n",
        ).alias("text")
    )["text"]
    if len(text) != rows.num_rows or text.null_count():
        raise BooksError(f"{rows.num_rows:,} rows became {len(text):,} documents")
    return text


def _month(rows: pa.RecordBatch, monthly: str | None) -> list[_Piece]:
    """Return the member of an action that names the index, none where the request does."""
    if monthly is None:
        return []
    return ['"_index":"', pl.lit(month_names(monthly, rows[MONTH_OF])), '",']


def _check_ids(ids: pa.Array) -> None:
    right = pc.match_substring_regex(ids, f"^[0-9a-f]{{{_ID_LENGTH}}}$")
    if ids.null_count or not pc.all(right, min_count=0).as_py():
        raise BooksError("an event_id is not 32 lower-case hexadecimal digits")


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an object. `within(before, after)` gives its text with something around it.

    One that is not `certain` is missing in some documents: its text is one expression, null there.
    """

    is_certain: bool
    within: Callable[[str, str], list[_Piece]]


class _Members:
    """The members of the documents of one chunk, as expressions over its columns."""

    def __init__(self, rows: pa.RecordBatch, how: Rendering) -> None:
        self._rows = rows
        self._shown = set(rows.schema.names).difference(how.exclude)
        self._private_keys = how.private_keys

    def of(self, level: _Level) -> list[_Member]:
        """Return the members of `level` that at least one row has."""
        found = (
            self._leaf(name, inner) if isinstance(inner, Column) else self._object(name, inner)
            for name, inner in level.items()
        )
        return [member for member in found if member is not None]

    def _object(self, name: str, level: _Level) -> _Member | None:
        members, start = self.of(level), f"{json.dumps(name)}:{{"
        if not members:
            return None
        if any(member.is_certain for member in members):
            inside = _joined(members)
            return _Member(True, lambda before, after: [before + start, *inside, "}" + after])
        if len(members) == 1:
            (only,) = members
            return _Member(False, lambda before, after: only.within(before + start, "}" + after))
        (either,) = _joined(members)
        return _Member(
            False,
            lambda before, after: [
                pl.when(either != "").then(_concatenated(before + start, either, "}" + after))
            ],
        )

    def _leaf(self, name: str, column: Column) -> _Member | None:
        if column.name not in self._shown:
            return None
        values = self._rows[column.name]
        if values.null_count == len(values):
            return None
        key = f"{json.dumps(name)}:"
        if column.name == "extra":
            text = pl.lit(json_extra(values, self._private_keys))
            return _Member(False, lambda before, after: [_or_null(before + key, text, after)])
        if _is_constant(values):
            start, value, end = json_value(column, values[:1])
            (constant,) = pl.select(value).to_series()
            whole = f"{key}{start}{constant}{end}"
            return _Member(True, lambda before, after: [before + whole + after])
        start, value, end = json_value(column, values)
        if values.null_count:
            return _Member(
                False, lambda before, after: [_or_null(before + key + start, value, end + after)]
            )
        return _Member(True, lambda before, after: [before + key + start, value, end + after])


def _joined(members: Sequence[_Member]) -> list[_Piece]:
    """Return the text of an object's members with commas between them.

    It is written in one go around the first certain member; the text in between costs most.
    """
    sure = next((at for at, member in enumerate(members) if member.is_certain), None)
    if sure is None:
        single = [piece for member in members for piece in member.within("", "")]
        return [pl.concat_str(single, separator=",", ignore_nulls=True)]
    pieces: list[_Piece] = []
    for at, member in enumerate(members):
        pieces += member.within("," if at > sure else "", "," if at < sure else "")
    return pieces


def _concatenated(*pieces: _Piece) -> pl.Expr:
    """Return the concatenation of texts and expressions; what is null adds nothing."""
    merged: list[pl.Expr] = []
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        else:
            merged += [pl.lit(text), piece]
            text = ""
    return pl.concat_str([*merged, pl.lit(text)], ignore_nulls=True)


def _or_null(before: str, value: pl.Expr, after: str) -> pl.Expr:
    """Return `value` with texts around it, null where it is null."""
    return pl.concat_str([pl.lit(before), value, *([pl.lit(after)] if after else [])])


def _is_constant(values: pa.Array) -> bool:
    if values.null_count or not values[0].equals(values[-1]):
        return False
    return bool(pc.all(pc.equal(values, values[0])).as_py())
