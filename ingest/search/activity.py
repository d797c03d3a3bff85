"""What the senders of an export are doing, for whoever waits: documents, retries, silence."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ingest.terminal.progress import Show
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

# A server that accepts no document for that long is worth a word.
_SILENT_SECONDS = 5.0


class Activity:
    """Adds up what the senders to one `server` do, and shows it; threads share it.

    That the server accepts no documents is logged once, and once that it does again.
    """

    def __init__(
        self, server: str, show: Show | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._show = show
        self._clock = clock
        self._documents = self._retries = 0
        self._begun = self._accepted_at = clock()
        self._is_waiting = False
        self._lock = threading.Lock()

    def accepted(self, documents: int) -> None:
        """Note documents that the server has now."""
        with self._lock:
            now = self._clock()
            if self._is_waiting:
                silent = now - self._accepted_at
                _log.info("%s accepts documents again, after %.0f s", self._server, silent)
            self._accepted_at, self._is_waiting = now, False
            self._add(documents)

    def refused(self, documents: int) -> None:
        """Note documents that the server refuses for good."""
        with self._lock:
            self._add(documents)

    def retried(self) -> None:
        """Note a request that is sent again."""
        with self._lock:
            self._retries += 1

    def waits(self, seconds: float, reason: str, *, left: float) -> None:
        """Note that a sender waits `seconds`, `left` before it gives up, because of `reason`."""
        with self._lock:
            silent = self._clock() - self._accepted_at + seconds
            if self._is_waiting or silent < _SILENT_SECONDS:
                return
            self._is_waiting = True
            _log.warning(
                "%s accepts no documents (last error: %s); nothing is lost: trying again until "
                "%s UTC",
                self._server,
                reason,
                f"{datetime.now(UTC) + timedelta(seconds=left):%H:%M:%S}",
            )
            self._add(0)

    def _add(self, documents: int) -> None:
        self._documents += documents
        if self._show is not None:
            self._show(self._documents, self._detail())

    def _detail(self) -> str:
        rate = self._documents / max(self._clock() - self._begun, 0.001)
        waiting = ", waiting" if self._is_waiting else ""
        return f"{rate:,.0f}/s, {count_of(self._retries, 'retry', 'retries')}{waiting}"
