"""The marts compared with the lake value by value, which totals alone do not prove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import polars as pl

from ingest.lake.checks import Check, compare_rows
from ingest.lake.frames import MOST_SESSIONS, Distinct, event_frames
from ingest.lake.records import BatchRecord
from ingest.pseudonyms import Pseudonyms
from ingest.search.clients import CLIENT, without_clients
from ingest.storage import Storage
from ingest.warehouse import Schemas, Warehouse

_COLUMNS = ("status_code", "brand", "product_id", "event_name", "session_id", "view_count")
_SESSIONS = "sessions"


def mart_value_checks(
    lake: Storage,
    live: Sequence[BatchRecord],
    warehouse: Warehouse,
    *,
    pseudonyms: Pseudonyms | None,
) -> Iterator[Check]:
    """Compare events per status, brand and action, and the number of sessions.

    `live` are the batches that the marts are made from, `pseudonyms` what these show in place of
    addresses, None to show these. Raises ObjectUnreadable for a file of the lake, ClickstreamError
    for a mart that cannot be read.
    """
    schemas = warehouse.schemas
    catalogue = dict(
        warehouse.query(f"select distinct product_id, brand from {schemas.seeds}.products").rows  # noqa: S608
    )
    wanted = _in_lake(lake, live, catalogue, pseudonyms)
    for name, sql in _queries(schemas).items():
        if name == _SESSIONS and wanted[name][name] > MOST_SESSIONS:
            continue  # the comparison with the index has said so
        found = {value: int(events) for value, events in warehouse.query(sql).rows}
        check = compare_rows(f"marts {name} = lake", wanted[name], found)
        yield Check(
            name=check.name,
            expected=check.expected,
            found=check.found,
            # The values are what logs say.
            detail="values" if check.ok else "run `clickstream run --full-refresh`",
        )


def _queries(schemas: Schemas) -> Mapping[str, str]:
    """Return name -> query of values and their events."""
    marts, views = schemas.marts, f"{schemas.marts}.number_of_views_per_session"
    return {
        "status": f"select status_code, total_events from {marts}.number_of_events_per_http_response",  # noqa: S608, E501
        "brand": f"select brand, total_events from {marts}.number_of_events_per_brand",  # noqa: S608
        "action": f"select action, sum(total_events) from {views} group by action",  # noqa: S608
        _SESSIONS: f"select '{_SESSIONS}', count(distinct sessionid) from {views}",  # noqa: S608
    }


def _in_lake(
    lake: Storage,
    live: Sequence[BatchRecord],
    catalogue: Mapping[str, str],
    pseudonyms: Pseudonyms | None,
) -> Mapping[str, Mapping[object, int]]:
    """Return name -> value -> events, as the marts define them; `catalogue`: product -> brand."""
    found: dict[str, Counter[object]] = {name: Counter() for name in ("status", "brand", "action")}
    sessions = Distinct()
    product = pl.col("product_id").cast(pl.String).str.to_lowercase()
    brand = product.replace_strict(catalogue, default=None, return_dtype=pl.String)
    by = {
        "status": pl.col("status_code"),
        "brand": pl.coalesce(pl.col("brand").cast(pl.String), brand),
        "action": pl.col("event_name").cast(pl.String).str.to_lowercase(),
    }
    columns, hide = list(_COLUMNS), None
    if pseudonyms is not None:
        columns += CLIENT
        hide = partial(without_clients, pseudonyms=pseudonyms)
    of_shop = pl.all_horizontal(pl.col("session_id", "event_name", "view_count").is_not_null())
    for record in live:
        for frame in event_frames(lake, record, columns, hide=hide):
            shop = frame.filter(of_shop)
            for name, value in by.items():
                rows = shop if name == "action" else frame
                counted = rows.group_by(value.alias("value")).len().drop_nulls()
                found[name].update(dict(counted.iter_rows()))
            sessions.add(shop["session_id"])
    return {**found, _SESSIONS: {_SESSIONS: sessions.number}}
