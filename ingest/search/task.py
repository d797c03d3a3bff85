"""The task of the export: Parquet files of sealed batches become documents.

It makes its own client from its own environment, so a task contains no secret. What stops it
comes back as a fact: an exception would make Spark wait out the deadline four times.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from ingest import errors
from ingest.errors import BooksError, ClickstreamError
from ingest.lake.balance import sha256_of
from ingest.lake.parquet import open_parquet
from ingest.local_search.state import read_state
from ingest.pseudonyms import Pseudonyms, read_mark
from ingest.search.body import Body
from ingest.search.bulk import DeadLetter, Sender, Tally
from ingest.search.client import connect
from ingest.search.document import COLUMNS, bodies
from ingest.storage import Storage, open_storage
from ingest.terminal.text import count_of

_CHUNK_ROWS = 8_192
_SHOWN_IDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """A Parquet file to export, as batch record `number` names it; `part` is its position there."""

    number: int
    batch_id: str
    part: int
    path: str
    rows: int
    bytes: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    """Files for one task, and where they go. Simple values only, no client, no secret.

    `state_file` is that of the local search server, None for another server. `pseudonyms` is the
    mark of what documents show of clients, None for their addresses.
    """

    lake: str
    url: str
    index: str
    target: str
    files: tuple[ExportFile, ...]
    most_bytes: int
    deadline_seconds: float
    state_file: str | None = None
    pseudonyms: str | None = None

    def is_gone(self) -> bool:
        """Return whether the local search server has ended."""
        if self.state_file is None:
            return False
        server = read_state(Path(self.state_file))
        return server is None or server.process() is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What became of one file. `dead_file` is a key in the lake, None without dead letters.

    `dead_types` counts the dead letters by the server's error type; `dead_ids` names a few of them.
    """

    file: ExportFile
    attempt: str
    tally: Tally
    dead_file: str | None = None
    dead_types: dict[str, int] = field(default_factory=dict)
    dead_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """The files that were sent completely, and what stopped the task: class and message."""

    files: tuple[FileFacts, ...]
    error: tuple[str, str] | None = None

    def failure(self) -> ClickstreamError | None:
        """Return what stopped the task as the exception it was, None when nothing did."""
        if self.error is None:
            return None
        kind, message = self.error
        raised = getattr(errors, kind)(message)
        return raised if isinstance(raised, ClickstreamError) else None


def export_task(task: ExportTask) -> TaskFacts:
    """Send the files of `task`. Expected errors are not raised but returned in TaskFacts."""
    done: list[FileFacts] = []
    lake = open_storage(task.lake)
    most_bytes = task.most_bytes
    try:
        with connect(task.url) as client:
            for file in task.files:
                facts, most_bytes = _export_file(task, file, lake, client, most_bytes)
                done.append(facts)
    except ClickstreamError as error:
        return TaskFacts(files=tuple(done), error=(type(error).__name__, str(error)))
    return TaskFacts(files=tuple(done))


def _export_file(
    task: ExportTask, file: ExportFile, lake: Storage, client: Elasticsearch, most_bytes: int
) -> tuple[FileFacts, int]:
    """Return the facts of one file and the largest body that the server accepts."""
    letters = DeadLetters(file, index=task.index)
    sender = Sender(
        client=client,
        index=task.index,
        url=task.url,
        most_bytes=most_bytes,
        deadline_seconds=task.deadline_seconds,
        on_dead_letter=letters.add,
        is_gone=task.is_gone,
    )
    try:
        tally = sender.send_all(_bodies(lake, file, sender, read_mark(task.pseudonyms, os.environ)))
        if tally.documents != file.rows:
            raise BooksError(
                f"{count_of(tally.documents, 'outcome')} for {count_of(file.rows, 'row')}"
            )
    except ClickstreamError as error:
        raise type(error)(f"{file.path}: {error}") from error
    facts = FileFacts(
        file=file,
        attempt=letters.attempt,
        tally=tally,
        dead_file=letters.write(lake, task.target),
        dead_types=dict(letters.types),
        dead_ids=tuple(letters.ids),
    )
    return facts, sender.most_bytes


def _bodies(
    lake: Storage, file: ExportFile, sender: Sender, pseudonyms: Pseudonyms | None
) -> Iterator[Body]:
    """Yield the bodies of `file`; raises BooksError when it is not the file of the record."""
    size = lake.stat(file.path).size
    if size != file.bytes:
        raise BooksError(f"has {count_of(size, 'byte')}, but its record says {file.bytes:,}")
    if file.sha256 is not None and sha256_of(lake, file.path, file.bytes) != file.sha256:
        raise BooksError(
            "is damaged: restore it, or read its logs again: clickstream replay --batch"
            f" {file.batch_id}"
        )
    with open_parquet(lake, file.path) as parquet:
        if parquet.metadata.num_rows != file.rows:
            rows_found = count_of(parquet.metadata.num_rows, "row")
            raise BooksError(f"has {rows_found}, but its record says {file.rows:,}")
        present = set(parquet.schema_arrow.names)
        columns = [column.name for column in COLUMNS if column.name in present]
        first = 0
        for rows in parquet.iter_batches(_CHUNK_ROWS, columns=columns):
            yield from bodies(
                rows,
                version=file.number,
                first_row=first,
                most_bytes=sender.most_bytes,
                pseudonyms=pseudonyms,
            )
            first += rows.num_rows


class DeadLetters:
    """Collects the dead letters of one file, compressed. They contain log content."""

    def __init__(self, file: ExportFile, *, index: str) -> None:
        self.attempt = uuid.uuid4().hex[:12]
        self.types: Counter[str] = Counter()
        self.ids: list[str] = []
        self._file = file
        self._index = index
        self._raw = io.BytesIO()
        self._lines = gzip.GzipFile(fileobj=self._raw, mode="wb")

    def add(self, letter: DeadLetter) -> None:
        """Keep `letter` with its document."""
        self.types[letter.type] += 1
        if len(self.ids) < _SHOWN_IDS:
            self.ids.append(letter.id)
        self._lines.write(json.dumps(self._content(letter)).encode() + b"\n")

    def write(self, lake: Storage, target: str) -> str | None:
        """Write what was added and return its key, None when nothing was."""
        self._lines.close()
        if not self.types:
            return None
        name = f"{self._file.number:020}-{self._file.part:05}-{self.attempt}.ndjson.gz"
        key = f"exports/{target}/dead/{name}"
        lake.put(key, self._raw.getvalue())
        return key

    def _content(self, letter: DeadLetter) -> dict[str, Any]:
        log = letter.doc["log"]
        return {
            "id": letter.id,
            "index": self._index,
            "status": letter.status,
            "type": letter.type,
            "reason": letter.reason,
            "batch_id": self._file.batch_id,
            "file": self._file.path,
            "row": letter.row,
            "source_file": log["file"]["path"],
            "source_offset": log["offset"],
            "attempts": letter.attempts,
            "at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "doc": letter.doc,
        }
