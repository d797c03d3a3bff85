"""Documents per second and CPU of four ways into one Elasticsearch, and the memory of a writer."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pyarrow as pa
from elasticsearch import Elasticsearch, helpers

from bench.contenders import parse_range
from bench.lines import write_lines
from bench.memory import in_a_process, peak_bytes
from bench.sealed import batch_record
from ingest.contract import EVENTS
from ingest.lake.balance import sha256_of
from ingest.lake.parquet import open_parquet
from ingest.lake.records import NamedFile, create_lake, lake_id, record_key, record_to_json
from ingest.local_search import control
from ingest.search.body import Body
from ingest.search.client import connect
from ingest.search.document import COLUMNS, Rendering, bodies
from ingest.search.export import export
from ingest.search.index import Index
from ingest.search.preparing import prepare
from ingest.search.template import Marks
from ingest.search.writers import run_in_threads
from ingest.settings import ELASTICSEARCH, SearchSettings, Settings
from ingest.storage import open_storage

WRITERS = 2
FILES = 4
_CHUNK_ROWS = 8_192
_BODY_BYTES = 5 << 20
CEILING, OURS, PARALLEL, STREAMING = WAYS = (
    "ready bodies, two threads",
    "clickstream export",
    "helpers.parallel_bulk",
    "helpers.streaming_bulk",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass of one way: seconds by the clock, and CPU seconds of client and server."""

    documents: int
    seconds: float
    client: float
    server: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """The medians of the passes of one way; CPU seconds are per 100,000 documents."""

    rate: float
    client: float
    server: float


@contextmanager
def search_server(folder: Path) -> Iterator[Settings]:
    """Yield settings with a large local search server of their own, below `folder`."""
    settings = Settings(
        root=folder,
        data=folder,
        lake=str(folder / "lake"),
        target="local",
        sources=(),
        search=SearchSettings(size="large", writers=WRITERS),
    )
    control.up(settings)
    try:
        yield settings
    finally:
        control.down(settings, delete_data=True)


def write_lake(settings: Settings, *, events: int, files: int = FILES) -> int:
    """Write a lake with one batch of about `events` events; return how many there are."""
    lake = create_lake(settings.lake)
    path = settings.data / "access.log"
    write_lines(path, lines=events)
    size = path.stat().st_size
    ends = [size * (part + 1) // files for part in range(files)]
    named = []
    for part, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        key = f"events/batch_id={1:032}/part={part:05}-0/events.parquet"
        out = lake.spool(key)
        out.parent.mkdir(parents=True, exist_ok=True)
        rows = parse_range(path, start, end, out)
        lake.upload(out, key)
        found = lake.stat(key).size
        digest = sha256_of(lake, key, found)
        named.append(NamedFile(path=key, rows=rows, bytes=found, sha256=digest))
    path.unlink()
    record = batch_record(1, ())
    total = sum(file.rows for file in named)
    record = replace(
        record,
        batch_id="0" * 32,  # which `parse_range` writes into each event
        files={**record.files, "events": tuple(named)},
        totals=replace(record.totals, events=total, lines_read=total, lines_ok=total),
    )
    lake.put_if_absent(record_key(1), record_to_json(record))
    return total


def compare(settings: Settings, *, rounds: int) -> dict[str, Median]:
    """Return the medians of each way, the order rotated, after a pass of each that is not measured.

    The server compiles what a way asks of it while it is asked.
    """
    for way in WAYS:
        in_a_process(one_pass, settings, way)
    passes: dict[str, list[Pass]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        first = turn % len(WAYS)
        for way in WAYS[first:] + WAYS[:first]:
            passes[way].append(in_a_process(one_pass, settings, way))
    return {way: _median(of) for way, of in passes.items()}


def _median(passes: Sequence[Pass]) -> Median:
    return Median(
        rate=median(one.documents / one.seconds for one in passes),
        client=median(one.client / one.documents for one in passes) * 100_000,
        server=median(one.server / one.documents for one in passes) * 100_000,
    )


def one_pass(settings: Settings, way: str) -> Pass:
    """Send the whole lake in one way into a fresh index, in this process."""
    settings = _with_fresh_index(settings)
    server = control.up(settings)
    process = psutil.Process(server.pid)
    with connect(server.url, environ={}) as client:
        index = _index(settings, client)
        send = _sender(settings, way, client)
        if way != OURS:
            prepare(index, "bench", [index.name])
        before, own, started = _cpu_of(process), time.process_time(), time.perf_counter()
        send()
        client.indices.refresh(index=index.name)
        found = Pass(
            documents=int(client.count(index=index.name)["count"]),
            seconds=time.perf_counter() - started,
            client=time.process_time() - own,
            server=_cpu_of(process) - before,
        )
        index.delete()
        return found


def _sender(settings: Settings, way: str, client: Elasticsearch) -> Callable[[], object]:
    """Return what sends the lake; bodies that are to be ready have been rendered by then."""
    index = settings.search.index
    if way == OURS:
        return partial(export, settings, partial(run_in_threads, writers=WRITERS))
    if way == CEILING:
        return partial(_send_ready, client, index, list(_bodies(settings)))
    actions = _actions(settings, index)
    if way == PARALLEL:
        return lambda: _drain(
            helpers.parallel_bulk(client, actions, thread_count=2, chunk_size=2_000)
        )
    return lambda: _drain(helpers.streaming_bulk(client, actions))


def _send_ready(client: Any, index: str, ready: Sequence[Body]) -> None:
    def send(body: Body) -> None:
        answer = client.bulk(index=index, operations=body.data, filter_path="errors")
        assert answer["errors"] is False

    with ThreadPoolExecutor(2) as pool:
        _drain(pool.map(send, ready))


def _drain(results: Iterable[object]) -> None:
    for _ in results:
        pass


def _bodies(settings: Settings) -> Iterator[Body]:
    for rows in _rows(settings):
        yield from bodies(rows, Rendering(), version=1, first_row=0, most_bytes=_BODY_BYTES)


def _rows(settings: Settings) -> Iterator[pa.RecordBatch]:
    lake = open_storage(settings.lake)
    columns = [column.name for column in COLUMNS]
    for key in sorted(found.key for found in lake.list("events/")):
        with open_parquet(lake, key) as parquet:
            yield from parquet.iter_batches(_CHUNK_ROWS, columns=columns)


def _actions(settings: Settings, index: str) -> Iterator[dict[str, Any]]:
    """Yield what the helpers take, as one writes it: a nested dict for each row, without nulls."""
    paths = {
        column.name: column.search.field.split(".")
        for column in EVENTS.columns
        if column.search is not None and column.name not in ("event_id", "extra")
    }
    for rows in _rows(settings):
        for row in rows.to_pylist():
            document: dict[str, Any] = {}
            for name, (*outer, leaf) in paths.items():
                if row[name] is not None:
                    level = document
                    for part in outer:
                        level = level.setdefault(part, {})
                    level[leaf] = row[name]
            document["event"].pop("duration", None)  # a whole number of nanoseconds in the index
            yield {"_index": index, "_id": row["event_id"], "_source": document}


def render_rate(settings: Settings) -> tuple[float, float]:
    """Return documents per second that one core renders, and the bytes of a document."""
    documents = size = 0
    started = time.process_time()
    for body in _bodies(settings):
        documents += len(body.rows)
        size += len(body.data)
    return documents / (time.process_time() - started), size / documents


def writer_peak(settings: Settings) -> float:
    """Return the peak memory in MiB of a process that exports the lake."""
    settings = _with_fresh_index(settings)
    with connect(control.up(settings).url, environ={}) as client:
        peak = in_a_process(_peak_of_export, settings)
        _index(settings, client).delete()
    return peak


def _peak_of_export(settings: Settings) -> float:
    export(settings, partial(run_in_threads, writers=WRITERS))
    return peak_bytes() / (1 << 20)


def _with_fresh_index(settings: Settings) -> Settings:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    return replace(settings, search=replace(settings.search, index=name))


def _index(settings: Settings, client: Elasticsearch) -> Index:
    lake = open_storage(settings.lake)
    marks = Marks(lake=lake_id(lake))
    return Index(client=client, search=settings.search, marks=marks, product=ELASTICSEARCH)


def _cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def load() -> str:
    """Return the load of the machine, for people."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())
