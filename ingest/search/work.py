"""What is still to be sent, and what became of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.search.body import Body
from ingest.search.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A document that the server refuses for good. `reason` and `doc` hold log content."""

    id: str
    row: int
    status: int
    type: str
    reason: str
    attempts: int
    doc: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the documents sent, and what it took. `created` are part of `indexed`."""

    indexed: int = 0
    created: int = 0
    newer: int = 0
    dead: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0

    @property
    def documents(self) -> int:
        """Documents with an outcome."""
        return self.indexed + self.newer + self.dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A body still to be sent, and how often its documents were.

    `pauses` is how often this body has been waited with, `full` how many of its last attempts met
    a full server, `errors` how often the server failed on its documents.
    """

    body: Body
    attempts: int = 0
    pauses: int = 0
    full: int = 0
    errors: int = 0

    def part(self, positions: Sequence[int], outcome: Outcome) -> Work:
        """Return the documents at `positions`, which had `outcome`."""
        errors = self.errors + (outcome is Outcome.SERVER_ERROR)
        return replace(self, body=self.body.pick(positions), errors=errors)

    def halves(self) -> list[Work]:
        """Return the halves of the body, each with its own pauses."""
        return [replace(self, body=half, pauses=0, full=0) for half in self.body.halves()]
