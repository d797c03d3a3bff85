"""What must not be written: secrets, signed addresses and lines of logs, looked for in anything."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from ingest.storage import Storage

# With a signature in it: code that looks for one may be anywhere.
_SIGNED = re.compile(rb"X-Amz-Signature=[0-9a-f]{64}|[?&]Signature=[\w%/+]{20}")


def leaks(things: Iterable[tuple[str, bytes]], words: Iterable[str]) -> list[str]:
    """Return `name: word` for each of `words`, and each signed address, that is in a thing.

    Things are names and contents; archives, packed files and Parquet are looked into.
    """
    wanted = [word.encode() for word in words]
    return [
        f"{name}: {found.decode()}"
        for thing, packed in things
        for name, content in _unpacked(thing, packed)
        for found in (*(word for word in wanted if word in content), *_SIGNED.findall(content))
    ]


def stored_in(storage: Storage, *, leave_out: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield key and content of each object whose key does not begin with one of `leave_out`."""
    for found in storage.list():
        if not found.key.startswith(leave_out):
            yield found.key, storage.read(found.key)


def files_in(
    folder: Path, *, leave_out: frozenset[str] = frozenset()
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file below `folder`, but for names and folders left out."""
    for path in folder.rglob("*"):
        if path.is_file() and leave_out.isdisjoint(path.relative_to(folder).parts):
            yield str(path), path.read_bytes()


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if name.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    yield f"{name}/{member.name}", file.read()
    elif name.endswith(".gz"):
        yield name, gzip.decompress(content)
    elif name.endswith(".parquet"):
        yield name, str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
    else:
        yield name, content
