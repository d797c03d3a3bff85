"""By what plans, logs and bytes are known again: hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from ingest.lake.records import hash_json
from ingest.settings import HASH_CHUNK_BYTES
from ingest.storage import Storage, StoredObject

# A log is recognised by hashes of its first and of its last 4 KiB. Candidates for that are found by
# a hash of its first 64 bytes, which even a log of one line has.
FINGERPRINT_BYTES = 4096
OPENING_BYTES = 64


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def batch_id(
    readings: Iterable[Sequence[Any]],
    moves: Iterable[Sequence[Any]] = (),
    *,
    range_bytes: int,
    parser_version: int,
    contract_version: int,
    settings_hash: str,
    replaces: Sequence[str] = (),
) -> str:
    """Return the id of a plan, 32 hexadecimal digits: the same plan has the same id.

    Each of `readings` says what is read: (log, key, size, etag, first offset, offset to stop at).
    Each of `moves` says what lies elsewhere: (log, record that placed it, key, size, etag, bytes
    that wait). `replaces` takes part where there is any: what is read twice must not give the same
    id.
    """
    plan: dict[str, Any] = {
        "readings": sorted((list(reading) for reading in readings), key=str),
        "moves": sorted((list(move) for move in moves), key=str),
        "range_bytes": range_bytes,
        "parser_version": parser_version,
        "contract_version": contract_version,
        "settings_hash": settings_hash,
    }
    if replaces:
        plan["replaces"] = sorted(replaces)
    return hash_json(plan)[:32]


def content_hash(chunk_digests: Iterable[bytes]) -> str:
    """Return the hash of bytes from the SHA-256 digests of their consecutive 8 MiB chunks."""
    return hashlib.sha256(b"".join(chunk_digests)).hexdigest()


def read_content_hash(storage: Storage, stored: StoredObject) -> str:
    """Read an object and return the hash of its stored bytes.

    Raises ObjectUnreadable or ObjectChanged.
    """
    return content_hash(
        hashlib.sha256(
            storage.read(
                stored.key, start, min(start + HASH_CHUNK_BYTES, stored.size), etag=stored.etag
            )
        ).digest()
        for start in range(0, stored.size, HASH_CHUNK_BYTES)
    )
