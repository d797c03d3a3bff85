"""Manifests for COPY: the files of a batch, and no others, whatever else lies beside them.

They are rendered from the batch record, so they may be written again at any time.
"""

from __future__ import annotations

import json

from ingest.contract import Table
from ingest.lake.records import BatchRecord
from ingest.storage import Storage


def manifest_key(record: BatchRecord, table: Table) -> str:
    """Return where in the lake the manifest of a table lies."""
    return f"manifests/redshift/{record.batch_id}/{table.name}.json"


def write_manifest(lake: Storage, record: BatchRecord, table: Table) -> str:
    """Write the manifest of a table and return its URI. Raises StorageError."""
    key = manifest_key(record, table)
    lake.put(key, render_manifest(lake.uri, record, table))
    return f"{lake.uri}/{key}"


def render_manifest(lake: str, record: BatchRecord, table: Table) -> bytes:
    """Return the manifest of a table: JSON with the files in order of their paths.

    Each is mandatory, and has its size: COPY refuses a file of another one.
    """
    entries = [
        {
            "url": f"{lake}/{file.path}",
            "mandatory": True,
            "meta": {"content_length": file.bytes},
        }
        for file in sorted(record.files.get(table.name, ()), key=lambda file: file.path)
    ]
    return json.dumps({"entries": entries}, sort_keys=True, indent=1).encode()
