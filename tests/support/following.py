"""An ingest in memory that follows logs by their content: what the real one must be equal to.

It knows no more than a listing and bytes, and keeps of each log what the ledger keeps. That it
passes shows that the rules suffice for every history that is generated.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.ingest import Kill
from support.log_lines import line_time, split_lines

FINGERPRINT_BYTES = 4096
SETTLE = timedelta(minutes=60)
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True)
class Found:
    """An object of a listing and its content; `stamp` is its size and mtime."""

    key: str
    stamp: tuple[int, int]
    content: bytes
    is_gzip: bool

    @property
    def changed_at(self) -> datetime:
        """When it changed last."""
        return datetime.fromtimestamp(self.stamp[1] / 1e9, UTC)


@dataclass(eq=False, kw_only=True)
class Log:
    """A row of the ledger, and the lines that it brought."""

    key: str
    stamp: tuple[int, int] = (0, 0)
    consumed: int = 0
    head: str = ""
    tail: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def times(self) -> list[datetime]:
        """The times of its lines."""
        return [time for line in self.lines if (time := line_time(line))]


@dataclass(kw_only=True)
class State:
    """All that a batch record would seal."""

    logs: list[Log] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)


class FollowingIngest:
    """See `support.ingest.Ingest`. A subclass may be wrong about one step."""

    def __init__(self, folder: Path) -> None:
        """Follow what lies in `folder`."""
        self._folder = folder
        self._state = State()

    def run(self, now: datetime, *, final: bool = False, kill: Kill | None = None) -> int | None:
        """Plan, then seal; a killed run did one of both, or none."""
        planned = self.plan(self._list(), now, final=final)
        if kill is Kill.BEFORE_SEAL:
            return None
        self._state = planned
        return None if kill is Kill.AFTER_SEAL else int(bool(planned.asked))

    def run_twice(
        self, now: datetime, between: Callable[[], datetime], *, read_first: bool
    ) -> tuple[int, int]:
        """The second run seals first, so the first one plans again."""
        del read_first  # the plan holds all bytes
        planned = self.plan(self._list(), now, final=False)
        now = between()
        second = self.run(now)
        assert second is not None
        self._state = self.plan_again(planned, now)
        return int(bool(self._state.asked)), second

    def declare_new(self, now: datetime, key: str) -> int:
        """Plan and seal, `key` being another log."""
        self._state = self.plan(self._list(), now, final=False, another=key)
        return int(bool(self._state.asked))

    def correct(self, now: datetime, key: str) -> bool:
        """Run, then forget the log that was read last at `key`, and take what lies there now."""
        self.run(now)
        logs = self._state.logs
        logs.remove([log for log in logs if log.key == key][-1])
        logs.append(log := Log(key=key))
        found = self._list()[key]
        self._consume(log, found, self.end(found, now, False))
        return True

    def replay(self, now: datetime, pick: int) -> bool:
        """Run; there are no batches to be read again."""
        del pick
        self.run(now)
        return True

    def lines(self) -> Counter[str]:
        """Count the lines in the warehouse."""
        return Counter(line for log in self._state.logs for line in log.lines)

    def asked(self) -> frozenset[str]:
        """Return what the last run asked about."""
        return frozenset(self._state.asked)

    def copies(self) -> frozenset[str]:
        """Return what the last run reported as copies."""
        return frozenset(self._state.copies)

    def close(self) -> None:
        """There is nothing to release."""

    # --- the steps

    def plan_again(self, _planned: State, now: datetime, /) -> State:
        """Return the state after a run that lost the race with what it had planned."""
        return self.plan(self._list(), now, final=False)

    def plan(
        self, objects: Mapping[str, Found], now: datetime, *, final: bool, another: str = ""
    ) -> State:
        """Return what the log of batches would say after a run that lists `objects`.

        What lies at the key `another` is a new log.
        """
        state = State(logs=[replace(log, lines=[*log.lines]) for log in self._state.logs])
        owners = {log.key: log for log in state.logs}
        unexplained = dict(objects)
        lying = {
            log: unexplained.pop(key)
            for key, log in owners.items()
            if key in objects and objects[key].stamp == log.stamp
        }
        declared = unexplained.pop(another, None)
        for log in sorted(state.logs, key=lambda log: -log.consumed):
            self._match(log, lying, unexplained)
        if declared:
            lying[Log(key=another)] = declared
        for found in sorted(unexplained.values(), key=lambda found: -len(found.content)):
            owner = owners.get(found.key)
            if self.is_copy(found, lying.values()):
                state.copies.add(found.key)
            elif owner and owner not in lying and self.asks(found, owner):
                state.asked.add(found.key)
            else:
                lying[Log(key=found.key)] = found
        for log, found in lying.items():
            self._consume(log, found, self.end(found, now, final))
        state.logs = [*(log for log in state.logs if log not in lying), *lying]
        return state

    def _match(self, log: Log, lying: dict[Log, Found], unexplained: dict[str, Found]) -> None:
        """Find out where `log` lies now.

        A log that lies where it was may go on elsewhere all the same: of equal copies one was
        taken for the log, and it was another one that grew.
        """
        claims = [found for found in unexplained.values() if self.continues(found, log)]
        if log in lying:
            claims.append(lying[log])
            unexplained[lying[log].key] = lying[log]
        if claims:
            lying[log] = unexplained.pop(self.choose(claims, log).key)

    def continues(self, found: Found, log: Log, /) -> bool:
        """Whether `found` is `log`, moved, touched, compressed or grown."""
        if not log.consumed:
            return False
        head, tail = fingerprint(found.content[: log.consumed])
        return len(found.content) >= log.consumed and (head, tail) == (log.head, log.tail)

    def choose(self, claims: list[Found], log: Log, /) -> Found:
        """Return the object that goes on as `log`: the others are copies of its beginning."""
        return max(claims, key=lambda found: (len(found.content), found.key == log.key))

    def is_copy(self, found: Found, originals: Iterable[Found], /) -> bool:
        """Whether the content of `found` is the beginning of that of another object."""
        return bool(found.content) and any(
            other.content.startswith(found.content) for other in originals
        )

    def asks(self, found: Found, log: Log, /) -> bool:
        """Whether `found`, at the key of the lost `log`, does not begin after it."""
        times = [time for line in split_lines(found.content) if (time := line_time(line))]
        if not log.times or not times:
            return False
        slack = min(timedelta(hours=1), (max(log.times) - min(log.times)) / 2)
        return min(times) < max(log.times) - slack

    def end(self, found: Found, now: datetime, final: bool, /) -> int:
        """Return how much content counts as lines now."""
        if final or found.is_gzip or now - found.changed_at > SETTLE:
            return len(found.content)
        return found.content.rfind(b"\n") + 1

    def _consume(self, log: Log, found: Found, end: int) -> None:
        log.key, log.stamp = found.key, found.stamp
        if end > log.consumed:
            log.lines += split_lines(found.content[log.consumed : end])
            log.consumed = end
            log.head, log.tail = fingerprint(found.content[:end])

    def _list(self) -> dict[str, Found]:
        paths = (path for path in self._folder.rglob("*") if path.is_file())
        return {found.key: found for found in map(self._look, sorted(paths))}

    def _look(self, path: Path) -> Found:
        stored, stat = path.read_bytes(), path.stat()
        is_gzip = stored.startswith(GZIP_MAGIC)
        return Found(
            key=path.relative_to(self._folder).as_posix(),
            stamp=(stat.st_size, stat.st_mtime_ns),
            content=gzip.decompress(stored) if is_gzip else stored,
            is_gzip=is_gzip,
        )


def fingerprint(consumed: bytes) -> tuple[str, str]:
    """Return head and tail: the hashes of the first and the last 4 KiB of what was consumed."""
    first, last = consumed[:FINGERPRINT_BYTES], consumed[-FINGERPRINT_BYTES:]
    return hashlib.sha256(first).hexdigest(), hashlib.sha256(last).hexdigest()
