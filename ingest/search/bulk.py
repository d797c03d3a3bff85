"""Sends bodies until every document has an outcome: indexed, newer, or a dead letter.

Retries send the same bytes: ids and external versions make that harmless, so whatever has an
unknown outcome (a timeout, a cut reply) is sent again. Nothing here knows Spark or Parquet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ingest.errors import SearchServerError, WrongMapping
from ingest.search.activity import Activity
from ingest.search.all_indexed import AllIndexed
from ingest.search.body import Body
from ingest.search.client import (
    ApiError,
    ConnectionTimeout,
    TlsError,
    TransportError,
    UnsupportedProductError,
)
from ingest.search.outcome import OVERLOADED, Refusal, items, retry_after, sort_out
from ingest.search.patience import Patience
from ingest.search.refusal import error_type, explain
from ingest.search.window import MOST_IN_FLIGHT, Window
from ingest.search.work import DeadLetter, Tally, Work
from ingest.terminal.text import count_of

# Keeps one entry per document, so that item i is document i; halves the client's CPU time.
FILTER_PATH = "errors,items.*.status,items.*.error.type,items.*.error.reason"
_FULL_UNTIL_HALVED = 3
# That many dead letters mean that the mapping is wrong, not the data.
_BRAKE_DOCUMENTS, _BRAKE_RATIO = 1_000, 0.1


class BulkClient(Protocol):
    """What the loop needs of a client."""

    def bulk(self, *, index: str, operations: Any, filter_path: str) -> Any:
        """Send the body `operations`; returns the response or raises the client's errors."""
        ...


class _Stopped(Exception):
    """Another request has stopped the sender."""


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends bodies to one index of the `server`, as messages name it, at `url`.

    `on_dead_letter` gets each dead letter, one call at a time; `activity` is told what is done.
    `most_bytes` is the largest size of a body; it shrinks when the server refuses one as too large.
    `window` limits the requests in flight; what one file taught it holds for the next sender too.
    When `patience` ends it gives up, and at once when the server cannot be reached and `is_gone`,
    or when `stop` is set.
    """

    client: BulkClient
    index: str
    url: str
    server: str
    most_bytes: int
    patience: Patience
    activity: Activity
    on_dead_letter: Callable[[DeadLetter], None] = lambda _letter: None
    is_gone: Callable[[], bool] = lambda: False
    pause: Callable[[float], object] | None = None
    window: Window = field(default_factory=Window)
    stop: threading.Event = field(default_factory=threading.Event)
    tally: Tally = field(default_factory=Tally)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, bodies: Iterable[Body]) -> Tally:
        """Send `bodies` and return what became of them.

        Rendering waits for the server: one body more than may be in flight is kept.
        Raises SearchServerError when it gives up or must stop, SettingsError for wrong credentials.
        """
        self.patience.succeeded()
        with ThreadPoolExecutor(MOST_IN_FLIGHT) as pool:
            pending: set[Future[None]] = set()
            try:
                for body in bodies:
                    pending.add(pool.submit(self.send, body))
                    while len(pending) > self.window.size:
                        done, pending = wait(pending, return_when=FIRST_COMPLETED)
                        _raise_first(done)
                _raise_first(wait(pending).done)
            except BaseException:
                self.stop.set()
                raise
        return self.tally

    def send(self, body: Body) -> None:
        """Return when every document of `body` has an outcome."""
        todo = [Work(body=body)]
        try:
            while todo:
                todo += self._attempt(todo.pop())
        except BaseException:
            self.stop.set()
            raise

    def _attempt(self, work: Work) -> list[Work]:
        """Send `work` once and return what must be sent again."""
        work = replace(work, attempts=work.attempts + 1)
        try:
            found = self._answers(work)
        except ApiError as error:
            return self._refused(work, error)
        except TransportError as error:
            return self._unanswered(work, error)
        if len(found) != len(work.body.rows):
            documents = count_of(len(work.body.rows), "document")
            return [self._later(work, f"{count_of(len(found), 'answer')} to {documents}")]
        if isinstance(found, AllIndexed):
            self._record(len(found), found.created, 0)
            self.window.widen()
            return []
        return self._sorted_out(work, found)

    def _answers(self, work: Work) -> list[Mapping[str, Any]] | AllIndexed:
        """Send the body of `work` when its turn comes and return the items of the answer."""
        with self.window.request():
            if self.stop.is_set():
                raise _Stopped
            with self._lock:
                self.tally.requests += 1
                self.tally.retries += work.attempts > 1
                self.tally.bytes += len(work.body.data)
            if work.attempts > 1:
                self.activity.retried()
            answer = self.client.bulk(
                index=self.index, operations=work.body.data, filter_path=FILTER_PATH
            )
            return items(answer)

    def _unanswered(self, work: Work, error: TransportError) -> list[Work]:
        if isinstance(error, TlsError):
            raise explain(error, self.url) from None
        if self.is_gone():
            raise SearchServerError(
                "the local search server has died; nothing is lost: run `clickstream export`"
                " again, which starts it"
            ) from None
        if isinstance(error, ConnectionTimeout):
            self.window.narrow()
        return [self._later(work, type(error).__name__)]

    def _refused(self, work: Work, error: ApiError) -> list[Work]:
        status, kind = error.status_code, error_type(error)
        reason = f"{status} {kind}"
        if isinstance(error, UnsupportedProductError):
            raise explain(error, self.url) from None
        if status == 413:
            return self._too_large(work, kind)
        if status == OVERLOADED:
            return self._overloaded(work, reason, error)
        if status >= 500:
            return [self._later(replace(work, full=0), reason, error)]
        known = explain(error, self.url)
        if known.exit_code != SearchServerError.exit_code:
            raise known from None
        rows = work.body.rows
        raise SearchServerError(f"{known} (rows {rows[0]:,} to {rows[-1]:,})") from None

    def _overloaded(self, work: Work, reason: str, error: ApiError) -> list[Work]:
        self.window.narrow()
        work = self._later(replace(work, full=work.full + 1), reason, error)
        # A body above the node's memory limit for requests can never pass.
        if work.full >= _FULL_UNTIL_HALVED and len(work.body.rows) > 1:
            return work.halves()
        return [work]

    def _too_large(self, work: Work, kind: str) -> list[Work]:
        if len(work.body.rows) == 1:
            self._set_aside(work, {0: (413, "too_large", kind)})
            return []
        with self._lock:
            self.most_bytes = min(self.most_bytes, len(work.body.data) // 2)
        return work.halves()

    def _sorted_out(self, work: Work, answers: Sequence[Mapping[str, Any]]) -> list[Work]:
        """Record the outcome of each document; return those that must be sent again."""
        found = sort_out(answers, index=self.index, errors=work.errors)
        self._record(found.indexed, found.created, found.newer)
        self._set_aside(work, found.dead)
        if not found.again:
            self.window.widen()
            return []
        if found.overloaded:
            self.window.narrow()
        work = self._later(replace(work, full=0), found.reason)
        return [work.part(positions, outcome) for outcome, positions in found.again.items()]

    def _record(self, indexed: int, created: int, newer: int) -> None:
        with self._lock:
            self.tally.indexed += indexed
            self.tally.created += created
            self.tally.newer += newer
        if indexed or newer:
            self.patience.succeeded()
            self.activity.accepted(indexed + newer)

    def _set_aside(self, work: Work, refused: Mapping[int, Refusal]) -> None:
        """Make dead letters of the documents at the positions `refused`.

        Raises WrongMapping when there are so many that going on is pointless.
        """
        documents = work.body.documents(list(refused))
        for (position, (status, kind, reason)), (name, doc) in zip(
            refused.items(), documents, strict=True
        ):
            letter = DeadLetter(
                id=name,
                row=work.body.rows[position],
                status=status,
                type=kind,
                reason=reason,
                attempts=work.attempts,
                doc=doc,
            )
            with self._lock:
                self.on_dead_letter(letter)
                self.tally.dead += 1
                tally = self.tally
            self.activity.refused(1)
            if tally.dead >= _BRAKE_DOCUMENTS and tally.dead > _BRAKE_RATIO * tally.documents:
                raise WrongMapping(
                    f"{tally.dead:,} of {tally.documents:,} documents were refused (last error: "
                    f"{status} {kind}): the mapping of {self.index} is wrong, not the data"
                )

    def _later(self, work: Work, reason: str, error: ApiError | None = None) -> Work:
        """Back off and return `work`; raises SearchServerError when the deadline has passed."""
        left = self.patience.left()
        if not left:
            raise SearchServerError(
                f"{self.server} accepted no documents for {self.patience.deadline_seconds:,.0f} s "
                f"(last error: {reason}); nothing is lost: run `clickstream export` again"
            )
        work = replace(work, pauses=work.pauses + 1)
        seconds = self.patience.pause(work.pauses, asked=retry_after(error))
        with self._lock:
            self.tally.waited_seconds += seconds
        self.activity.waits(seconds, reason, left=left)
        (self.pause or self.stop.wait)(seconds)
        return work


def _raise_first(done: Iterable[Future[None]]) -> None:
    """Raise what one of `done` raised, the cause rather than its consequences."""
    errors = [error for future in done if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, _Stopped)):
        raise error
