"""The fast path of the access family: its usual lines, read by kernels.

    [vhost[:port]] host - user [dd/Mon/yyyy:HH:mm:ss ±HHmm] "METHOD /target HTTP/d.d" status bytes
    ... the same, then "referrer" "agent", perhaps "addresses", and perhaps an integer or decimals
    ... each also without the zone of the time, with `HTTP d.d`, and with texts in UTF-8

What it handles comes out exactly as from the reference parser, which is its oracle and gets all
other lines.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.lake.parquet import encoded_schema
from ingest.parse.fields.ids import event_ids
from ingest.parse.fields.times import DAY, SECOND
from ingest.parse.finish import time_limits
from ingest.parse.kernels.columns import (
    DictionaryColumn,
    Mask,
    column,
    constant,
    holds,
    nulls,
)
from ingest.parse.kernels.parameters import read_actions, wanted_names
from ingest.parse.kernels.parts import Parts, read_parts
from ingest.parse.kernels.texts import cut
from ingest.parse.lines import READ_AHEAD
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

SCHEMA = encoded_schema(EVENTS)
_NO_EVENTS = SCHEMA.empty_table()
# Lines that are parsed at once: few enough for the arrays of a step to fit into the caches.
_PIECE = 1 << 14
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


def parse_access(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of a usual shape in order, and a mask: True = handled here.

    The table has the columns of the contract; some are dictionary columns
    (`ingest.lake.parquet.encoded_schema`).
    """
    handled = np.zeros(lines.starts.size, dtype=np.bool_)
    names = wanted_names(settings)
    # What is behind the last lines may be too little to read words of eight bytes.
    count = int(np.searchsorted(lines.ends, lines.buffer.size - READ_AHEAD, side="right"))
    tables = []
    for first in range(0, count if names else 0, _PIECE):
        piece = _piece(lines, first, min(first + _PIECE, count))
        parts = read_parts(piece, settings, names or {})
        keep, table = _events(parts, piece, identity, settings)
        handled[first + parts.rows[keep]] = True
        tables.append(table)
    return pa.concat_tables(tables) if tables else _NO_EVENTS, handled


def _piece(lines: Lines, first: int, after: int) -> Lines:
    starts, ends = lines.starts[first:after], lines.ends[first:after]
    begin = int(starts[0])
    return Lines(
        buffer=lines.buffer[begin : int(ends[-1]) + READ_AHEAD],
        starts=starts - begin,
        ends=ends - begin,
        offset=lines.offset + begin,
        first_line=None if lines.first_line is None else lines.first_line + first,
    )


def _events(
    parts: Parts, lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[Mask | slice, pa.Table]:
    """Return which rows of `parts` are handled after all, and their events."""
    columns = _place(parts, lines, identity, settings) | _time(parts, identity, settings)
    columns |= _request(parts) | _rare(parts) | _shop(parts)
    size = parts.rows.size
    arrays = [columns[f.name] if f.name in columns else nulls(size, f.type) for f in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    keep = _path_has_no_session(columns["url_path"], settings)
    return (slice(None), table) if keep is None else (keep, table.filter(pa.array(keep)))


def _place(parts: Parts, lines: Lines, identity: Identity, settings: ParseSettings) -> Columns:
    offsets = lines.starts[parts.rows] + lines.offset
    size = offsets.size
    columns = {
        "event_id": event_ids(identity.source_file, offsets),
        "batch_id": constant(identity.batch_id, size),
        "source_format": constant(settings.format, size),
        "source_file": constant(identity.source_file, size),
        "source_offset": pa.array(offsets),
    }
    if lines.first_line is not None:
        columns["source_line"] = pa.array(parts.rows + np.int64(lines.first_line))
    return columns


def _time(parts: Parts, identity: Identity, settings: ParseSettings) -> Columns:
    micros = parts.seconds * SECOND
    limits = time_limits(identity, settings)
    future, stale = micros > limits.latest, micros < limits.earliest
    days = np.where(future | stale, limits.ingest_day, micros // DAY)
    flags = (parts.versions < 0, future, ~parts.zoned, stale)
    warnings = np.zeros(micros.size, dtype=np.int32)
    for bit, flag in enumerate(flags):
        warnings |= flag << np.int32(bit)
    timestamp = SCHEMA.field("event_time").type
    return {
        "event_time": pa.array(micros).cast(timestamp),
        "event_date": pa.array(days.astype(np.int32)).cast(pa.date32()),
        "ingest_time": pa.repeat(pa.scalar(identity.ingest_time, timestamp), micros.size),
        "parse_status": DictionaryColumn((warnings != 0).astype(np.int32), _STATUSES).column(),
        "parse_warnings": DictionaryColumn(warnings - 1, _WARNINGS).column(),
    }


def _request(parts: Parts) -> Columns:
    columns = {name: texts.column() for name, texts in parts.dictionaries.items()}
    columns |= {name: cut(parts.buffer, *span, parts.rows) for name, span in parts.texts.items()}
    return columns | {
        "status_code": column(parts.statuses, parts.statuses < 0),
        "response_bytes": column(parts.sizes, parts.sizes < 0),
        "bytes_scope": constant("body", parts.rows.size),
        "duration_other": column(parts.durations, parts.durations < 0),
    }


def _rare(parts: Parts) -> Columns:
    """Return the columns that are null in most logs, where they are not."""
    columns = {name: texts.texts() for name, texts in parts.rare.items() if len(texts.values)}
    extra = [texts.texts() for texts in parts.extra.values() if len(texts.values)]
    return columns | ({"extra": pc.coalesce(*extra)} if extra else {})


def _shop(parts: Parts) -> Columns:
    columns = parts.shop
    actions = read_actions(columns)
    purchases = actions.is_purchase.astype(np.int32)
    return {name: values.column() for name, values in columns.items()} | {
        "event_type": actions.type.column(),
        "event_name": actions.name.column(),
        "purchase_count": column(purchases, ~actions.is_product),
        "view_count": column(1 - purchases, ~actions.is_product),
    }


def _path_has_no_session(paths: pa.StringArray, settings: ParseSettings) -> Mask | None:
    """Return the rows without `;jsessionid=` in their path; None when that is all of them."""
    if not holds(paths, b";"):
        return None
    with_session = pc.match_substring(paths, f";{settings.session_parameter.lower()}=")
    if not pc.any(with_session).as_py():
        return None
    without = pc.fill_null(pc.invert(with_session), True)
    return np.asarray(without.to_numpy(zero_copy_only=False))
