"""How many bulk requests may be in flight: fewer when the server is overloaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Two requests in flight index 1.7 times as many documents as one; four are no better, unless the
# server has many cores.
_FIRST, MOST_IN_FLIGHT = 2, 4
_CLEAN_UNTIL_WIDER = 50


class Window:
    """Lets `size` requests through at a time, 1 to 4 of them; threads share it."""

    def __init__(self) -> None:
        self.size = _FIRST
        self._clean = 0
        self._in_flight = 0
        self._changed = threading.Condition()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until another request may be sent; it is in flight inside the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self.size)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def narrow(self) -> None:
        """Halve the size: the server was overloaded, or did not answer in time."""
        with self._changed:
            self.size = max(1, self.size // 2)
            self._clean = 0

    def widen(self) -> None:
        """Count a request that went well; after 50 of them one more may be in flight."""
        with self._changed:
            self._clean += 1
            if self._clean == _CLEAN_UNTIL_WIDER:
                self.size = min(self.size + 1, MOST_IN_FLIGHT)
                self._clean = 0
                self._changed.notify_all()
