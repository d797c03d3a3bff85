"""A folder of log files, each of which remembers which log it truly is, and who writes them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(eq=False, kw_only=True)
class File:
    """A file; compressed when its key says `.gz`, and `content` is what lies behind that.

    `log` is its true identity and `changed_at` its mtime. `hole` counts the NULs that the next
    write leaves in front of its bytes. `edited_byte` is where a past line was changed, None while
    all lines are as they were written. `is_intruder` marks what was put in the place of another
    log and overlaps it in time.
    """

    log: int
    content: bytes = b""
    changed_at: datetime = _NEVER
    hole: int = 0
    edited_byte: int | None = None
    is_intruder: bool = False


@dataclass(kw_only=True)
class Writer:
    """The process that writes one log: to `file`, whatever its name becomes.

    `file` None means that the next write opens the live name. `rest` is what the last line still
    lacks; a writer that `reopens` leaves the file as soon as that is written.
    """

    file: File | None = None
    rest: bytes = b""
    reopens: bool = False


class LogFolder:
    """The files of a real folder by key: their path relative to it, as a listing has them."""

    def __init__(self, path: Path) -> None:
        """Begin with the empty folder `path`."""
        self.path = path
        self.used_keys: set[str] = set()
        self._files: dict[str, File] = {}

    def __getitem__(self, key: str) -> File:
        return self._files[key]

    def __contains__(self, key: str) -> bool:
        return key in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def get(self, key: str) -> File | None:
        """Return what lies at `key`, None when nothing does."""
        return self._files.get(key)

    def key_of(self, file: File) -> str:
        """Return where `file` lies now."""
        return next(key for key, other in self._files.items() if other is file)

    def holders(self, log: int) -> list[str]:
        """Return the keys that hold lines of `log` as they were written."""
        return [key for key in self if self[key].log == log and self[key].edited_byte is None]

    def store(self, key: str, file: File) -> None:
        """Write `file` at `key`, in place of what was there, with its own time."""
        self._files[key] = file
        self.used_keys.add(key)
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = gzip.compress(file.content, 1, mtime=0) if key.endswith(".gz") else file.content
        path.write_bytes(packed)
        seconds = file.changed_at.timestamp()
        os.utime(path, (seconds, seconds))

    def rename(self, key: str, target: str) -> None:
        """Rename a file to a free key; its time stays."""
        assert target not in self, f"{target} is taken"
        self._files[target] = self._files.pop(key)
        self.used_keys.add(target)
        (self.path / target).parent.mkdir(parents=True, exist_ok=True)
        (self.path / key).rename(self.path / target)

    def remove(self, key: str) -> File:
        """Delete a file and return what it was."""
        (self.path / key).unlink()
        return self._files.pop(key)
