"""What an administrator may do to a folder of logs, as the rules of a state machine.

What nobody can tell from the bytes is not generated; each such case is named at its rule.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition
from support.following import FINGERPRINT_BYTES
from support.rotation import BACKUP
from support.server_rules import MAX_HOLE_BYTES, PICK, ServerRules, choose, operation


class FolderRules(ServerRules):
    """All that happens to the folder. Who reads it is not said here."""

    @precondition(lambda self: any(self.server.files))
    @operation(pick=PICK)
    def touch(self, pick: int) -> None:
        """Touch any file."""
        self.server.touch(choose(pick, [*self.server.files]))

    @precondition(lambda self: self._renames())
    @operation(pick=PICK)
    def rename(self, pick: int) -> None:
        """Rename a rotated file."""
        self.server.rename(*choose(pick, self._renames()))

    def _renames(self) -> list[tuple[str, str]]:
        """Return what may be renamed, and to what: into the folder `old`, out of it, to a date.

        A log that no run has read yet gets no name that another one had: it may be older than that
        one, and would be asked about.
        """
        files = self.server.files
        pairs = [(key, f"old/{key}") for key in self.rotated()]
        pairs += [(key, self.server.redated(key)) for key in self.rotated()]
        if self.is_calm:
            pairs += [(key, key.removeprefix("old/")) for key in files if key.startswith("old/")]
        return [
            (key, target)
            for key, target in pairs
            if target not in files
            and (self.oracle.consumed(files[key].log) or target not in files.used_keys)
        ]

    @precondition(lambda self: self.live())
    @operation(pick=PICK, hole=st.booleans())
    def truncate(self, pick: int, hole: bool) -> None:
        """Truncate a live file in place."""
        self.vanish(name := choose(pick, self.live()))
        small = len(self.server.files[name].content) <= MAX_HOLE_BYTES
        self.server.truncate(name, hole=hole and small)

    @precondition(lambda self: self._copyable())
    @operation(pick=PICK)
    def copy(self, pick: int) -> None:
        """Copy a file, or compress a copy of it."""
        key, compressed = choose(pick, self._copyable())
        self.server.copy(key, compressed=compressed)

    def _copyable(self) -> list[tuple[str, bool]]:
        """Return what may be copied, and whether compressed.

        Not what ends in half a line (of two copies one may wait and the other not), and not what
        is asked about (the copy would be new, and the original a copy of it).
        """
        files = self.server.files
        keys = [key for key in files if self.is_calm and not files[key].is_intruder]
        keys = [key for key in keys if files[key].content.endswith(b"\n")]
        plain = [(key, True) for key in keys if self.server.can_compress(key)]
        originals = [key for key in keys if not key.startswith(BACKUP)]
        return plain + [(key, False) for key in originals if f"{BACKUP}{key}" not in files]

    @precondition(lambda self: self._copies())
    @operation(pick=PICK)
    def delete_copy(self, pick: int) -> None:
        """Delete a copy; or the original, when that was deleted before."""
        self.vanish(key := choose(pick, self._copies()))
        self.server.delete(key)

    def _copies(self) -> list[str]:
        compressed = [f"{name}.gz" for name in self.server.names]
        keys = self.server.files if self.is_calm else ()
        return [key for key in keys if key.startswith(BACKUP) or key in compressed]

    @precondition(lambda self: self._editable())
    @operation(pick=PICK)
    def edit(self, pick: int) -> None:
        """Edit a past line of a log."""
        key, line = choose(pick, self._editable())
        self.server.edit(key, line)
        self._edited = key

    def _editable(self) -> list[tuple[str, int]]:
        """Return keys and numbers of lines that, edited, must be asked about.

        A run has read them, where the log is still, and there is no copy of the log: that would be
        the log, and the edited file another one. They are in head or tail: in between, only a
        check of all bytes sees an edit. None is edited twice.
        """
        found = []
        for key in self._askable():
            file = self.server.files[key]
            if key.endswith(".gz") or self.server.files.holders(file.log) != [key]:
                continue
            consumed = self.oracle.consumed(file.log)
            ends = [at for at, byte in enumerate(file.content[:consumed]) if byte == ord("\n")]
            for number, end in enumerate(ends):
                start = ends[number - 1] + 1 if number else 0
                is_seen = end < FINGERPRINT_BYTES or start >= consumed - FINGERPRINT_BYTES
                if is_seen and b"/n" in file.content[start:end]:
                    found.append((key, number))
        return found

    @precondition(lambda self: not self.is_calm)
    @operation(delete=st.booleans())
    def end_edit(self, delete: bool) -> None:
        """Undo the edit, or delete the edited file."""
        assert self._edited is not None
        if delete:
            self.server.delete(self._edited)
        else:
            self.server.restore(self._edited)
        self._edited = None

    @precondition(lambda self: self._askable())
    @operation(pick=PICK, count=st.integers(1, 4))
    def replace(self, pick: int, count: int) -> None:
        """Put other lines in the place of a log, from its first time on."""
        key = choose(pick, self._askable())
        first_at = self.oracle.known[self.server.files[key].log].first
        self.vanish(key)
        self.server.replace(key, count, first_at=first_at)

    def _askable(self) -> list[str]:
        """Return the keys that hold the log that was read there last, with more than one time."""
        found = []
        for key in self.server.files if self.is_calm else ():
            log = self.server.files[key].log
            known = self.oracle.known.get(log)
            if known is None or known.first == known.last:
                continue
            if known.places == {key} and self.oracle.owners(key) == [log]:
                found.append(key)
        return found
