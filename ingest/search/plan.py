"""What to export: decided from the log of batches, the seals and the counts of the index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.errors import BooksError
from ingest.lake.checks import first_few
from ingest.lake.records import BatchRecord
from ingest.lake.states import LIVE, QUARANTINED, REPLACED, BatchState, in_state, successor
from ingest.search.index import Counts
from ingest.search.letters import KeptLetter
from ingest.search.seals import Seal
from ingest.search.task import ExportFile
from ingest.terminal.text import count_of

_MIB = 1 << 20
# Small files share a task: starting a task costs more than sending them.
_SMALL_BYTES, _PACKED_BYTES = 4 * _MIB, 16 * _MIB
# About half a minute of work between two seals.
_WAVE_ROWS = 500_000

# Whether the index of this name is one that is kept.
IsKept = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The state of the export. Records are in number order.

    `live` must be in the index, `todo` are those that are not (yet, or no longer), `quarantined`
    wait for `--accept`. `successors` maps the id of each replaced batch to the live record in its
    place. `notices` tell why a sealed batch is exported again. `waiting` are live batches that are
    not in the index and are left alone.
    """

    live: tuple[BatchRecord, ...]
    todo: tuple[BatchRecord, ...]
    quarantined: tuple[BatchRecord, ...]
    successors: Mapping[str, BatchRecord]
    notices: tuple[str, ...]
    waiting: tuple[BatchRecord, ...] = ()

    def exported_only(self) -> Plan:
        """Return the plan without what is not in the index, and without what that replaces."""
        numbers = {record.number for record in self.todo}
        return replace(
            self,
            live=tuple(record for record in self.live if record.number not in numbers),
            todo=(),
            successors={
                old: record
                for old, record in self.successors.items()
                if record.number not in numbers
            },
            waiting=self.todo,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is sent of one batch; `kept` of its documents are in the index and stay as they are."""

    record: BatchRecord
    files: tuple[ExportFile, ...]
    kept: int = 0


def make_plan(
    records: Sequence[BatchRecord],
    *,
    states: Mapping[str, BatchState],
    seals: Mapping[str, Seal],
    counts: Counts,
    is_kept: IsKept = lambda _name: True,
) -> Plan:
    """Plan the export of `records`, the whole log.

    `states` are those of `ingest.lake.states.decide`. `counts` are the documents per batch and
    index, of which only those count that are to be kept. Raises BooksError when there is a batch
    that no record knows.
    """
    by_id = {record.batch_id: record for record in records}
    unknown = sorted(counts.keys() - by_id.keys())
    if unknown:
        raise BooksError(
            f"the index holds documents of {count_of(len(unknown), 'batch', 'batches')} that the "
            f"lake does not know ({first_few(unknown)}): run `clickstream export --recreate`"
        )
    live = in_state(records, states, LIVE)
    missing = {record.batch_id: _missing(record, seals, counts, is_kept) for record in live}
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


def kept(documents: Mapping[str, int], is_kept: IsKept) -> dict[str, int]:
    """Return those of `documents`, a number per index, that are in indices which are kept."""
    return {name: count for name, count in documents.items() if count and is_kept(name)}


def _missing(
    record: BatchRecord, seals: Mapping[str, Seal], counts: Counts, is_kept: IsKept
) -> str | None:
    """Return None for a batch that is done, else why it is not ("" when it is just new)."""
    seal = seals.get(record.batch_id)
    if seal is None:
        return ""
    there = kept(counts.get(record.batch_id, {}), is_kept)
    had = kept(seal.indices, is_kept)
    if there == had:
        return None
    return (
        f"batch {record.number} had {count_of(sum(had.values()), 'document')} in the index and now "
        f"has {sum(there.values()):,}: exporting it again"
    )


def whole(record: BatchRecord) -> Delivery:
    """Return the delivery of all events of `record`."""
    return Delivery(record=record, files=tuple(files([record])))


def refused_only(record: BatchRecord, seal: Seal, letters: Sequence[KeptLetter]) -> Delivery:
    """Return the delivery of the events that are dead letters of `record`, which `seal` names."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for letter in letters:
        ids[letter.file].append(letter.id)
    chosen = [file for file in files([record]) if file.path in ids]
    if len(chosen) != len(ids):
        raise BooksError(
            f"a dead letter of batch {record.number} is from a file that is not in its record: "
            "run `clickstream export --recreate`"
        )
    return Delivery(
        record=record,
        files=tuple(replace(file, only=tuple(ids[file.path])) for file in chosen),
        kept=seal.indexed,
    )


def waves(todo: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Yield `todo` in order, cut into groups that are sent, counted and sealed together."""
    wave: list[Delivery] = []
    rows = 0
    for delivery in todo:
        wave.append(delivery)
        rows += sum(file.events for file in delivery.files)
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
