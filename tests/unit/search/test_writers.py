"""Export tasks in threads of this process: facts in order, and an end that nothing holds up."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.batches import Log

from ingest.search.activity import Activity
from ingest.search.plan import files
from ingest.search.task import ExportTask, TaskFacts, export_task
from ingest.search.template import Marks
from ingest.search.writers import run_in_threads

DEADLINE_SECONDS = 60
NO_SERVER = "http://127.0.0.1:9"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(str(tmp_path / "lake"))


def tasks_for(log: Log, url: str, *, batches: int) -> list[ExportTask]:
    records = [log.seal(log.events(range(10 * i, 10 * i + 10))) for i in range(batches)]
    return [
        ExportTask(
            lake=log.lake.uri, url=url, index="i", target="t", product="elasticsearch",
            files=(file,), most_bytes=1 << 20, deadline_seconds=1, marks=Marks(lake=""),
        )
        for file in files(records)
    ]  # fmt: skip


def test_what_stops_a_task_comes_back_as_a_fact(log: Log) -> None:
    tasks = tasks_for(log, NO_SERVER, batches=3)
    facts = run_in_threads(tasks, writers=2)
    failures = [str(fact.failure()).split(":")[0] for fact in facts]
    assert failures == [task.files[0].path for task in tasks]


def test_without_tasks_nothing_is_done() -> None:
    assert run_in_threads([], writers=2) == []


@contextmanager
def silent_server(asked: threading.Event, end: threading.Event) -> Iterator[str]:
    """Yield the address of a server that takes a request and does not answer before `end`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_SECONDS)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                asked.set()
                end.wait(DEADLINE_SECONDS)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        end.set()
        thread.join()


def test_an_interruption_does_not_wait_for_a_silent_server(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, end = threading.Event(), threading.Event()
    stops: list[threading.Event] = []

    def begin(task: ExportTask, *, stop: threading.Event, activity: Activity) -> TaskFacts:
        stops.append(stop)
        return export_task(task, stop, activity)

    def interrupt() -> None:
        asked.wait(DEADLINE_SECONDS)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    monkeypatch.setattr("ingest.search.writers.export_task", begin)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.siginterrupt(signal.SIGINT, False)  # as the handler does that polars adds at its import
    try:
        with silent_server(asked, end) as url:
            started = time.monotonic()
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                run_in_threads(tasks_for(log, url, batches=2), writers=1)
            assert time.monotonic() - started < DEADLINE_SECONDS / 2
            assert [stop.is_set() for stop in stops] == [True]
            thread.join()
    finally:
        signal.signal(signal.SIGINT, before)


def test_progress_counts_documents(
    log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def send(_task: ExportTask, *, activity: Activity, **_: object) -> TaskFacts:
        activity.accepted(1_204)
        activity.retried()
        activity.refused(1)
        return TaskFacts(files=())

    monkeypatch.setattr("ingest.search.writers.export_task", send)
    caplog.set_level("INFO")
    tasks = [
        replace(task, files=(replace(task.files[0], rows=1_205),))
        for task in tasks_for(log, NO_SERVER, batches=2)
    ]
    run_in_threads(tasks, writers=1)
    assert [re.sub(r"[\d,]+/s", "9/s", message) for message in caplog.messages] == [
        "export of batches 1 to 2: 40 % (1,204 of 2,410), 9/s, 0 retries",
        "export of batches 1 to 2: 50 % (1,205 of 2,410), 9/s, 1 retry",
        "export of batches 1 to 2: 90 % (2,409 of 2,410), 9/s, 1 retry",
        "export of batches 1 to 2: 100 % (2,410 of 2,410), 9/s, 2 retries",
    ]


def test_writers_say_together_that_they_wait(
    log: Log, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.search.activity._SILENT_SECONDS", 0)
    tasks = [replace(task, deadline_seconds=0.1) for task in tasks_for(log, NO_SERVER, batches=3)]
    run_in_threads(tasks, writers=3)
    (message,) = (one.message for one in caplog.records if one.name.startswith("ingest."))
    assert message.startswith(
        "Elasticsearch at http://127.0.0.1:9 accepts no documents (last error"
    )
