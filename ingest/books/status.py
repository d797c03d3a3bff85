"""What the ledgers record, without recounting: batches, objects, rejects, loads and exports.

Only the lake and the ledger are read, on Spark from its files: no JVM, no search server.
`ingest.books.verify` recounts where the rows are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.errors import BooksError
from ingest.job.replay import has_settings
from ingest.lake.accepted import Acceptance, accepted_ids, how_to_accept, read_acceptance
from ingest.lake.clean import Orphans, find_orphans
from ingest.lake.counts import LineCounts, add_counts
from ingest.lake.records import BatchRecord, open_lake, read_log
from ingest.lake.refused import REFUSED_CONTENT, SEE_REMEDIES, current_objects
from ingest.lake.states import LIVE, QUARANTINED, REPLACED, decide, last_read
from ingest.search.letters import REPLAY, describe_types, read_letters
from ingest.search.seals import Seal, read_seals, targets
from ingest.settings import Settings, Source
from ingest.storage import Storage
from ingest.terminal.text import count_of, printable, table_text
from ingest.warehouse import shown_batches

_FILES_SHOWN = 20
_NOT_LOADED = "not loaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState(LineCounts):
    """A sealed batch. `state` is what readers of landing see: live, replaced, quarantined, or
    `not loaded`; `decided` is what the log and the acceptances say, and the next load makes true.

    `counts` maps each warning code, skip reason and reject reason to its lines. `acceptance` tells
    who accepted the batch, None when nobody did. `documents` are those in the index; None for a
    batch that was not exported.
    """

    number: int
    batch_id: str
    source: str
    sealed_at: datetime
    state: str
    decided: str
    acceptance: Acceptance | None
    counts: Mapping[str, int]
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
class DeadLetters:
    """The dead letters of a batch at one target, by error type; without types they are lost."""

    target: str
    batch: int
    documents: int
    types: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that is recorded about one lake.

    `counts` maps each warning code, skip reason and reject reason to its number of lines in live
    batches; `exports` maps each target of an export to its number of documents, `servers` to its
    server, and `dead_letters` are the documents that it refused. `orphans` are files in the lake
    that `clickstream clean` removes. `reread` maps each source to the batches, by number, that were
    read by other settings than it has now.
    """

    lake: str
    batches: tuple[BatchState, ...]
    files: tuple[FileState, ...]
    counts: Mapping[str, int]
    exports: Mapping[str, int]
    servers: Mapping[str, str]
    dead_letters: tuple[DeadLetters, ...]
    orphans: Orphans
    reread: Mapping[str, tuple[int, ...]]


def status(settings: Settings) -> Books:
    """Return the books; an empty lake has empty ones.

    Raises BooksError when the log of batches, or the lake's own record, is broken or lost.
    """
    lake = open_lake(settings.lake)
    records = read_log(lake)
    shown = _shown(settings)
    accepted = accepted_ids(lake)
    decided = {batch_id: one.state for batch_id, one in decide(records, accepted).items()}
    acceptances = {batch_id: read_acceptance(lake, batch_id) for batch_id in accepted}
    seals = {target: read_seals(lake, target) for target in targets(lake)}
    counts: Counter[str] = Counter()
    for record in records:
        if decided[record.batch_id] == LIVE:
            counts.update(record.totals.counts)
    return Books(
        lake=settings.lake,
        batches=tuple(
            _batch(
                record,
                shown.get(record.batch_id, _NOT_LOADED),
                decided[record.batch_id],
                acceptances.get(record.batch_id),
                seals,
            )
            for record in records
        ),
        files=tuple(_files([r for r in records if decided[r.batch_id] != REPLACED])),
        counts=dict(sorted(counts.items())),
        exports={
            target: sum(
                seal.indexed for seal in of_target.values() if decided.get(seal.batch_id) == LIVE
            )
            for target, of_target in seals.items()
        },
        servers={
            target: max(of_target.values(), key=lambda seal: seal.finished_at).server
            for target, of_target in seals.items()
            if of_target
        },
        dead_letters=tuple(
            _dead_letters(lake, target, seal)
            for target, of_target in seals.items()
            for seal in sorted(of_target.values(), key=lambda seal: seal.number)
            if seal.dead and decided.get(seal.batch_id) == LIVE
        ),
        orphans=find_orphans(lake, records, now=datetime.now(UTC)),
        reread={
            source.name: batches
            for source in settings.sources
            if (batches := _read_otherwise(records, source))
        },
    )


def _read_otherwise(records: Sequence[BatchRecord], source: Source) -> tuple[int, ...]:
    """Return the batches of `source` whose lines other settings have read."""
    return tuple(
        record.number
        for record in last_read(records)
        if record.source == source.name
        and record.totals.lines_read
        and not has_settings(record, source)
    )


def _dead_letters(lake: Storage, target: str, seal: Seal) -> DeadLetters:
    """Return the types only: the reasons contain what logs say."""
    try:
        types = Counter(letter.type for letter in read_letters(lake, seal))
    except BooksError:
        types = Counter()
    return DeadLetters(
        target=target, batch=seal.number, documents=seal.dead, types=dict(types.most_common())
    )


def _files(records: Sequence[BatchRecord]) -> Iterator[FileState]:
    """Yield the objects that are not ok."""
    for record, found in current_objects(records):
        if found.file_status != "ok":
            yield FileState(
                source_file=found.source_file,
                file_status=found.file_status,
                file_reason=found.file_reason,
                batch=record.number,
            )


def _shown(settings: Settings) -> dict[str, str]:
    """Return batch id -> state in the ledger that readers see; empty when nothing was loaded."""
    return {batch_id: batch.state for batch_id, batch in shown_batches(settings).items()}


def _batch(
    record: BatchRecord,
    state: str,
    decided: str,
    acceptance: Acceptance | None,
    seals: Mapping[str, Mapping[str, Seal]],
) -> BatchState:
    totals = record.totals
    mine = [found[record.batch_id] for found in seals.values() if record.batch_id in found]
    newest = max(mine, key=lambda seal: seal.finished_at, default=None)
    return BatchState(
        number=record.number,
        batch_id=record.batch_id,
        source=record.source,
        sealed_at=record.sealed_at,
        state=state,
        decided=decided,
        acceptance=acceptance,
        counts=totals.counts,
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
    remarks = [remark for batch in books.batches for remark in _remarks(batch)]
    if remarks:
        parts.append("\n".join(remarks))
    if books.counts:
        parts.append(table_text(["code or reason", "lines"], list(books.counts.items())))
    if refused := _what_was_refused(books):
        parts.append(f"{refused}, and how to fix them: `{SEE_REMEDIES}`")
    if books.reread:
        parts.append("\n".join(_reread_text(*one) for one in books.reread.items()))
    if books.files:
        parts.append(_files_text(books.files))
    exports = [
        f"exported to {name}{_server_text(books, name)}: {count_of(count, 'document')}"
        for name, count in books.exports.items()
    ]
    parts.append("\n".join(exports) or "nothing has been exported yet")
    if books.dead_letters:
        parts.append("\n".join([*map(_dead_text, books.dead_letters), REPLAY]))
    if books.orphans.files:
        parts.append(
            f"{orphans_text(books.orphans)} in the lake, left by attempts that were killed:"
            " `clickstream clean` removes them"
        )
    return "\n\n".join(parts)


def _what_was_refused(books: Books) -> str:
    """Return of what `status --rejects` knows more, empty when it has nothing to say."""
    current = (batch for batch in books.batches if batch.decided != REPLACED)
    kinds = {
        "rejected lines": any(batch.lines_reject for batch in current),
        "refused objects": any(file.file_status in REFUSED_CONTENT for file in books.files),
    }
    return " and ".join(kind for kind, is_there in kinds.items() if is_there)


def _reread_text(source: str, batches: Sequence[int]) -> str:
    """Return how to read by the present settings what others have read."""
    count = count_of(len(batches), "batch was", "batches were")
    return (
        f"source {source}: settings changed since batch {batches[-1]} ({count} read by others);"
        f" to read {'it' if len(batches) == 1 else 'them'} again:"
        f" clickstream replay {source} --settings"
    )


def _server_text(books: Books, target: str) -> str:
    """Return the server of `target` in brackets; "" where no seal names one."""
    return f" ({printable(books.servers[target])})" if target in books.servers else ""


def _dead_text(letters: DeadLetters) -> str:
    """Return how many documents of a batch a target refused, and why."""
    types = describe_types(letters.types) or "they are missing from the lake or cannot be read"
    documents = count_of(letters.documents, "dead letter")
    return f"{letters.target}: batch {letters.batch} has {documents} ({types})"


def orphans_text(orphans: Orphans) -> str:
    """Return how many files those are, and how large."""
    return f"{count_of(orphans.files, 'file')} ({orphans.bytes:,} bytes) that no batch names"


def _remarks(batch: BatchState) -> Iterator[str]:
    """Yield what a person has to know about a batch, and what to do."""
    if batch.decided == QUARANTINED:
        reasons = ", ".join(f"{lines:,} {name}" for name, lines in batch.counts.items())
        yield (
            f"batch {batch.number} exceeds the reject limit and is quarantined "
            f"({batch.lines_reject:,} of {count_of(batch.lines_read, 'line')} rejected; by code "
            f"and reason: {reasons}); {how_to_accept([batch.batch_id])}"
        )
    elif batch.acceptance is not None:
        yield (
            f"batch {batch.number} was accepted by {printable(batch.acceptance.who)} at "
            f"{batch.acceptance.at:%Y-%m-%d %H:%M} UTC"
        )
    if batch.state not in (batch.decided, _NOT_LOADED):
        yield (
            f"batch {batch.number} is {batch.decided} now, but readers still see it as "
            f"{batch.state}: run `clickstream load`"
        )


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
