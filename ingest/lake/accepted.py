"""Acceptances of quarantined batches: `accepted/<batch_id>.json` in the lake, for all targets.

One is written once, with put-if-absent, and never taken back: to undo it, read the batch again.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.errors import BooksError, SettingsError
from ingest.lake.records import BatchRecord, check_folder, to_json
from ingest.storage import Storage

_FOLDER = "accepted/"
_KEY = re.compile(r"accepted/([^/.][^/]*)\.json")
_LEAST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Who (user@host) took a batch over its reject limit all the same, and when (UTC)."""

    batch_id: str
    who: str
    at: datetime


def accepted_ids(lake: Storage) -> frozenset[str]:
    """Return the ids of the accepted batches; raises StorageError when `lake` cannot be listed."""
    ids = set()
    for found in lake.list(_FOLDER):
        check_folder(lake, found, _FOLDER)
        if match := _KEY.fullmatch(found.key):
            ids.add(match[1])
    return frozenset(ids)


def read_acceptance(lake: Storage, batch_id: str) -> Acceptance:
    """Return the acceptance of an accepted batch; raises BooksError when it is not one."""
    key = f"{_FOLDER}{batch_id}.json"
    try:
        fields = json.loads(lake.read(key))
        return Acceptance(**{**fields, "at": datetime.fromisoformat(fields["at"])})
    except (ValueError, TypeError, KeyError) as error:
        raise BooksError(
            f"{lake.uri}/{key}: not an acceptance ({error}); remove it and accept the batch again"
        ) from error


def record_acceptances(lake: Storage, batch_ids: Iterable[str]) -> None:
    """Accept `batch_ids`, which `find_batches` gave; accepting twice changes nothing."""
    for batch_id in batch_ids:
        acceptance = Acceptance(batch_id=batch_id, who=_who(), at=datetime.now(UTC))
        lake.put_if_absent(f"{_FOLDER}{batch_id}.json", to_json(acceptance))


def how_to_accept(batch_ids: Sequence[str]) -> str:
    """Return the remedy with which a message about quarantined batches ends."""
    options = " ".join(f"--accept {batch_id}" for batch_id in batch_ids)
    return f"accept {'it' if len(batch_ids) == 1 else 'them'} with: clickstream run {options}"


def find_batches(
    records: Sequence[BatchRecord], given: Iterable[str], *, option: str = "--accept"
) -> tuple[str, ...]:
    """Return the whole id for each id, or beginning of one, in `given`, the values of `option`.

    Raises SettingsError, naming all of them, when some are of no batch, or of more than one.
    """
    ids = [record.batch_id for record in records]
    found = {text: _fitting(text, ids) for text in given}
    problems = [
        _problem(f"{option} {text}", fits) for text, fits in found.items() if len(fits) != 1
    ]
    if problems:
        raise SettingsError("; ".join(problems))
    return tuple(fits[0] for fits in found.values())


def _fitting(text: str, ids: Sequence[str]) -> list[str]:
    if text in ids:
        return [text]
    return [one for one in ids if len(text) >= _LEAST_DIGITS and one.startswith(text)]


def _problem(given: str, fits: Sequence[str]) -> str:
    if fits:
        return f"{given}: {len(fits)} batches begin with it; give more digits"
    return (
        f"{given}: the lake has no such batch; give at least the first {_LEAST_DIGITS} digits of an"
        " id that `clickstream status` shows"
    )


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
