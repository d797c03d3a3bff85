"""The fast path of the access family: its usual lines, read by kernels.

    [vhost[:port]] host - user [dd/Mon/yyyy:HH:mm:ss ±HHmm] "METHOD /target HTTP/d.d" status bytes
    ... the same, then "referrer" "agent", perhaps "addresses", and perhaps an integer or decimals
    ... each also without the zone of the time, with `HTTP d.d`, and with texts in UTF-8

What it handles comes out exactly as from the reference parser, which is its oracle and gets all
other lines.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.fields.times import SECOND
from ingest.parse.kernels.columns import column, constant
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.events import (
    Columns,
    place_columns,
    read_pieces,
    rows_without_path_session,
    shop_columns,
    table_of,
    time_columns,
)
from ingest.parse.kernels.parts import Parts, read_parts
from ingest.parse.kernels.words import Positions
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings


def parse_access(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of a usual shape; see `read_pieces`."""
    return read_pieces(lines, settings, partial(_events, identity=identity, settings=settings))


def _events(
    lines: Lines, names: dict[str, str], *, identity: Identity, settings: ParseSettings
) -> tuple[Positions, pa.Table]:
    parts = read_parts(lines, settings, names)
    columns = place_columns(parts.rows, lines, identity, settings)
    columns |= time_columns(
        parts.seconds * SECOND,
        identity,
        settings,
        bad_request=parts.versions < 0,
        no_zone=~parts.zoned,
    )
    columns |= _request(parts) | _rare(parts) | shop_columns(parts.shop)
    table = table_of(columns, parts.rows.size)
    keep = rows_without_path_session(columns["url_path"], settings)
    return (parts.rows, table) if keep is None else (parts.rows[keep], table.filter(pa.array(keep)))


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
