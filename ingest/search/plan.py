"""What to export: decided from the log of batches, the seals and the counts of the index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.errors import BooksError
from ingest.lake.checks import first_few
from ingest.lake.records import BatchRecord
from ingest.lake.states import LIVE, QUARANTINED, REPLACED, BatchState, in_state, successor
from ingest.search.seals import Seal
from ingest.search.task import ExportFile
from ingest.terminal.text import count_of

_MIB = 1 << 20
# Small files share a task: starting a task costs more than sending them.
_SMALL_BYTES, _PACKED_BYTES = 4 * _MIB, 16 * _MIB
# About half a minute of work between two seals.
_WAVE_ROWS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The state of the export. Records are in number order.

    `live` must be in the index, `todo` are those that are not (yet, or no longer), `quarantined`
    wait for `--accept`. `successors` maps the id of each replaced batch to the live record in its
    place. `notices` tell why a sealed batch is exported again.
    """

    live: tuple[BatchRecord, ...]
    todo: tuple[BatchRecord, ...]
    quarantined: tuple[BatchRecord, ...]
    successors: Mapping[str, BatchRecord]
    notices: tuple[str, ...]


def make_plan(
    records: Sequence[BatchRecord],
    *,
    states: Mapping[str, BatchState],
    seals: Mapping[str, Seal],
    counts: Mapping[str, int],
) -> Plan:
    """Plan the export of `records`, the whole log.

    `states` are those of `ingest.lake.states.decide`. `counts` are the documents per batch in the
    index. Raises BooksError when the index holds a batch that no record knows.
    """
    by_id = {record.batch_id: record for record in records}
    unknown = sorted(counts.keys() - by_id.keys())
    if unknown:
        raise BooksError(
            f"the index holds documents of {count_of(len(unknown), 'batch', 'batches')} that the "
            f"lake does not know ({first_few(unknown)}): run `clickstream export --recreate`"
        )
    live = in_state(records, states, LIVE)
    missing = {record.batch_id: _missing(record, seals, counts) for record in live}
    return Plan(
        live=live,
        todo=tuple(r for r in live if missing[r.batch_id] is not None),
        quarantined=in_state(records, states, QUARANTINED),
        successors={
            old.batch_id: by_id[successor(old.batch_id, states)]
            for old in in_state(records, states, REPLACED)
        },
        notices=tuple(notice for notice in missing.values() if notice),
    )


def _missing(
    record: BatchRecord, seals: Mapping[str, Seal], counts: Mapping[str, int]
) -> str | None:
    """Return None for a batch that is done, else why it is not ("" when it is just new)."""
    seal = seals.get(record.batch_id)
    if seal is None:
        return ""
    there = counts.get(record.batch_id, 0)
    if there == seal.indexed:
        return None
    return (
        f"batch {record.number} had {count_of(seal.indexed, 'document')} in the index and now has "
        f"{there:,}: exporting it again"
    )


def waves(todo: Sequence[BatchRecord]) -> Iterator[list[BatchRecord]]:
    """Yield `todo` in order, cut into groups that are sent, counted and sealed together."""
    wave: list[BatchRecord] = []
    rows = 0
    for record in todo:
        wave.append(record)
        rows += record.totals.events
        if rows >= _WAVE_ROWS:
            yield wave
            wave, rows = [], 0
    if wave:
        yield wave


def files(records: Sequence[BatchRecord]) -> list[ExportFile]:
    """Return the files of events of `records` as tasks take them."""
    return [
        ExportFile(
            number=record.number,
            batch_id=record.batch_id,
            part=part,
            path=named.path,
            rows=named.rows,
            bytes=named.bytes,
            sha256=named.sha256,
        )
        for record in records
        for part, named in enumerate(record.files.get("events", ()))
    ]


def pack(found: Sequence[ExportFile]) -> list[tuple[ExportFile, ...]]:
    """Return `found` in groups of one task each, in order: small files are packed together."""
    packs: list[list[ExportFile]] = []
    room = 0
    for file in found:
        if file.bytes < _SMALL_BYTES and file.bytes <= room:
            packs[-1].append(file)
            room -= file.bytes
        else:
            packs.append([file])
            room = _PACKED_BYTES - file.bytes if file.bytes < _SMALL_BYTES else 0
    return [tuple(members) for members in packs]
