"""Logs from standard input, kept as a file: all that follows reads a log more than once."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.errors import SettingsError
from ingest.unpack.layers import kind_of

STDIN = "-"
_BLOCK_BYTES = 1 << 20


def keep_stdin(folder: Path) -> Path:
    """Keep standard input in `folder` under a name made of its SHA-256; return its path.

    The same input again is the same file. Raises SettingsError at a terminal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Beside the folder, where no ingest takes it for a log before it is complete.
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        digest, suffix = _copy_to(partial)
        kept = folder / f"{digest[:32]}{suffix}"
        partial.replace(kept)
    finally:
        partial.unlink(missing_ok=True)  # of an input that broke off
    return kept


@contextmanager
def stdin_as_file() -> Iterator[Path]:
    """Yield a file that holds standard input, and is gone afterwards.

    Raises SettingsError at a terminal.
    """
    with TemporaryDirectory() as folder:
        partial = Path(folder) / "partial"
        _, suffix = _copy_to(partial)
        yield partial.rename(Path(folder) / f"stdin{suffix}")


def _copy_to(path: Path) -> tuple[str, str]:
    """Copy standard input to `path`; return its SHA-256 and the end of a name that fits."""
    if sys.stdin.isatty():
        raise SettingsError("standard input is a terminal: pipe a log into it")
    digest, suffix = hashlib.sha256(), None
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(_BLOCK_BYTES):
            suffix = suffix or _suffix(block)
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), suffix or ".log"


def _suffix(head: bytes) -> str:
    kind = kind_of(head)
    return f".log{kind.suffixes[0]}" if kind else ".log"
