"""The fast path: lines of the usual shapes, parsed with whole arrays instead of one by one.

    host - user [dd/Mon/yyyy:HH:mm:ss ±HHmm] "METHOD /target HTTP/d.d" status bytes
    ... the same, then "referrer" "agent", perhaps "addresses", and perhaps an integer or decimals
    ... each also without the zone of the time, with `HTTP d.d`, and behind a virtual host

What it handles comes out exactly as from the reference parser, which is its oracle and gets all
other lines: escapes, control characters, anything that is not ASCII, encoded or repeated
parameters, odd prefixes, long fields. The steps: find all delimiters of the chunk once; check
shape and compute numbers eight bytes at a time; cut each text out of the buffer by offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.lake.parquet import encoded_schema
from ingest.parse.fast.parameters import Shop, read_actions, read_shop, wanted_names
from ingest.parse.fast.parts import (
    Counts,
    Headers,
    Requests,
    read_counts,
    read_forwarded,
    read_headers,
    read_requests,
)
from ingest.parse.fast.prefixes import Clients, read_prefixes
from ingest.parse.fast.scan import LONGEST_LINE, candidates, scan
from ingest.parse.fast.tails import Tails, read_tails
from ingest.parse.fast.texts import (
    DictionaryColumn,
    column,
    constant,
    cut,
    dictionary_column,
    holds,
    nulls,
)
from ingest.parse.fast.times import Times, read_times
from ingest.parse.fast.words import Bytes, Mask, Positions, words_of
from ingest.parse.fields.ids import event_ids
from ingest.parse.fields.times import DAY, SECOND
from ingest.parse.finish import time_limits
from ingest.parse.lines import READ_AHEAD
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings

SCHEMA = encoded_schema(EVENTS)
_NO_EVENTS = SCHEMA.empty_table()
# Lines that are parsed at once: few enough for the arrays of a step to fit into the caches.
_PIECE = 1 << 14
# By bits: 1 future, 2 no zone, 4 stale; each text is sorted as the reference parser sorts it.
_CODES = ("future_timestamp", "no_timezone", "stale_timestamp")
_WARNINGS = pa.array(
    [",".join(c for bit, c in enumerate(_CODES) if codes >> bit & 1) for codes in range(1, 8)]
)
_STATUSES = pa.array(["ok", "warn"])

Columns = dict[str, pa.Array]


def parse_fast(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of a usual shape in order, and a mask: True = handled here.

    The table has the columns of the contract; some are dictionary columns
    (`ingest.lake.parquet.encoded_schema`).
    """
    handled = np.zeros(lines.starts.size, dtype=np.bool_)
    names = wanted_names(settings)
    tables = []
    for first in range(0, lines.starts.size if names else 0, _PIECE):
        piece = _piece(lines, slice(first, first + _PIECE))
        parts = _read(piece, settings, names or {})
        if parts is not None:
            keep, table = _events(parts, piece, identity, settings)
            handled[first + parts.line[keep]] = True
            tables.append(table)
    return pa.concat_tables(tables) if tables else _NO_EVENTS, handled


def _piece(lines: Lines, part: slice) -> Lines:
    starts, ends = lines.starts[part], lines.ends[part]
    begin = int(starts[0])
    return Lines(
        buffer=lines.buffer[begin : int(ends[-1]) + READ_AHEAD],
        starts=starts - begin,
        ends=ends - begin,
        offset=lines.offset + begin,
        first_line=None if lines.first_line is None else lines.first_line + part.start,
    )


def _events(
    parts: _Parts, lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[Mask | slice, pa.Table]:
    """Return which rows of `parts` are handled after all, and their events."""
    columns = _place(parts, lines, identity, settings) | _time(parts, identity, settings)
    columns |= _request(parts, lines.buffer) | _shop(parts)
    size = parts.line.size
    arrays = [columns[f.name] if f.name in columns else nulls(size, f.type) for f in SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    keep = _path_has_no_session(columns["url_path"], settings)
    return (slice(None), table) if keep is None else (keep, table.filter(pa.array(keep)))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What was read from the lines numbered `line`: all arrays have an item per such line."""

    line: Positions
    start: Positions
    times: Times
    clients: Clients
    requests: Requests
    counts: Counts
    headers: Headers
    tails: Tails
    forwarded: DictionaryColumn
    shop: Shop


def _read(lines: Lines, settings: ParseSettings, names: dict[str, str]) -> _Parts | None:
    """Return the parts of the lines of a usual shape, None without any.

    `names` are the URL parameters to find.
    """
    marks = scan(lines.buffer)
    found = candidates(lines, marks, longest=min(LONGEST_LINE, settings.max_line_bytes))
    if not found.line.size:
        return None
    buffer, words, quotes = lines.buffer, words_of(lines.buffer), found.quotes
    times = read_times(buffer, words, quotes[0])
    requests = read_requests(words, quotes)
    headers = read_headers(buffer, words, quotes)
    forwarded, lists = read_forwarded(buffer, words, quotes)
    parts = _Parts(
        line=found.line,
        start=found.start,
        times=times,
        clients=read_prefixes(buffer, words, starts=found.start, brackets=times.bracket),
        requests=requests,
        counts=read_counts(words, quotes, found.end),
        headers=headers,
        tails=read_tails(buffer, words, quotes, found.end),
        forwarded=forwarded,
        shop=read_shop(
            buffer, marks, found=found, target_ends=requests.end,
            absolute=headers.absolute, names=names,
        ),
    )  # fmt: skip
    valid = _valid(parts) & lists & (times.zoned | (settings.timezone == "UTC"))
    valid &= (forwarded.codes < 0) | (settings.client_from == "host")
    return parts if valid.all() else _kept(parts, valid)


def _valid(parts: _Parts) -> Mask:
    valid = parts.times.valid & parts.clients.valid & parts.requests.valid
    valid &= parts.counts.valid & parts.headers.valid & parts.tails.valid
    # Both together would have to be one JSON object.
    valid &= (parts.clients.extra.codes < 0) | (parts.tails.extra.codes < 0)
    return valid & parts.shop.clear


def _kept(item: Any, rows: Mask) -> Any:
    """Return `item`, made of dataclasses, dictionaries, columns and arrays, with only `rows`."""
    if isinstance(item, np.ndarray):
        return item[rows]
    if isinstance(item, DictionaryColumn):
        return item.keep(rows)
    if isinstance(item, dict):
        return {name: _kept(value, rows) for name, value in item.items()}
    if isinstance(item, tuple):
        return tuple(_kept(value, rows) for value in item)
    return type(item)(*(_kept(getattr(item, field.name), rows) for field in fields(item)))


def _place(parts: _Parts, lines: Lines, identity: Identity, settings: ParseSettings) -> Columns:
    offsets = parts.start + lines.offset
    size = offsets.size
    columns = {
        "event_id": event_ids(identity.source_file, offsets),
        "batch_id": constant(identity.batch_id, size),
        "source_format": constant(settings.format, size),
        "source_file": constant(identity.source_file, size),
        "source_offset": pa.array(offsets),
    }
    if lines.first_line is not None:
        columns["source_line"] = pa.array(parts.line + lines.first_line)
    return columns


def _time(parts: _Parts, identity: Identity, settings: ParseSettings) -> Columns:
    micros = parts.times.seconds * SECOND
    limits = time_limits(identity, settings)
    future, stale = micros > limits.latest, micros < limits.earliest
    days = np.where(future | stale, limits.ingest_day, micros // DAY)
    warnings = future.astype(np.int32) | ~parts.times.zoned << 1 | stale << 2
    timestamp = SCHEMA.field("event_time").type
    return {
        "event_time": pa.array(micros).cast(timestamp),
        "event_date": pa.array(days.astype(np.int32)).cast(pa.date32()),
        "ingest_time": pa.repeat(pa.scalar(identity.ingest_time, timestamp), micros.size),
        "parse_status": DictionaryColumn((warnings != 0).astype(np.int32), _STATUSES).column(),
        "parse_warnings": DictionaryColumn(warnings - 1, _WARNINGS).column(),
    }


def _request(parts: _Parts, buffer: Bytes) -> Columns:
    requests, query, headers = parts.requests, parts.shop.query, parts.headers
    counts, tails = parts.counts, parts.tails
    return {
        "client_ip": parts.clients.ip.column(),
        "client_address": parts.clients.address.column(),
        "forwarded_for": parts.forwarded.column(),
        "user_name": parts.clients.user.column(),
        "http_method": requests.method.column(),
        "http_version": requests.version.column(),
        "url_original": cut(buffer, requests.begin, requests.end),
        "url_path": cut(buffer, requests.begin, query),
        "url_query": cut(buffer, np.minimum(query + 1, requests.end), requests.end),
        "status_code": pa.array(counts.status.astype(np.int32)),
        "response_bytes": column(counts.size, ~counts.has_size),
        "bytes_scope": constant("body", query.size),
        "duration_other": column(tails.other, ~tails.has_other),
        "referrer": cut(buffer, *headers.referrer),
        "referrer_domain": headers.domain.column(),
        "user_agent": dictionary_column(cut(buffer, *headers.agent)).column(),
    } | _rare(parts)


def _rare(parts: _Parts) -> Columns:
    """Return the columns that are null in most logs, where they are not."""
    ports, tails = parts.clients.extra, parts.tails.extra
    columns: Columns = {}
    if len(parts.clients.server.values):
        columns["server_name"] = parts.clients.server.column()
    if len(ports.values) or len(tails.values):
        columns["extra"] = pc.coalesce(ports.texts(), tails.texts())
    return columns


def _shop(parts: _Parts) -> Columns:
    columns = parts.shop.columns
    actions = read_actions(columns)
    purchases = actions.is_purchase.astype(np.int32)
    return {
        "event_type": actions.type.column(),
        "event_name": actions.name.column(),
        "session_id": columns["session_id"].texts(),
        "item_id": columns["item_id"].column(),
        "product_id": columns["product_id"].column(),
        "category": columns["category"].column(),
        "purchase_count": column(purchases, ~actions.is_product),
        "view_count": column(1 - purchases, ~actions.is_product),
        "campaign_source": columns["campaign_source"].column(),
        "campaign_medium": columns["campaign_medium"].column(),
        "campaign_name": columns["campaign_name"].column(),
    }


def _path_has_no_session(paths: pa.StringArray, settings: ParseSettings) -> Mask | None:
    """Return the rows without `;jsessionid=` in their path; None when that is all of them."""
    if not holds(paths, b";"):
        return None
    with_session = pc.match_substring(paths, f";{settings.session_parameter.lower()}=")
    if not pc.any(with_session).as_py():
        return None
    return np.asarray(pc.invert(with_session).to_numpy(zero_copy_only=False))
