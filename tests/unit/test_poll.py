"""Poll: the first final answer, or the last one before the deadline."""

from __future__ import annotations

import time

import pytest

from ingest.poll import poll


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock instead of the machine's."""
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


@pytest.mark.parametrize(
    ("final", "deadline", "seen", "slept"),
    [
        (1, 60.0, 1, []),
        (3, 60.0, 3, [10.0, 10.0]),
        (9, 25.0, 4, [10.0, 10.0, 5.0]),
        (9, 0.0, 1, []),
    ],
)
def test_until_final_or_the_deadline(
    clock: Clock, final: int, deadline: float, seen: int, slept: list[float]
) -> None:
    answers = iter(range(1, 100))
    found = poll(
        lambda: next(answers),
        lambda answer: answer >= final,
        delay_seconds=10.0,
        deadline_seconds=deadline,
    )
    assert (found, clock.slept) == (seen, slept)
