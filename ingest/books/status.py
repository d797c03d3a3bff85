"""What the ledgers record, without recounting: batches, objects, rejects, loads and exports.

Only the lake and the ledger files are read: no Spark, no search server, no waiting.
`ingest.books.verify` recounts where the rows are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.lake.counts import LineCounts, add_counts
from ingest.lake.records import BatchRecord, open_lake, read_log
from ingest.search.seals import Seal, read_seals, targets
from ingest.settings import Settings
from ingest.terminal.text import count_of, printable, table_text
from ingest.warehouse.ledger import QUARANTINED
from ingest.warehouse.spark.ledger import LedgerFolders

_FILES_SHOWN = 20
_ACCEPT = "clickstream run --accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState(LineCounts):
    """A sealed batch. `state` is live, replaced, quarantined, or `not loaded`.

    `documents` are those in the index; None for a batch that was not exported.
    """

    number: int
    batch_id: str
    source: str
    sealed_at: datetime
    state: str
    objects: int
    bytes: int
    documents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A raw object whose status is not `ok`."""

    source_file: str
    file_status: str
    file_reason: str | None
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that is recorded about one lake.

    `counts` maps each warning code, skip reason and reject reason to its number of lines in live
    batches; `exports` maps each target of an export to its number of documents.
    """

    lake: str
    batches: tuple[BatchState, ...]
    files: tuple[FileState, ...]
    counts: Mapping[str, int]
    exports: Mapping[str, int]


def status(settings: Settings) -> Books:
    """Return the books; an empty lake has empty ones. Raises BooksError for a broken log."""
    lake = open_lake(settings.lake)
    records = read_log(lake)
    states = _loaded(settings)
    seals = {target: read_seals(lake, target) for target in targets(lake)}
    replaced = {batch_id for record in records for batch_id in record.replaces}
    counts: Counter[str] = Counter()
    for record in records:
        if record.batch_id not in replaced:
            counts.update(record.totals.counts)
    return Books(
        lake=settings.lake,
        batches=tuple(_batch(record, states, seals) for record in records),
        files=tuple(
            FileState(
                source_file=found.source_file,
                file_status=found.file_status,
                file_reason=found.file_reason,
                batch=record.number,
            )
            for record in records
            if record.batch_id not in replaced
            for found in record.objects
            if found.file_status != "ok"
        ),
        counts=dict(sorted(counts.items())),
        exports={
            target: sum(
                seal.indexed for seal in of_target.values() if seal.batch_id not in replaced
            )
            for target, of_target in seals.items()
        },
    )


def _loaded(settings: Settings) -> dict[str, str]:
    """Return batch id -> state in the newest ledger; empty when nothing was loaded."""
    ledgers = LedgerFolders(settings)
    newest = ledgers.newest()
    batches = {} if newest is None else ledgers.read(newest)
    return {batch_id: batch.state for batch_id, batch in batches.items()}


def _batch(
    record: BatchRecord, states: Mapping[str, str], seals: Mapping[str, Mapping[str, Seal]]
) -> BatchState:
    totals = record.totals
    mine = [found[record.batch_id] for found in seals.values() if record.batch_id in found]
    newest = max(mine, key=lambda seal: seal.finished_at, default=None)
    return BatchState(
        number=record.number,
        batch_id=record.batch_id,
        source=record.source,
        sealed_at=record.sealed_at,
        state=states.get(record.batch_id, "not loaded"),
        objects=totals.objects,
        bytes=totals.bytes,
        documents=None if newest is None else newest.indexed,
        **add_counts([totals]),
    )


def status_text(books: Books) -> str:
    """Return the books for a person to read."""
    if not books.batches:
        return f"{books.lake}: no batch has been sealed yet; start with: clickstream run"
    parts = [
        f"lake {books.lake}",
        table_text(_BATCH_COLUMNS, [_batch_row(batch) for batch in books.batches]),
    ]
    quarantined = [batch for batch in books.batches if batch.state == QUARANTINED]
    if quarantined:
        remedies = [
            f"batch {b.number} exceeds the reject limit and is quarantined; accept it with: "
            f"{_ACCEPT} {b.batch_id}"
            for b in quarantined
        ]
        parts.append("\n".join(remedies))
    if books.counts:
        parts.append(table_text(["code or reason", "lines"], list(books.counts.items())))
    if books.files:
        parts.append(_files_text(books.files))
    exports = [
        f"exported to {name}: {count_of(count, 'document')}"
        for name, count in books.exports.items()
    ]
    parts.append("\n".join(exports) or "nothing has been exported yet")
    return "\n\n".join(parts)


_BATCH_COLUMNS = (
    "batch", "id", "source", "state", "objects", "lines", "ok", "warn", "skip", "reject", "events",
    "documents",
)  # fmt: skip


def _batch_row(batch: BatchState) -> tuple[object, ...]:
    return (
        batch.number, batch.batch_id[:12], batch.source, batch.state, batch.objects,
        batch.lines_read, batch.lines_ok, batch.lines_warn, batch.lines_skip, batch.lines_reject,
        batch.events, batch.documents,
    )  # fmt: skip


def _files_text(files: Sequence[FileState]) -> str:
    rows = [
        (file.file_status, file.batch, file.source_file, printable(file.file_reason))
        for file in files[:_FILES_SHOWN]
    ]
    text = table_text(["file status", "batch", "object", "reason"], rows)
    left = len(files) - len(rows)
    return f"{text}\n... and {left:,} more (--json lists all)" if left else text
