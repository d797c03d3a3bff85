"""Wait for something with a delay between two looks, and a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def poll(
    read: Callable[[], Seen],
    final: Callable[[Seen], bool],
    *,
    delay_seconds: float,
    deadline_seconds: float,
) -> Seen:
    """Return the first answer of `read` that is `final`, or the last one before the deadline.

    `read` is called at once, then every `delay_seconds`, at least once in all.
    """
    end = time.monotonic() + deadline_seconds
    while True:
        seen = read()
        left = end - time.monotonic()
        if final(seen) or left <= 0:
            return seen
        time.sleep(min(delay_seconds, left))
