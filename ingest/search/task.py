"""The task of the export: Parquet files of sealed batches become documents.

It makes its own client from its own environment, so a task contains no secret. What stops it
comes back as a fact: an exception would make Spark wait out the deadline four times.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest import errors
from ingest.allocator import keep_freed_memory
from ingest.errors import BooksError, ClickstreamError, WrongMapping
from ingest.lake.balance import sha256_of
from ingest.lake.parquet import open_parquet
from ingest.local_search.state import read_state
from ingest.search.activity import Activity
from ingest.search.agreement import RECREATE
from ingest.search.body import Body
from ingest.search.bulk import Sender
from ingest.search.client import ApiError, Elasticsearch, TransportError, connect
from ingest.search.credentials import server_name
from ingest.search.document import Rendering, bodies, rendering
from ingest.search.letters import DeadLetters
from ingest.search.patience import Patience
from ingest.search.template import Marks
from ingest.search.work import Tally
from ingest.storage import Storage, open_storage
from ingest.terminal.text import count_of

_CHUNK_ROWS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """A Parquet file to export, as batch record `number` names it; `part` is its position there.

    `only` are the ids of the events to send, None for all.
    """

    number: int
    batch_id: str
    part: int
    path: str
    rows: int
    bytes: int
    sha256: str | None = None
    only: tuple[str, ...] | None = None

    @property
    def events(self) -> int:
        """How many events are sent."""
        return self.rows if self.only is None else len(self.only)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    """Files for one task, and where they go. Simple values only, no client, no secret.

    `index` is the alias when the indices are `monthly`. `state_file` is that of the local search
    server, None for another server. `marks` say what documents show.
    `refreshes` is set for the last of several: it makes the server write out what came before, on a
    core that would be idle during the refresh at the end.
    """

    lake: str
    url: str
    index: str
    target: str
    product: str
    files: tuple[ExportFile, ...]
    most_bytes: int
    deadline_seconds: float
    marks: Marks
    monthly: bool = False
    compress: bool = False
    state_file: str | None = None
    refreshes: bool = False

    @property
    def server(self) -> str:
        """The server as messages name it."""
        return server_name(self.product, self.url)

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


def export_task(
    task: ExportTask,
    stop: threading.Event | None = None,
    activity: Activity | None = None,
) -> TaskFacts:
    """Send the files of `task`; gives up when `stop` is set.

    `activity` is told what is done; tasks in one process share it.

    Expected errors are not raised but returned in TaskFacts.
    """
    keep_freed_memory()
    done: list[FileFacts] = []
    lake = open_storage(task.lake)
    try:
        how = rendering(task.marks, os.environ, monthly=task.index if task.monthly else None)
        with connect(task.url, product=task.product, compress=task.compress) as client:
            activity = activity or Activity(task.server)
            if task.refreshes:
                _refresh(client, task.index)
            sender = _sender(task, client, activity, stop or threading.Event())
            for file in task.files:
                # Window and largest body, learned from the server, hold for the next file too.
                sender = replace(sender, tally=Tally())
                done.append(_export_file(task, file, lake, sender, how))
    except ClickstreamError as error:
        return TaskFacts(files=tuple(done), error=(type(error).__name__, str(error)))
    return TaskFacts(files=tuple(done))


def _refresh(client: Elasticsearch, index: str) -> None:
    # It only saves time: what is wrong with the server, the documents will meet as well.
    with suppress(ApiError, TransportError):
        client.indices.refresh(index=index)


def _sender(
    task: ExportTask, client: Elasticsearch, activity: Activity, stop: threading.Event
) -> Sender:
    return Sender(
        client=client,
        index=task.index,
        url=task.url,
        server=task.server,
        most_bytes=task.most_bytes,
        patience=Patience(deadline_seconds=task.deadline_seconds),
        activity=activity,
        is_gone=task.is_gone,
        stop=stop,
    )


def _export_file(
    task: ExportTask, file: ExportFile, lake: Storage, sender: Sender, how: Rendering
) -> FileFacts:
    letters = DeadLetters(file, index=task.index)
    sender.on_dead_letter = letters.add
    try:
        tally = sender.send_all(_bodies(lake, file, sender, how))
        if tally.documents != file.events:
            raise BooksError(
                f"{count_of(tally.documents, 'outcome')} for {count_of(file.events, 'row')}"
            )
    except WrongMapping as error:
        # No seal names them: they only show the reasons.
        kept = letters.write(lake, task.target)
        raise WrongMapping(
            f"{file.path}: {error}; the first reasons are in {lake.uri}/{kept}: after a fix of the "
            f"contract or the mapping {RECREATE}"
        ) from error
    except ClickstreamError as error:
        raise type(error)(f"{file.path}: {error}") from error
    return FileFacts(
        file=file,
        attempt=letters.attempt,
        tally=tally,
        dead_file=letters.write(lake, task.target),
        dead_types=dict(letters.types),
        dead_ids=tuple(letters.ids),
    )


def _bodies(lake: Storage, file: ExportFile, sender: Sender, how: Rendering) -> Iterator[Body]:
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
        columns = how.columns(parquet.schema_arrow.names)
        first = 0
        for rows in parquet.iter_batches(_CHUNK_ROWS, columns=columns):
            rendered = partial(bodies, how=how, version=file.number, most_bytes=sender.most_bytes)
            if file.only is None:
                yield from rendered(rows, first_row=first)
            else:
                chosen = _places(rows, file.only)
                for body in rendered(rows.take(pa.array(chosen)), first_row=0):
                    yield replace(body, rows=[first + int(chosen[i]) for i in body.rows])
            first += rows.num_rows


def _places(rows: pa.RecordBatch, ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the positions of the events `ids` in `rows`."""
    hits = pc.is_in(rows["event_id"], value_set=pa.array(ids, pa.string()))
    return np.flatnonzero(hits.to_numpy(zero_copy_only=False))
