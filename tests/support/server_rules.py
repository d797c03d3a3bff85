"""What a web server and its logrotate may do, as the rules of a state machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support.oracle import Oracle
from support.rotation import Compression, Rotation, Server

NAMES = ("access.log", "shop.log")
# Ten minutes settle no half line, two hours do, a day brings the next dated name. No sum of them
# and of the seconds of a history is exactly the time that settles.
WAITS = (10, 130, 24 * 60 + 10)
# A longer hole would hide the first line from who looks for times in the first 64 KiB.
MAX_HOLE_BYTES = 32 << 10
PICK = st.integers(0, 63)
# Its overloads cannot tell strategies that are passed on from its own keywords.
_rule: Any = rule
_Choice = TypeVar("_Choice")


def operation(**strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator for a rule that changes the folder; lines and a run may follow at once.

    Hypothesis turns some rules off for each history. Were writing and running only rules of their
    own, most histories would read nothing.
    """

    def decorate(change: Callable[..., None]) -> Any:
        @wraps(change)
        def then_write_and_run(
            self: ServerRules, written: int, is_run: bool, **arguments: Any
        ) -> None:
            change(self, **arguments)
            if written:
                self.append_whole(choose(written, self.server.names), written, pad=300 * written)
            if is_run:
                self.run_now()

        more = {"written": st.integers(0, 3), "is_run": st.booleans()}
        return _rule(**strategies, **more)(then_write_and_run)

    return decorate


class ServerRules(RuleBasedStateMachine):
    """The server and logrotate. Who reads the folder is not said here."""

    def __init__(self) -> None:
        """Nothing happened yet."""
        super().__init__()
        self._folder = TemporaryDirectory(prefix="rotation-")
        self._edited: str | None = None

    @initialize(
        names=st.integers(1, len(NAMES)), written=st.integers(0, 3), is_copied=st.booleans()
    )
    def begin(self, names: int, written: int, is_copied: bool) -> None:
        """Start a server with so many logs, perhaps with lines and a copy before the first run."""
        self.server = Server(Path(self._folder.name), NAMES[:names])
        self.oracle = Oracle(self.server)
        if written:
            self.append_whole(NAMES[0], written, pad=300 * written)
        if written and is_copied:
            self.server.copy(NAMES[0])

    def run_now(self) -> None:
        """Run whatever reads the folder."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    @property
    def is_calm(self) -> bool:
        """Whether no edited file lies there."""
        return self._edited is None

    @operation(minutes=st.sampled_from(WAITS))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.server.wait(minutes)

    # --- the web server

    @operation(pick=PICK, count=st.integers(1, 8), pad=st.sampled_from((0, 300, 1200)))
    def append(self, pick: int, count: int, pad: int) -> None:
        """Write whole lines."""
        self.append_whole(choose(pick, self.server.names), count, pad=pad)

    def append_whole(self, name: str, count: int = 1, *, pad: int = 0) -> None:
        """Write whole lines to `name`; before them what its last one lacks."""
        if self.server.has_half(name):
            self.server.finish_half(name)
        self.server.append(name, count, pad=pad)

    @precondition(lambda self: self._can_halve())
    @operation(pick=PICK, cut=st.integers(0, 11))
    def append_half(self, pick: int, cut: int) -> None:
        """Write half a line."""
        self.server.append_half(choose(pick, self._can_halve()), cut=cut)

    def _can_halve(self) -> list[str]:
        """Return the logs whose next line may be a half one.

        Not the first one: what tells no format from so little is refused, rightly, as a whole.
        """
        return [
            name
            for name in self.server.names
            if not self.server.has_half(name)
            and (file := self.server.written_file(name))
            and file.content.count(b"\n") > 1
        ]

    @precondition(lambda self: self._halves())
    @operation(pick=PICK)
    def finish_half(self, pick: int) -> None:
        """Write the other half."""
        self.server.finish_half(choose(pick, self._halves()))

    def _halves(self) -> list[str]:
        return [name for name in self.server.names if self.server.has_half(name)]

    # --- logrotate

    @precondition(lambda self: self.live())
    @operation(
        pick=PICK,
        how=st.sampled_from(Rotation),
        dated=st.booleans(),
        compression=st.sampled_from(Compression),
        reopen=st.booleans(),
    )
    def rotate(
        self, pick: int, how: Rotation, dated: bool, compression: Compression, reopen: bool
    ) -> None:
        """Rotate one log, by number when its name of today is taken."""
        name = choose(pick, self.live())
        if len(self.server.files[name].content) > MAX_HOLE_BYTES:
            how = Rotation.COPYTRUNCATE
        self.server.rotate(
            name,
            how,
            dated=dated and self.server.can_date(name),
            compression=compression,
            reopen=reopen,
        )

    def live(self) -> list[str]:
        """Return the live files; none while an edit is open.

        An edited log that moves before anybody is asked is another log, or not, to everybody.
        """
        return [name for name in self.server.names if name in self.server.files and self.is_calm]

    @precondition(lambda self: self.compressible())
    @operation(pick=PICK)
    def compress(self, pick: int) -> None:
        """Compress a rotated log, a day later perhaps."""
        self.server.compress(choose(pick, self.compressible()))

    def compressible(self) -> list[str]:
        """Return the rotated files that may be compressed."""
        return [key for key in self.rotated() if self.server.can_compress(key)]

    def rotated(self) -> list[str]:
        """Return the rotated files of all logs; none while an edit is open."""
        names = self.server.names if self.is_calm else ()
        return [key for name in names for key in self.server.rotated(name)]

    @precondition(lambda self: self.rotated())
    @operation(pick=PICK)
    def delete_oldest(self, pick: int) -> None:
        """Delete the oldest of the rotated files of a log: retention."""
        oldest = [files[0] for name in self.server.names if (files := self.server.rotated(name))]
        self.vanish(key := choose(pick, oldest))
        self.server.delete(key)

    def vanish(self, key: str) -> None:
        """Before the file at `key` goes: delete copies of its log that hold less than was read.

        They would look like another log, since the ledger has but head and tail of all that was
        read. Nothing goes when a copy that holds it all stays.
        """
        log = self.server.files[key].log
        others = [other for other in self.server.files.holders(log) if other != key]
        sizes = {other: len(self.server.files[other].content) for other in others}
        consumed = self.oracle.consumed(log)
        if all(size < consumed for size in sizes.values()):
            for other in others:
                self.server.delete(other)


def choose(pick: int, choices: Sequence[_Choice]) -> _Choice:
    """Return one of `choices`, of which there is at least one."""
    return choices[pick % len(choices)]
