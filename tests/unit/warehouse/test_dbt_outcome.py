"""What dbt did: one bar, whatever thread calls, and a name for each failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import SimpleNamespace

import pytest

from ingest.warehouse.dbt import Failure, _shown, _summary


def test_one_bar_whatever_thread_of_dbt_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    started = SimpleNamespace(
        info=SimpleNamespace(name="LogStartLine"), data=SimpleNamespace(total=3)
    )
    bars: list[int] = []
    others: list[Thread] = []

    @contextmanager
    def slow_to_start(_: str, total: int) -> Iterator[Callable[[int], None]]:
        bars.append(total)
        other = Thread(target=listen, args=(started,))
        others.append(other)
        other.start()
        other.join(timeout=0.1)  # seconds in which the other thread could start a bar of its own
        yield bars.append

    monkeypatch.setattr("ingest.warehouse.dbt.progress", slow_to_start)
    with _shown("dbt build") as listen:
        listen(started)
        for other in others:
            other.join()
    assert bars == [3]


def test_an_operation_that_fails_is_named() -> None:
    failed = SimpleNamespace(unique_id="macro.clickstream.drop", status="error", message="no room")
    hook = SimpleNamespace(
        node=SimpleNamespace(unique_id="operation.clickstream.on-run-end-0", name="end"),
        status="success",
        message=None,
    )
    result = SimpleNamespace(results=[failed, hook])

    summary = _summary(result, 1.5)

    assert (summary.passed, summary.failed) == (0, 1)
    assert summary.failures == (Failure(name="drop", message="no room"),)
