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

from ingest.parse.fields.times import DAY, SECOND
from ingest.parse.finish import time_limits
from ingest.parse.kernels.columns import DictionaryColumn, Mask, column, constant, nulls
from ingest.parse.kernels.events import (
    NO_EVENTS,
    SCHEMA,
    Columns,
    dates,
    pieces_of,
    place_columns,
    rows_without_path_session,
    shop_columns,
    timestamps,
)
from ingest.parse.kernels.parameters import wanted_names
from ingest.parse.kernels.parts import Parts, read_parts
from ingest.parse.kernels.texts import cut
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

# By bits, 1 the first; each text is sorted as the reference parser sorts it.
_CODES = ("bad_request_line", "future_timestamp", "no_timezone", "stale_timestamp")
_WARNINGS = pa.array(
    [
        ",".join(code for bit, code in enumerate(_CODES) if codes >> bit & 1)
        for codes in range(1, 1 << len(_CODES))
    ]
)
_STATUSES = pa.array(["ok", "warn"])


def parse_access(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of a usual shape in order, and a mask: True = handled here.

    The table has the columns of the contract; some are dictionary columns
    (`ingest.lake.parquet.encoded_schema`).
    """
    handled = np.zeros(lines.starts.size, dtype=np.bool_)
    names = wanted_names(settings)
    tables = []
    for first, piece in pieces_of(lines) if names else ():
        parts = read_parts(piece, settings, names or {})
        keep, table = _events(parts, piece, identity, settings)
        handled[first + parts.rows[keep]] = True
        tables.append(table)
    return pa.concat_tables(tables) if tables else NO_EVENTS, handled


def _events(
    parts: Parts, lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[Mask | slice, pa.Table]:
    """Return which rows of `parts` are handled after all, and their events."""
    columns = place_columns(parts.rows, lines, identity, settings)
    columns |= _time(parts, identity, settings)
    columns |= _request(parts) | _rare(parts) | shop_columns(parts.shop)
    size = parts.rows.size
    arrays = [columns[f.name] if f.name in columns else nulls(size, f.type) for f in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    keep = rows_without_path_session(columns["url_path"], settings)
    return (slice(None), table) if keep is None else (keep, table.filter(pa.array(keep)))


def _time(parts: Parts, identity: Identity, settings: ParseSettings) -> Columns:
    micros = parts.seconds * SECOND
    limits = time_limits(identity, settings)
    future, stale = micros > limits.latest, micros < limits.earliest
    days = np.where(future | stale, limits.ingest_day, micros // DAY)
    flags = (parts.versions < 0, future, ~parts.zoned, stale)
    warnings = np.zeros(micros.size, dtype=np.int32)
    for bit, flag in enumerate(flags):
        warnings |= flag << np.int32(bit)
    return {
        "event_time": timestamps(micros, np.zeros(micros.size, dtype=np.bool_)),
        "event_date": dates(days),
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
