"""What the fast paths of all formats share: pieces of a chunk, and columns that each event has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.lake.parquet import encoded_schema
from ingest.parse.fields.ids import event_ids
from ingest.parse.kernels.columns import DictionaryColumn, Mask, column, constant, holds
from ingest.parse.kernels.parameters import read_actions
from ingest.parse.kernels.words import Positions
from ingest.parse.lines import READ_AHEAD, part_of
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

SCHEMA = encoded_schema(EVENTS)
NO_EVENTS = SCHEMA.empty_table()
# Lines that are parsed at once: few enough for the arrays of a step to fit into the caches.
_PIECE = 1 << 14

Columns = dict[str, pa.Array]


def count_readable(lines: Lines) -> int:
    """Return how many of `lines` kernels may read: behind the last ones may be too few bytes."""
    return int(np.searchsorted(lines.ends, lines.buffer.size - READ_AHEAD, side="right"))


def pieces_of(lines: Lines) -> Iterator[tuple[int, Lines]]:
    """Yield the lines that kernels may read, in pieces, each with the number of its first line."""
    count = count_readable(lines)
    for first in range(0, count, _PIECE):
        yield first, part_of(lines, first, min(first + _PIECE, count))


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


def timestamps(micros: npt.NDArray[np.int64], null: Mask) -> pa.Array:
    """Return UTC microseconds as Arrow times, null where `null` is true."""
    return column(micros, null).cast(SCHEMA.field("event_time").type)


def dates(days: npt.NDArray[np.int64]) -> pa.Array:
    """Return days since 1970 as Arrow dates."""
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def shop_columns(parameters: dict[str, DictionaryColumn]) -> Columns:
    """Return the columns that follow from the `parameters` of URLs, and these themselves."""
    actions = read_actions(parameters)
    purchases = actions.is_purchase.astype(np.int32)
    return {name: values.column() for name, values in parameters.items()} | {
        "event_type": actions.type.column(),
        "event_name": actions.name.column(),
        "purchase_count": column(purchases, ~actions.is_product),
        "view_count": column(1 - purchases, ~actions.is_product),
    }


def rows_without_path_session(paths: pa.StringArray, settings: ParseSettings) -> Mask | None:
    """Return the rows without `;jsessionid=` in their path; None when that is all of them."""
    if not holds(paths, b";"):
        return None
    with_session = pc.match_substring(paths, f";{settings.session_parameter.lower()}=")
    if not pc.any(with_session).as_py():
        return None
    without = pc.fill_null(pc.invert(with_session), True)
    return np.asarray(without.to_numpy(zero_copy_only=False))
