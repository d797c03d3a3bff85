"""What the lake records of an export: one seal per batch and target, never changed.

A seal is written after the index has been counted. A batch that is exported again gets the next
revision; the highest one counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingest.errors import BooksError
from ingest.lake.records import to_json
from ingest.search.credentials import server_name
from ingest.storage import Storage

SEAL_FORMAT = 1
_KEY = re.compile(r"(\d{20})-(\d+)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The export of one batch to one target: events = indexed + newer + dead.

    `newer` documents were written by a later batch; the `dead` letters are in `dead_files` (keys in
    the lake). `indices` are the documents per index; those of a month that is no longer kept have
    been deleted since. `swept` maps each replaced batch to the number of its documents that were
    deleted, `ignored` a field to its values that cannot be searched. `target` has cluster_uuid,
    product, version, index and, but for older seals, url.
    """

    format: int = SEAL_FORMAT
    number: int
    batch_id: str
    revision: int
    target: Mapping[str, str]
    contract_version: int
    events: int
    indexed: int
    newer: int
    dead: int
    indices: Mapping[str, int]
    dead_files: tuple[str, ...]
    swept: Mapping[str, int]
    ignored: Mapping[str, int] = field(default_factory=dict)
    started_at: datetime
    finished_at: datetime
    requests: int
    retries: int
    bytes: int
    writer: str

    @property
    def server(self) -> str:
        """The server that it was exported to, as far as the seal names it."""
        product, version, url = map(self.target.get, ("product", "version", "url"))
        return server_name(product, url, version=version)


def write_seal(lake: Storage, target: str, seal: Seal) -> None:
    """Write `seal` unless the revision exists: another exporter has written the same."""
    key = f"exports/{target}/{seal.number:020}-{seal.revision}.json"
    lake.put_if_absent(key, to_json(seal))


def read_seals(lake: Storage, target: str) -> dict[str, Seal]:
    """Return the newest seal of each batch exported to `target`, by batch id.

    Raises BooksError when one cannot be read.
    """
    newest: dict[int, tuple[int, str]] = {}
    folder = f"exports/{target}/"
    for found in lake.list(folder):
        match = _KEY.fullmatch(found.key.removeprefix(folder))
        if match:
            number, revision = int(match[1]), int(match[2])
            newest[number] = max(newest.get(number, (0, "")), (revision, found.key))
    seals = (_read(lake, key) for _, key in newest.values())
    return {seal.batch_id: seal for seal in seals}


def targets(lake: Storage) -> list[str]:
    """Return the names of the targets that have seals in `lake`."""
    return sorted({found.key.split("/")[1] for found in lake.list("exports/")})


def _read(lake: Storage, key: str) -> Seal:
    try:
        content: dict[str, Any] = json.loads(lake.read(key))
        times = {
            name: datetime.fromisoformat(content[name]) for name in ("started_at", "finished_at")
        }
        return Seal(**{**content, **times, "dead_files": tuple(content["dead_files"])})
    except (ValueError, TypeError, KeyError) as error:
        raise BooksError(
            f"{lake.uri}/{key} is not a valid export seal ({error}): delete it, and the next "
            "export sends its batch again"
        ) from error
