"""What the histories ask of an ingest: the real one, one in memory, one that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Protocol


class Kill(Enum):
    """When a run dies."""

    BEFORE_SEAL = "before the seal"
    AFTER_SEAL = "after the seal"


class Ingest(Protocol):
    """An ingest of one folder into a warehouse of its own. Keys are relative to the folder."""

    def run(self, now: datetime, *, final: bool = False, kill: Kill | None = None) -> int | None:
        """Run once at `now`; return the exit code, None when the run was killed.

        A run that seals nothing is not killed.
        """
        ...

    def run_twice(
        self, now: datetime, between: Callable[[], datetime], *, read_first: bool
    ) -> tuple[int, int]:
        """Run at `now`, and a second time while the first run is between its plan and its seal.

        `between` changes the folder before the second run and returns the time of that. The first
        run reads its bytes before that if `read_first`, else when the second one is done. Returns
        both exit codes. The second one runs to its end.
        """
        ...

    def declare_new(self, now: datetime, key: str) -> int:
        """Run with `--as-new`: what lies at `key` is another log than the one that was there."""
        ...

    def correct(self, now: datetime, key: str) -> bool:
        """Run, then let what lies at `key` take the place of the log that was there.

        Returns whether that was done: not where it takes a log that is gone.
        """
        ...

    def replay(self, now: datetime, pick: int) -> bool:
        """Run, then read one of the live batches again; `pick` says which one.

        Returns whether that was done: not where it takes a log that is gone.
        """
        ...

    def lines(self) -> Counter[str]:
        """Count the lines in the warehouse, those that were refused too, without blank ones."""
        ...

    def asked(self) -> frozenset[str]:
        """Return the keys that the last run asked about: `failed(changed)`."""
        ...

    def copies(self) -> frozenset[str]:
        """Return the keys that the last run reported as copies."""
        ...

    def close(self) -> None:
        """Release what this ingest holds."""
        ...
