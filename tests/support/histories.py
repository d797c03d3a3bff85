"""Random histories of a folder of logs, with an ingest beside them that must lose nothing."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, run_state_machine_as_test
from support.folder_rules import FolderRules
from support.ingest import Ingest, Kill
from support.oracle import Expectation
from support.rotation import Rotation
from support.server_rules import PICK, choose, operation

STEPS = 30
# What ROTATION_PROFILE may say, with the number of histories.
HISTORIES = {"ci": 100, "wrong": 400, "soak": 5_000}


class Histories(FolderRules):
    """Runs of an ingest among all that happens to its folder. A subclass says which ingest."""

    def __init__(self) -> None:
        """Start with an empty folder and an empty warehouse."""
        super().__init__()
        self.ingest = self.start_ingest(Path(self._folder.name))

    def start_ingest(self, folder: Path) -> Ingest:
        """Return an ingest of `folder` into an empty warehouse."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Release what the history holds."""
        self.ingest.close()
        super().teardown()

    def run_now(self) -> None:
        """Run: every complete line that lies there is in, once."""
        expected = self.oracle.expect()
        code = self.ingest.run(self.server.now)
        self._check_run("run", code, expected)

    @operation()
    def run_final(self) -> None:
        """Run with `--final`: unfinished lines count too."""
        expected = self.oracle.expect(final=True)
        code = self.ingest.run(self.server.now, final=True)
        self._check_run("run --final", code, expected)

    @operation(kill=st.sampled_from(Kill))
    def run_killed(self, kill: Kill) -> None:
        """Kill a run: of each log, all new lines are in, or none."""
        expected = self.oracle.expect()
        code = self.ingest.run(self.server.now, kill=kill)
        if code is not None:
            self._check_run("run, not killed for it sealed nothing", code, expected)
            return
        self.server.tell(f"run, killed {kill.value}")
        if kill is Kill.AFTER_SEAL:
            self.oracle.complete_what_is_in(self.ingest.lines(), expected)
        self._check_lines()

    @precondition(lambda self: self._declarable())
    @operation(pick=PICK)
    def declare_new(self, pick: int) -> None:
        """Answer a question: what lies there is another log, and both count."""
        key = choose(pick, self._declarable())
        expected = self.oracle.expect(another=key)
        code = self.ingest.declare_new(self.server.now, key)
        self.server.files[key].is_intruder = False
        self._check_run(f"run --as-new {key}", code, expected)

    def _declarable(self) -> list[str]:
        """Return what is asked about and has no line of the log that was there."""
        files = {key: self.server.files[key] for key in sorted(self.oracle.expect().must_ask)}
        return [key for key, file in files.items() if file.is_intruder and file.edited_byte is None]

    @precondition(lambda self: self._correctable())
    @operation(pick=PICK)
    def correct(self, pick: int) -> None:
        """Answer a question: what lies there takes the place of what was read."""
        key = choose(pick, self._correctable())
        expected = self.oracle.expect()
        is_done = self.ingest.correct(self.server.now, key)
        self.server.tell(f"replay --key {key}: {'done' if is_done else 'a log is gone'}")
        self.oracle.complete(expected)
        if is_done:
            self.oracle.correct(key)
            self._edited = None if self._edited == key else self._edited
        self._check_lines()

    @operation(pick=PICK)
    def replay(self, pick: int) -> None:
        """Read a batch again: what it has brought stays as it is."""
        expected = self.oracle.expect()
        is_done = self.ingest.replay(self.server.now, pick)
        self.server.tell(f"replay of a batch: {'done' if is_done else 'a log is gone'}")
        self.oracle.complete(expected)
        self._check_lines()

    def _correctable(self) -> list[str]:
        """Return what is asked about where it is known which log was read there last."""
        asked = sorted(self.oracle.expect().must_ask)
        return [key for key in asked if len(self.oracle.owners(key)) == 1]

    @precondition(lambda self: not self.oracle.expect().must_ask)
    @operation(
        pick=PICK,
        changes=st.lists(st.sampled_from(("append", "rotate", "copytruncate", "compress"))),
        read_first=st.booleans(),
    )
    def run_twice(self, pick: int, changes: Sequence[str], read_first: bool) -> None:
        """Let a second run overtake the first one while the folder changes.

        What lay there only for the first one may be in.
        """
        first = self.oracle.expect()
        second: list[Expectation] = []

        def between() -> datetime:
            for change in changes[:3]:
                self._change(pick, change)
            second.append(self.oracle.expect())
            self.server.tell("the second run overtakes the first one")
            return self.server.now

        self.server.tell(f"run, reading {'before' if read_first else 'after'} what changes now:")
        codes = self.ingest.run_twice(self.server.now, between, read_first=read_first)
        self.server.tell(f"exit {codes[0]} and {codes[1]}")
        self.oracle.complete(second[0])
        self.oracle.complete_what_is_in(self.ingest.lines(), first)
        self._check_lines()
        self._check(codes[1] == 0 or second[0].may_ask, "the second run failed")

    def _change(self, pick: int, change: str) -> None:
        name = choose(pick, self.server.names)
        if change == "append":
            self.append_whole(name)
        elif change == "compress" and self.compressible():
            self.server.compress(choose(pick, self.compressible()))
        elif change in ("rotate", "copytruncate") and name in self.server.files:
            how = Rotation.CREATE if change == "rotate" else Rotation.COPYTRUNCATE
            self.server.rotate(name, how)

    # --- checks

    def _check_run(self, what: str, code: int | None, expected: Expectation) -> None:
        asked, copies = self.ingest.asked(), self.ingest.copies()
        self.server.tell(f"{what}: exit {code}")
        self.oracle.complete(expected)
        self._check_lines()
        self._check_sets("asked", asked, expected.must_ask, expected.must_ask | expected.may_ask)
        self._check(code == bool(asked), f"exit {code}, and asked about {sorted(asked)}")
        self._check_sets("copies", copies, frozenset(), frozenset().union(*expected.copies))
        for group in expected.copies:
            self._check(
                len(copies & group) == len(group) - 1, f"of {sorted(group)} all but one are copies"
            )

    def _check_lines(self) -> None:
        found = self.ingest.lines()
        lost, extra = self.oracle.lines - found, found - self.oracle.lines
        self._check(
            found == self.oracle.lines,
            f"{lost.total()} lines lost{_first(lost)}; {extra.total()} extra{_first(extra)}",
        )

    def _check_sets(
        self, what: str, found: frozenset[str], least: frozenset[str], most: frozenset[str]
    ) -> None:
        self._check(
            least <= found <= most,
            f"{what}: {sorted(found)}, and not from {sorted(least)} to {sorted(most)}",
        )

    def _check(self, is_right: object, what: str) -> None:
        assert is_right, "\n".join((what, "The history:", *self.server.story))


def _first(lines: Counter[str]) -> str:
    return "".join(f" ({line[:80]} ...)" for line in sorted(lines)[:1])


def run_histories(
    start_ingest: Callable[[Path], Ingest], *, profile: str | None = None, shrink: bool = True
) -> None:
    """Run the histories of `profile` (default: ROTATION_PROFILE, else ci) against an ingest.

    Raises AssertionError with the story of the first history that fails; without `shrink` as it
    was found. Those of `ci` and `wrong` begin with the same seed each time, those of `soak` do not;
    ROTATION_SEED sets it. Hypothesis also tries constants of the modules that are loaded, so the
    histories of a seed depend on which tests ran before.
    """
    profile = profile or os.environ.get("ROTATION_PROFILE", "ci")
    start = os.environ.get("ROTATION_SEED") or (random.getrandbits(32) if profile == "soak" else 0)
    print(f"{HISTORIES[profile]} histories with ROTATION_SEED={start}")  # noqa: T201

    class Machine(Histories):
        def start_ingest(self, folder: Path) -> Ingest:
            return start_ingest(folder)

    run_state_machine_as_test(
        seed(int(start))(Machine),
        settings=settings(
            max_examples=HISTORIES[profile],
            stateful_step_count=STEPS,
            derandomize=False,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
