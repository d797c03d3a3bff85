"""What is to be read: content bytes of logs, at the places where the logs lie now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.lake.ownership import Log
from ingest.storage import StoredObject

# Caps of one batch, so that its record and its retry stay small; the rest goes into the next one.
MAX_OBJECTS = 10_000
MAX_BYTES = 100 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The content bytes [resume, stop) of the log `name`, which lies in `found` now.

    `stop` None is the end of the content. `log` is what the ledger knows of it, None for a new
    one. `first_line` is the number of the line at `resume`, None when it is not known. Unless
    `final`, a last line without its end is left for a later run. `corrects` names logs whose
    events these take the place of.
    """

    name: str
    found: StoredObject
    resume: int = 0
    stop: int | None = None
    log: Log | None = None
    first_line: int | None = 1
    final: bool = True
    corrects: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, int, str, int, int | None, tuple[str, ...]]:
        """What makes it another reading, for the id of its batch."""
        found = self.found
        return (
            self.name, found.key, found.size, found.etag, self.resume, self.stop, self.corrects,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A log that has a new place, or was touched or compressed, and brings nothing new."""

    log: Log
    found: StoredObject
    waiting_bytes: int = 0

    @property
    def identity(self) -> tuple[str, int, str, int, str, int]:
        """What makes it another move, for the id of its batch: a log may go to and fro."""
        log, found = self.log, self.found
        return (log.name, log.placed, found.key, found.size, found.etag, self.waiting_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one batch reads, in the order of the keys; `replaces` are ids of batches read again."""

    readings: tuple[Reading, ...]
    moves: tuple[Move, ...] = ()
    replaces: tuple[str, ...] = ()


def batches(
    readings: Sequence[Reading],
    moves: Sequence[Move],
    *,
    max_objects: int = MAX_OBJECTS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Batch]:
    """Yield all readings in batches within the caps; the moves go along with the first one."""
    ordered = sorted(readings, key=lambda reading: reading.found.key.encode())
    chosen: list[Reading] = []
    size = 0
    rest = tuple(sorted(moves, key=lambda move: move.found.key.encode()))
    for reading in ordered:
        cost = reading.found.size - min(reading.resume, reading.found.size)
        if chosen and (len(chosen) == max_objects or size + cost > max_bytes):
            yield Batch(readings=tuple(chosen), moves=rest)
            chosen, size, rest = [], 0, ()
        chosen.append(reading)
        size += cost
    if chosen or rest:
        yield Batch(readings=tuple(chosen), moves=rest)
