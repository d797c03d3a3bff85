"""Hashes that identify a plan, and the bytes of an object."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from ingest.lake.records import hash_json
from ingest.settings import HASH_CHUNK_BYTES
from ingest.storage import Storage, StoredObject


def batch_id(
    objects: Iterable[StoredObject],
    *,
    range_bytes: int,
    parser_version: int,
    contract_version: int,
    settings_hash: str,
    replaces: Sequence[str] = (),
) -> str:
    """Return the id of a plan, 32 hexadecimal digits: the same plan has the same id.

    `replaces` is hashed too if there is any: an object that changes and changes back gives the
    plan of a batch that has been replaced since, and no id may be used twice.
    """
    plan: dict[str, Any] = {
        "objects": sorted((stored.key, stored.size, stored.etag) for stored in objects),
        "range_bytes": range_bytes,
        "parser_version": parser_version,
        "contract_version": contract_version,
        "settings_hash": settings_hash,
    }
    if replaces:
        plan["replaces"] = sorted(replaces)
    return hash_json(plan)[:32]


def content_hash(chunk_digests: Iterable[bytes]) -> str:
    """Return the hash of an object from the SHA-256 digests of its consecutive 8 MiB chunks."""
    return hashlib.sha256(b"".join(chunk_digests)).hexdigest()


def read_content_hash(storage: Storage, stored: StoredObject) -> str:
    """Read an object and return its content hash.

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
