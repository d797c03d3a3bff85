"""Some documents of a batch, chosen by chance and compared whole with the rows of the lake."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord
from ingest.search.document import Rendering, bodies, rendering
from ingest.search.index import Index
from ingest.search.months import MONTH_OF, is_monthly, month_names
from ingest.storage import Storage

MOST = 200
# Rows that are read for it, whatever the size of the batch.
_CHUNK_ROWS = 8_192
_random = random.SystemRandom()


def differing(
    index: Index, lake: Storage, record: BatchRecord, *, refused: Collection[str]
) -> tuple[int, list[str]]:
    """Return how many documents of `record` were looked at, and the ids of those that differ.

    They are up to 200 from one place of one file, by chance, without the `refused` ids. Raises
    ObjectUnreadable when the file cannot be read.
    """
    files = record.files.get("events", ())
    if not record.totals.events:
        return 0, []
    (file,) = _random.choices(files, [one.rows for one in files])
    how = rendering(index.marks, os.environ)
    rows = _chosen(_chunk(lake, file.path, how))
    place = index.name
    if not is_monthly(index.search):
        places = [place] * rows.num_rows
    else:
        places = month_names(place, rows[MONTH_OF]).to_list()
    home = dict(zip(rows["event_id"].to_pylist(), places, strict=True))
    wanted = {
        name: (document, home[name])
        for body in bodies(rows, how, version=record.number, first_row=0, most_bytes=1 << 20)
        for name, document in body.documents(range(len(body.rows)))
        if name not in refused and index.is_kept(home[name])
    }
    return len(wanted), _wrong(index, wanted, record.number)


def _wrong(index: Index, wanted: dict[str, tuple[dict[str, Any], str]], number: int) -> list[str]:
    found = {
        (hit["_id"], hit["_index"]): (hit["_version"], hit["_source"])
        for hit in (index.documents(list(wanted)) if wanted else ())
    }
    expected = {(name, home): (number, doc) for name, (doc, home) in wanted.items()}
    keys = expected.keys() | found.keys()
    return sorted({key[0] for key in keys if expected.get(key) != found.get(key)})


def _chunk(lake: Storage, path: str, how: Rendering) -> pa.RecordBatch:
    """Return some thousand consecutive rows of a file, from a random place."""
    with open_parquet(lake, path) as parquet:
        columns = how.columns(parquet.schema_arrow.names)
        group = _random.randrange(parquet.num_row_groups)
        chunks = -(-parquet.metadata.row_group(group).num_rows // _CHUNK_ROWS)
        wanted = _random.randrange(chunks)
        read = parquet.iter_batches(_CHUNK_ROWS, row_groups=[group], columns=[*columns, MONTH_OF])
        return next(rows for at, rows in enumerate(read) if at == wanted)


def _chosen(rows: pa.RecordBatch) -> pa.RecordBatch:
    places: Sequence[int] = sorted(_random.sample(range(rows.num_rows), min(MOST, rows.num_rows)))
    return rows.take(pa.array(places))
