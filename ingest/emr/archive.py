"""Wheels and our own files as one archive whose bytes depend on nothing but theirs.

Only the bytes count: no time, owner, mode of this machine, or order of a folder enters.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

# Folders in a wheel's `<name>.data` whose files belong beside the packages; the others hold scripts
# and headers, which a job does not need.
_LIBRARIES = ("purelib", "platlib")
# The usual level, 6, takes twice as long for four percent.
_LEVEL = 4
_MODE = 0o644


def write_archive(target: Path, wheels: Iterable[Path], files: Mapping[str, bytes]) -> None:
    """Write the contents of `wheels` and `files` (name in the archive -> content) as tar.gz."""
    with (
        target.open("wb") as raw,
        _gzip(raw) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for wheel in sorted(wheels, key=lambda path: path.name):
            for name, content in _members(wheel):
                _add(archive, name, content)
        for name in sorted(files):
            _add(archive, name, files[name])


def _gzip(raw: IO[bytes]) -> gzip.GzipFile:
    # Without a name and a time, which gzip would write into its header.
    return gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_LEVEL, mtime=0)


def _members(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of what `wheel` installs beside other packages, in order of names."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            name = _installed_name(entry.filename)
            if name is not None and not entry.is_dir():
                yield name, archive.read(entry)


def _installed_name(name: str) -> str | None:
    """Return where a file of a wheel goes, None for one that is left out."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    kind, _, inside = rest.partition("/")
    return inside if kind in _LIBRARIES else None


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), _MODE
    archive.addfile(info, io.BytesIO(content))
