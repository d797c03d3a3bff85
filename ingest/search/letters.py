"""Dead letters: the documents that the server refuses for good, kept in the lake.

They contain log content: of what is in them only ids and the server's error types may be shown.
"""

from __future__ import annotations

import gzip
import io
import json
import uuid
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest.errors import BooksError, StorageError
from ingest.lake.checks import first_few
from ingest.search.seals import Seal
from ingest.storage import Storage
from ingest.terminal.text import count_of, printable

if TYPE_CHECKING:  # the commands that only read the lake import no client
    from ingest.search.task import ExportFile
    from ingest.search.work import DeadLetter

_SHOWN_IDS = 5
REPLAY = "after a fix of the contract or the mapping run `clickstream export --replay`"


def refused_problem(batches: Sequence[int], max_dead: int) -> str:
    """Return what is wrong with `batches`, which have more dead letters than `max_dead` allows."""
    what = "batch" if len(batches) == 1 else "batches"
    return (
        f"the server refused more documents of {what} {first_few(batches)} than search.max_dead ="
        f" {max_dead:,} allows: `clickstream status` lists them; {REPLAY}, or raise search.max_dead"
    )


class DeadLetters:
    """Collects the dead letters of one file, compressed."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLetter:
    """What is needed of a dead letter in the lake: the event, its error type, its Parquet file."""

    id: str
    type: str
    file: str


def read_letters(lake: Storage, seal: Seal) -> list[KeptLetter]:
    """Return the dead letters that `seal` names.

    Raises BooksError when they cannot be read or are not as many as it says.
    """
    try:
        found = [letter for key in seal.dead_files for letter in _read(lake, key)]
    except (StorageError, OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise BooksError(
            f"the dead letters of batch {seal.number} cannot be read ({type(error).__name__}): "
            "`clickstream export --replay` sends the whole batch again"
        ) from error
    if len(found) != seal.dead:
        raise BooksError(
            f"batch {seal.number} has {count_of(seal.dead, 'dead letter')}, but {len(found):,} are "
            "in the lake: `clickstream export --replay` sends the whole batch again"
        )
    return found


def describe_types(types: Mapping[str, int]) -> str:
    """Return how many dead letters there are of each error type, as text."""
    most_first = Counter(types).most_common()
    return ", ".join(f"{count:,} {printable(kind)}" for kind, count in most_first)


def describe_ids(ids: Sequence[str]) -> str:
    """Return a few ids of events."""
    return ", ".join(ids[:_SHOWN_IDS])


def _read(lake: Storage, key: str) -> list[KeptLetter]:
    lines = gzip.decompress(lake.read(key)).splitlines()
    letters = map(json.loads, lines)
    return [KeptLetter(id=one["id"], type=one["type"], file=one["file"]) for one in letters]
