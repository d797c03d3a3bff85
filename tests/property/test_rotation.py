"""Random histories of rotated logs: right rules pass all of them, each wrong one fails at some.

So the machine can be satisfied, and it sees what it is there for. The ingest that it is made for
is tested beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pytest
from support.following import FollowingIngest, Found, Log, State, fingerprint
from support.histories import run_histories
from support.ingest import Ingest, Kill


class FollowsNames(FollowingIngest):
    """A name is a log: another size means more of it, or a correction."""

    def continues(self, found: Found, log: Log, /) -> bool:
        return found.key == log.key and len(found.content) >= log.consumed

    def asks(self, _found: Found, _log: Log, /) -> bool:
        return False


class RereadsWhatWasTouched(FollowingIngest):
    """Another mtime of the same bytes means another log."""

    def continues(self, found: Found, log: Log, /) -> bool:
        touched = found.key == log.key and len(found.content) == log.consumed
        return not touched and super().continues(found, log)

    def asks(self, _found: Found, _log: Log, /) -> bool:
        return False


class ForgetsDeletedLogs(FollowingIngest):
    """Events leave with their file."""

    def lines(self) -> Counter[str]:
        there = self._list()
        return Counter(line for log in self._state.logs if log.key in there for line in log.lines)


class CountsCompressedCopies(FollowingIngest):
    """`gzip -k` makes another log."""

    def is_copy(self, found: Found, originals: Iterable[Found], /) -> bool:
        return not found.is_gzip and super().is_copy(found, originals)


class CountsWhatIsCompressedLater(FollowingIngest):
    """A log that is compressed is another one."""

    def continues(self, found: Found, log: Log, /) -> bool:
        later = found.is_gzip and not log.key.endswith(".gz")
        return not later and super().continues(found, log)


class TakesHalfLines(FollowingIngest):
    """Whatever lies there is a line."""

    def end(self, found: Found, _now: datetime, _final: bool, /) -> int:
        return len(found.content)


class LeavesHalfLines(FollowingIngest):
    """What has no end yet never gets one."""

    def end(self, found: Found, _now: datetime, _final: bool, /) -> int:
        return found.content.rfind(b"\n") + 1


class FollowsTheShorterCopy(FollowingIngest):
    """Of two objects that continue a log, the first one does."""

    def choose(self, claims: list[Found], _log: Log, /) -> Found:
        return min(claims, key=lambda found: len(found.content))


class StaysWithACopy(FollowingIngest):
    """A log that lies where it was goes on nowhere else."""

    def choose(self, claims: list[Found], log: Log, /) -> Found:
        there = [found for found in claims if (found.key, found.stamp) == (log.key, log.stamp)]
        return there[0] if there else super().choose(claims, log)


class TrustsTheKeyOfAnEmptyLog(FollowingIngest):
    """Whatever comes under the key of a log that was empty is that log."""

    def continues(self, found: Found, log: Log, /) -> bool:
        if log.consumed:
            is_taken = any(other.key == found.key for other in self._empty())
            return not is_taken and super().continues(found, log)
        return found.key == log.key

    def _empty(self) -> list[Log]:
        return [log for log in self._state.logs if not log.consumed]


class ComparesHeads(FollowingIngest):
    """What begins like a log is that log."""

    def continues(self, found: Found, log: Log, /) -> bool:
        head, _ = fingerprint(found.content[: log.consumed])
        return bool(log.consumed) and len(found.content) >= log.consumed and head == log.head


class ComparesTails(FollowingIngest):
    """What goes on like a log is that log."""

    def continues(self, found: Found, log: Log, /) -> bool:
        _, tail = fingerprint(found.content[: log.consumed])
        return bool(log.consumed) and len(found.content) >= log.consumed and tail == log.tail


class NeverAsks(FollowingIngest):
    """What is under a known key and does not continue its log is another one."""

    def asks(self, _found: Found, _log: Log, /) -> bool:
        return False


class AsksAboutEveryRotation(FollowingIngest):
    """What is under a known key and does not continue its log may correct it."""

    def asks(self, found: Found, log: Log, /) -> bool:
        return bool(log.consumed and found.content)


class CorrectsInSilence(FollowingIngest):
    """What is under a known key and does not continue its log replaces it."""

    def asks(self, found: Found, log: Log, /) -> bool:
        if super().asks(found, log):
            log.lines.clear()
        return False


class CorrectsByAddition(FollowingIngest):
    """What corrects a log counts beside it."""

    def correct(self, now: datetime, key: str) -> bool:
        self.declare_new(now, key)
        return True


class AddsByCorrection(FollowingIngest):
    """What is another log counts in place of the one that was there."""

    def declare_new(self, now: datetime, key: str) -> int:
        self.correct(now, key)
        return int(bool(self._state.asked))


class ShowsWhatIsNotSealed(FollowingIngest):
    """A killed run leaves its lines, and they are read again."""

    def run(self, now: datetime, *, final: bool = False, kill: Kill | None = None) -> int | None:
        return super().run(now, final=final, kill=kill and Kill.AFTER_SEAL)


class SealsOverAnotherRun(FollowingIngest):
    """Of two runs at once, the last one is right."""

    def plan_again(self, planned: State, _now: datetime, /) -> State:
        return planned


WRONG = (
    FollowsNames,
    RereadsWhatWasTouched,
    ForgetsDeletedLogs,
    CountsCompressedCopies,
    CountsWhatIsCompressedLater,
    TakesHalfLines,
    LeavesHalfLines,
    FollowsTheShorterCopy,
    StaysWithACopy,
    TrustsTheKeyOfAnEmptyLog,
    ComparesHeads,
    ComparesTails,
    NeverAsks,
    AsksAboutEveryRotation,
    CorrectsInSilence,
    CorrectsByAddition,
    AddsByCorrection,
    ShowsWhatIsNotSealed,
    SealsOverAnotherRun,
)


def test_logs_that_are_followed_by_content_bring_each_line_once() -> None:
    run_histories(FollowingIngest)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_follows_logs_wrongly_is_seen(wrong: Callable[[Path], Ingest]) -> None:
    with pytest.raises(AssertionError, match="The history:"):
        run_histories(wrong, profile="wrong", shrink=False)
