"""A fake web server with logrotate beside it: what happens to a folder of logs on a real host.

Every operation writes real files with times of a simulated clock, takes at least a second of it,
and returns one line of the `story`, so that a history that fails can be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from support.log_folder import File, LogFolder, Writer
from support.log_lines import log_line

START = datetime(2024, 5, 1, tzinfo=UTC)
# Where copies go. It comes before the logs in a listing, so that of a log and its copy, both new,
# the copy is seen first.
BACKUP = "BACKUP/"
_SUFFIX = re.compile(r"(?:\.(?P<number>\d+)|-(?P<date>\d{8}))(?P<gz>\.gz)?")


class Rotation(Enum):
    """How the live log makes room, in logrotate's words."""

    CREATE = "create"
    NOCREATE = "nocreate"
    COPYTRUNCATE = "copytruncate"
    # The writer has no O_APPEND: its next write leaves a hole of NULs behind it.
    COPYTRUNCATE_HOLE = "copytruncate, the writer keeps its offset"


class Compression(Enum):
    """When a rotated log is compressed, in logrotate's words."""

    NONE = "nocompress"
    NOW = "compress"
    DELAYED = "delaycompress"


class Server:
    """The logs `names` in a folder: live files with these names, rotated ones with logrotate's."""

    def __init__(self, folder: Path, names: Sequence[str] = ("access.log",)) -> None:
        """Begin with an empty folder; a log begins with its first write."""
        self.names = tuple(names)
        self.files = LogFolder(folder)
        self.story: list[str] = []
        self.now = START
        self._writers = {name: Writer() for name in names}
        self._lines = 0
        self._logs = 0

    def wait(self, minutes: int) -> str:
        """Let time pass."""
        self._tick(60 * minutes)
        return self.tell(f"{minutes} minutes pass")

    def tell(self, what: str) -> str:
        """Add a line to the story, and return it."""
        self.story.append(f"{self.now:%d %H:%M:%S} {what}")
        return self.story[-1]

    # --- the web server

    def append(self, name: str, count: int = 1, *, pad: int = 0) -> str:
        """Write `count` whole lines, one a second."""
        first = self._lines + 1
        lines = "".join(self._next_line(pad=pad) + "\n" for _ in range(count))
        key = self._write(name, lines.encode())
        return self.tell(f"append lines {first} to {self._lines} to {key}")

    def append_half(self, name: str, *, cut: int = 0) -> str:
        """Write the beginning of a line, up to `cut` bytes (0 to 11) into its time.

        Neither half has a whole time: read as lines of their own, both are refused.
        """
        line = self._next_line()
        end = line.index("[") + 1 + cut
        key = self._write(name, line[:end].encode())
        self._writers[name].rest = line[end:].encode() + b"\n"
        return self.tell(f"append half of line {self._lines} to {key}")

    def finish_half(self, name: str) -> str:
        """Write what the line of `append_half` lacks, to its file under the name of now."""
        self._tick()
        writer = self._writers[name]
        key = self._write(name, writer.rest)
        writer.rest = b""
        if writer.reopens:
            self.reopen(name)
        return self.tell(f"append the other half to {key}")

    def has_half(self, name: str) -> bool:
        """Whether the last line of `name` lacks its end and can still get it."""
        return bool(self._writers[name].rest)

    def written_file(self, name: str) -> File | None:
        """Return the file that the next write to `name` goes to, None when that makes one."""
        return self._writers[name].file or self.files.get(name)

    def reopen(self, name: str) -> None:
        """Let the writer open the live name for its next line, once its last one is whole."""
        writer = self._writers[name]
        if writer.rest:
            writer.reopens = True
        else:
            self._writers[name] = Writer()

    # --- logrotate

    def rotate(
        self,
        name: str,
        how: Rotation = Rotation.CREATE,
        *,
        dated: bool = False,
        compression: Compression = Compression.NONE,
        reopen: bool = True,
    ) -> str:
        """Rotate the live file of `name` to `.1`, or if `dated` to its name of today.

        Without `reopen` the writer goes on in the renamed file. Nothing is deleted.
        """
        self._tick()
        previous = self.rotated(name)[-1:]
        if compression is Compression.DELAYED and self.can_compress(*previous):
            self._compress(*previous)
        target = self.dated(name) if dated else f"{name}.1"
        if not dated:
            self._shift(name)
        if how in (Rotation.CREATE, Rotation.NOCREATE):
            self.files.rename(name, target)
            if how is Rotation.CREATE:
                self._create(name)
            if reopen:
                self.reopen(name)
        else:
            live = self.files[name]
            self._store(target, File(log=live.log, content=live.content))
            self._truncate(name, hole=how is Rotation.COPYTRUNCATE_HOLE)
        if compression is Compression.NOW:
            self._compress(target)
        late = "" if reopen else "; the writer does not reopen"
        return self.tell(f"rotate {name} to {target} ({how.value}; {compression.value}{late})")

    def compress(self, key: str) -> str:
        """Compress a file; like gzip, it keeps the time. What a half line lacks is lost."""
        self._tick()
        self._compress(key)
        return self.tell(f"gzip {key}")

    def can_compress(self, *keys: str) -> bool:
        """Whether there are `keys`, none of them compressed or with a compressed copy."""
        return bool(keys) and not any(
            key.endswith(".gz") or f"{key}.gz" in self.files for key in keys
        )

    def delete(self, key: str) -> str:
        """Delete a file: retention, or an administrator."""
        self._tick()
        self._detach(self.files.remove(key))
        return self.tell(f"rm {key}")

    def rotated(self, name: str) -> list[str]:
        """Return the rotated files of `name` beside it, oldest first, numbered before dated."""
        ages = {}
        for key in self.files:
            if key.startswith(name) and (suffix := _SUFFIX.fullmatch(key[len(name) :])):
                ages[key] = (suffix["date"] or "", -int(suffix["number"] or 0))
        return sorted(ages, key=lambda key: ages[key])

    def dated(self, name: str) -> str:
        """Return the name that `dateext` gives the live file of `name` today."""
        return f"{name}-{self.now:%Y%m%d}"

    def can_date(self, name: str) -> bool:
        """Whether that name is free; else logrotate skips the log."""
        dated = self.dated(name)
        return dated not in self.files and f"{dated}.gz" not in self.files

    def redated(self, key: str) -> str:
        """Return the dated name of a rotated file: that of the day of its last change."""
        name = next(name for name in self.names if key.startswith(name))
        suffix = ".gz" if key.endswith(".gz") else ""
        return f"{name}-{self.files[key].changed_at:%Y%m%d}{suffix}"

    # --- an administrator

    def touch(self, key: str) -> str:
        """Give a file the time of now."""
        self._tick()
        self._store(key, self.files[key])
        return self.tell(f"touch {key}")

    def rename(self, key: str, target: str) -> str:
        """Rename a file to a key that is free, in another folder perhaps."""
        self._tick()
        self.files.rename(key, target)
        return self.tell(f"mv {key} {target}")

    def truncate(self, name: str, *, hole: bool = False) -> str:
        """Empty the live file in place; with `hole`, its writer keeps its offset."""
        self._tick()
        self._truncate(name, hole=hole)
        return self.tell(f": > {name}" + " (the writer keeps its offset)" * hole)

    def copy(self, key: str, *, compressed: bool = False) -> str:
        """Copy a file: `cp` to the folder BACKUP, or `gzip -k` beside it."""
        self._tick()
        file = self.files[key]
        copy = File(log=file.log, content=file.content, changed_at=file.changed_at)
        if compressed:
            self.files.store(f"{key}.gz", copy)
            return self.tell(f"gzip -k {key}")
        self._store(f"{BACKUP}{key}", copy)
        return self.tell(f"cp {key} {BACKUP}{key}")

    def edit(self, key: str, number: int) -> str:
        """Change a byte in the path of line `number` of a plain file, counted from 0."""
        file = self.files[key]
        end = [at for at, byte in enumerate(file.content) if byte == ord("\n")][number]
        file.edited_byte = file.content.rindex(b"/n", 0, end) + 1
        self._change(key, b"e")
        return self.tell(f"edit line {number} of {key}")

    def restore(self, key: str) -> str:
        """Undo `edit`."""
        self._change(key, b"n")
        self.files[key].edited_byte = None
        return self.tell(f"undo the edit of {key}")

    def replace(self, key: str, count: int, *, first_at: datetime) -> str:
        """Put `count` other lines in the place of a file; the first has the time `first_at`."""
        old = self.files[key]
        times = [first_at + timedelta(seconds=second) for second in range(count)]
        lines = "".join(self._next_line(at) + "\n" for at in times)
        new = File(log=self._next_log(), content=lines.encode(), is_intruder=True)
        self._reopen_at(old, new)
        self._store(key, new)
        return self.tell(f"replace {key} by {count} other lines from {first_at:%d %H:%M:%S} on")

    # --- how it is done

    def _tick(self, seconds: int = 1) -> None:
        self.now += timedelta(seconds=seconds)

    def _next_line(self, at: datetime | None = None, *, pad: int = 0) -> str:
        self._tick()
        self._lines += 1
        return log_line(self._lines, at or self.now, pad=pad)

    def _next_log(self) -> int:
        self._logs += 1
        return self._logs

    def _store(self, key: str, file: File) -> None:
        file.changed_at = self.now
        self.files.store(key, file)

    def _write(self, name: str, data: bytes) -> str:
        """Write `data` through the writer of `name`; return where its file lies."""
        writer = self._writers[name]
        if writer.file is None:
            if name not in self.files:
                self._create(name)
            writer.file = self.files[name]
        writer.file.content += b"\0" * writer.file.hole + data
        writer.file.hole = 0
        key = self.files.key_of(writer.file)
        self._store(key, writer.file)
        return key

    def _create(self, name: str) -> None:
        self._store(name, File(log=self._next_log()))

    def _truncate(self, name: str, *, hole: bool) -> None:
        old = self.files[name]
        kept = len(old.content) or old.hole
        new = File(log=self._next_log(), hole=kept if hole else 0)
        self._reopen_at(old, new)
        self._store(name, new)

    def _compress(self, key: str) -> None:
        file = self.files.remove(key)
        self._detach(file)
        self.files.store(f"{key}.gz", file)

    def _shift(self, name: str) -> None:
        for key in self.rotated(name):
            suffix = _SUFFIX.fullmatch(key[len(name) :])
            if suffix and suffix["number"]:
                older = int(suffix["number"]) + 1
                self.files.rename(key, f"{name}.{older}{suffix['gz'] or ''}")

    def _detach(self, file: File) -> None:
        """Take `file` from its writer, which opens the live name with its next line."""
        self._reopen_at(file, None)

    def _reopen_at(self, old: File, new: File | None) -> None:
        """Let the writer of `old` go on in `new`; what a half line lacks is lost."""
        for name, writer in self._writers.items():
            if writer.file is old:
                self._writers[name] = Writer(file=new)

    def _change(self, key: str, byte: bytes) -> None:
        self._tick()
        file = self.files[key]
        at = file.edited_byte
        assert at is not None, f"{key} is not edited"
        file.content = file.content[:at] + byte + file.content[at + 1 :]
        self._store(key, file)
