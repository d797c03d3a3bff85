"""A lake with batches made by hand, and its export in this process, without Spark."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from elasticsearch import Elasticsearch

from ingest.contract import EVENTS
from ingest.lake.parquet import ParquetSink
from ingest.lake.records import (
    RECORD_FORMAT,
    BatchRecord,
    NamedFile,
    Totals,
    create_lake,
    record_key,
    record_to_json,
)
from ingest.render import arrow_schema
from ingest.search.export import ExportSummary
from ingest.search.export import export as export_with
from ingest.search.task import ExportTask, TaskFacts, export_task
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import Storage

SCHEMA = arrow_schema(EVENTS)
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def event(i: int, batch: str, **columns: Any) -> dict[str, Any]:
    return {
        "event_id": f"{i:032x}",
        "batch_id": batch,
        "event_time": NOW + timedelta(microseconds=i),
        "event_date": date(2026, 2, 1),
        "ingest_time": NOW,
        "source_format": "access",
        "source_file": "web/access.log",
        "source_offset": i,
        "parse_status": "ok",
        "event_type": "request",
        "status_code": 200 + i % 3,
        "url_original": f"/page/{i}",
    } | columns


def in_month(month: int) -> dict[str, Any]:
    """Return when an event of this month of 2026 happened."""
    return {"event_date": date(2026, month, 3), "event_time": datetime(2026, month, 3, tzinfo=UTC)}


class Log:
    """A lake with batches made by hand."""

    def __init__(self, uri: str) -> None:
        self.lake: Storage = create_lake(uri)
        self.records: list[BatchRecord] = []

    def seal(
        self, *files: Sequence[dict[str, Any]], replaces: Iterable[int] = (), rejects: int = 0
    ) -> BatchRecord:
        number = len(self.records) + 1
        batch = f"{number:032}"
        named = [self._write(batch, part, rows) for part, rows in enumerate(files)]
        events = sum(file.rows for file in named)
        record = BatchRecord(
            format=RECORD_FORMAT, number=number, batch_id=batch, writer="test", sealed_at=NOW,
            ingest_time=NOW, source="raw", contract_version=1, parser_version=1, settings_hash="",
            range_bytes=8 << 20, reject_limit_ratio=0.01,
            replaces=tuple(f"{old:032}" for old in replaces), objects=(),
            files={"events": tuple(named), "rejects": (), "files": ()},
            totals=Totals(
                objects=1, bytes=1, lines_read=events + rejects, lines_ok=events, lines_warn=0,
                lines_skip=0, lines_reject=rejects, events=events, rejects=rejects,
                min_event_time=None, max_event_time=None, counts={},
            ),
        )  # fmt: skip
        assert self.lake.put_if_absent(record_key(number), record_to_json(record))
        self.records.append(record)
        return record

    def events(
        self, ids: Iterable[int], *, number: int | None = None, **columns: Any
    ) -> list[dict[str, Any]]:
        batch = f"{number or len(self.records) + 1:032}"
        return [event(i, batch, **columns) for i in ids]

    def _write(self, batch: str, part: int, rows: Sequence[dict[str, Any]]) -> NamedFile:
        key = f"events/batch_id={batch}/part={part:05}-0/events.parquet"
        full = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
        path = self.lake.spool(key)
        with ParquetSink(path, EVENTS) as sink:
            sink.write(pa.Table.from_pylist(full, schema=SCHEMA))
            written = sink.close()
        return NamedFile(path=key, rows=written.rows, bytes=written.bytes)


def settings_for(folder: Path, url: str, index: str) -> Settings:
    """Return settings of a lake in `folder` that is exported to `index`."""
    return Settings(
        root=folder,
        data=folder,
        lake=str(folder / "lake"),
        target="local",
        sources=(Source(name="raw", uri=str(folder)),),
        search=SearchSettings(url=url, index=index, deadline_seconds=20),
    )


def run_here(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
    """Run the tasks in this process, both ways pickled as Spark does."""
    travelled = pickle.loads(pickle.dumps(list(tasks)))  # noqa: S301
    return [pickle.loads(pickle.dumps(export_task(task))) for task in travelled]  # noqa: S301


def run_at_once(tasks: Sequence[ExportTask], *, most_bytes: int) -> list[TaskFacts]:
    """Send each file in a task of its own, twelve of them at once."""
    alone = [
        replace(task, files=(file,), most_bytes=most_bytes) for task in tasks for file in task.files
    ]
    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(export_task, alone))


def export(settings: Settings, **options: Any) -> ExportSummary:
    return export_with(settings, run_here, **options)


def sources(elastic: Elasticsearch, index: str) -> dict[str, dict[str, Any]]:
    elastic.indices.refresh(index=index)
    found = elastic.search(index=index, size=10_000, version=True)["hits"]["hits"]
    return {hit["_id"]: {"version": hit["_version"], **hit["_source"]} for hit in found}
