"""How long a sender waits for a server that accepts no documents, and when it gives up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LONGEST_PAUSE = 30.0


@dataclass(slots=True, kw_only=True)
class Patience:
    """Pauses that grow, with a random part, up to `deadline_seconds` without success."""

    deadline_seconds: float
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = random.uniform
    _succeeded_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.succeeded()

    def succeeded(self) -> None:
        """Begin again: the server has accepted documents, or nothing was sent yet."""
        self._succeeded_at = self.clock()

    def left(self) -> float:
        """Return how many seconds there are before the sender gives up; 0 = it does so now."""
        return max(0.0, self.deadline_seconds - (self.clock() - self._succeeded_at))

    def pause(self, pauses: int, *, asked: float) -> float:
        """Return the seconds of the next pause; `asked` are those that the server asks for.

        `pauses` is how often the same documents have been waited with, this time included.
        """
        seconds = self.jitter(0.0, min(_LONGEST_PAUSE, 0.5 * 2 ** min(pauses, 10)))
        return min(max(seconds, asked), self.left())
