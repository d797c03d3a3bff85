"""What the fast paths of all formats share: pieces of a chunk, and columns that each event has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.lake.parquet import encoded_schema
from ingest.parse.fields.ids import event_ids
from ingest.parse.fields.times import DAY
from ingest.parse.finish import time_limits
from ingest.parse.kernels.columns import DictionaryColumn, Mask, column, constant, holds, nulls
from ingest.parse.kernels.parameters import read_actions, wanted_names
from ingest.parse.kernels.words import Positions
from ingest.parse.lines import READ_AHEAD, equal_parts, part_of
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

SCHEMA = encoded_schema(EVENTS)
NO_EVENTS = SCHEMA.empty_table()
# The most bytes of lines that are parsed at once, more than half a chunk: the arrays of a step are
# small enough for the caches, and for memory, and the cost per piece vanishes.
_PIECE_BYTES = 5 << 20

# By bits, 1 the first; each text is sorted as the reference parser sorts it.
_CODES = ("bad_request_line", "future_timestamp", "no_timezone", "stale_timestamp")
_WARNINGS = pa.array(
    [
        ",".join(code for bit, code in enumerate(_CODES) if codes >> bit & 1)
        for codes in range(1, 1 << len(_CODES))
    ]
)
_STATUSES = pa.array(["ok", "warn"])

Columns = dict[str, pa.Array]
# (lines, parameter names by column) -> (the lines that are handled, their events).
ReadPiece = Callable[[Lines, dict[str, str]], tuple[Positions, pa.Table]]


def read_pieces(
    lines: Lines, settings: ParseSettings, read: ReadPiece
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events that `read` finds in order, and a mask of `lines`: True = handled.

    The table has the columns of the contract; some are dictionary columns
    (`ingest.lake.parquet.encoded_schema`).
    """
    handled = np.zeros(lines.starts.size, dtype=np.bool_)
    names = wanted_names(settings)
    tables = []
    for first, piece in pieces_of(lines) if names else ():
        rows, table = read(piece, names or {})
        handled[first + rows] = True
        tables.append(table)
    return pa.concat_tables(tables) if tables else NO_EVENTS, handled


def in_order(read: Sequence[tuple[Positions, pa.Table]]) -> tuple[Positions, pa.Table]:
    """Return rows and events that were read apart, in the order of the rows."""
    if not read:
        return np.empty(0, dtype=np.uint32), NO_EVENTS
    if len(read) == 1:
        return read[0]
    rows = np.concatenate([rows for rows, _ in read])
    order = np.argsort(rows)
    tables = pa.concat_tables([table for _, table in read]).unify_dictionaries()
    return rows[order], tables.take(order)


def count_readable(lines: Lines) -> int:
    """Return how many of `lines` kernels may read: behind the last ones may be too few bytes."""
    return int(np.searchsorted(lines.ends, lines.buffer.size - READ_AHEAD, side="right"))


def pieces_of(lines: Lines) -> Iterator[tuple[int, Lines]]:
    """Yield the lines that kernels may read, in pieces, each with the number of its first line."""
    count = count_readable(lines)
    pieces = -(-lines.buffer.size // _PIECE_BYTES)
    for first, after in equal_parts(0, count, pieces):
        yield first, part_of(lines, first, after)


def place_columns(
    rows: Positions, lines: Lines, identity: Identity, settings: ParseSettings
) -> Columns:
    """Return the columns that say where the events of `rows` come from."""
    offsets = lines.starts[rows] + lines.offset
    size = offsets.size
    columns = {
        "event_id": event_ids(identity.source_file, offsets),
        "batch_id": constant(identity.batch_id, size),
        "source_format": constant(settings.format, size),
        "source_file": constant(identity.source_file, size),
        "source_offset": pa.array(offsets),
        "ingest_time": pa.repeat(
            pa.scalar(identity.ingest_time, SCHEMA.field("ingest_time").type), size
        ),
    }
    if lines.first_line is not None:
        columns["source_line"] = pa.array(rows + np.int64(lines.first_line))
    return columns


def timestamps(micros: npt.NDArray[np.int64], null: Mask | None = None) -> pa.Array:
    """Return UTC microseconds as Arrow times, null where `null` is true."""
    times = pa.array(micros) if null is None else column(micros, null)
    return times.view(SCHEMA.field("event_time").type)


def dates(days: npt.NDArray[np.int64]) -> pa.Array:
    """Return days since 1970 as Arrow dates."""
    return pa.array(days.astype(np.int32)).view(pa.date32())


def rows_without_path_session(paths: pa.StringArray, settings: ParseSettings) -> Mask | None:
    """Return the rows without `;jsessionid=` in their path; None when that is all of them."""
    if not holds(paths, b";"):
        return None
    with_session = pc.match_substring(paths, f";{settings.session_parameter.lower()}=")
    if not pc.any(with_session).as_py():
        return None
    without = pc.fill_null(pc.invert(with_session), True)
    return np.asarray(without.to_numpy(zero_copy_only=False))


def table_of(columns: Columns, size: int) -> pa.Table:
    """Return `columns` of `size` rows as a table of the contract; those that miss are null."""
    arrays = [columns[f.name] if f.name in columns else nulls(size, f.type) for f in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def time_columns(
    micros: npt.NDArray[np.int64],
    identity: Identity,
    settings: ParseSettings,
    *,
    bad_request: Mask | bool = False,
    no_zone: Mask | bool = False,
) -> Columns:
    """Return the columns of times in UTC microseconds, and of the warnings, which are all here."""
    limits = time_limits(identity, settings)
    future, stale = micros > limits.latest, micros < limits.earliest
    days = np.where(future | stale, limits.ingest_day, micros // DAY)
    warnings = np.zeros(micros.size, dtype=np.int32)
    for bit, flag in enumerate((bad_request, future, no_zone, stale)):
        warnings |= flag << np.int32(bit)
    return {
        "event_time": timestamps(micros),
        "event_date": dates(days),
        "parse_status": DictionaryColumn((warnings != 0).astype(np.int32), _STATUSES).column(),
        "parse_warnings": DictionaryColumn(warnings - 1, _WARNINGS).column(),
    }


def shop_columns(
    values: dict[str, DictionaryColumn], kinds: DictionaryColumn | None = None
) -> Columns:
    """Return the columns of the parameters' `values`, and what follows from them.

    `kinds` are types of events that no parameter replaces, and that count nothing; null = none.
    """
    actions = read_actions(values)
    types, is_product = actions.type, actions.is_product
    if kinds is not None:
        types, is_product = kinds.or_else(types), is_product & (kinds.codes < 0)
    purchases = actions.is_purchase.astype(np.int32)
    return {name: texts.column() for name, texts in values.items()} | {
        "event_type": types.column(),
        "event_name": actions.name.column(),
        "purchase_count": column(purchases, ~is_product),
        "view_count": column(1 - purchases, ~is_product),
    }
