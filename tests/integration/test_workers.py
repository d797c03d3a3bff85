"""Export tasks in processes on this machine: facts in order, and no process left behind."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ingest.errors import ClickstreamError
from ingest.job.run import IngestSummary
from ingest.lake.records import BatchRecord
from ingest.search.plan import files
from ingest.search.task import ExportTask
from ingest.search.template import Marks
from ingest.search.workers import run_in_processes
from ingest.settings import Settings

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 60
# Starts a worker as an export does, says its id, and is busy until it is killed.
DRIVER = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from ingest.search.workers import _prepare_worker
spawn = multiprocessing.get_context("spawn")
with ProcessPoolExecutor(1, mp_context=spawn, initializer=_prepare_worker) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""
NO_SERVER = "http://127.0.0.1:9"


@pytest.fixture
def make_tasks(
    make_settings: Callable[..., Settings],
    ingest_here: Callable[..., IngestSummary],
    access_lines: Callable[..., bytes],
) -> Callable[[str], list[ExportTask]]:
    """Return a task for each of three batches, to be sent to an address."""
    settings = make_settings()
    records: list[BatchRecord] = []
    for number in range(3):
        log = Path(settings.sources[0].uri) / f"{number}.log"
        log.write_bytes(access_lines(10, first=10 * number))
        records += ingest_here().sealed

    def make(url: str) -> list[ExportTask]:
        return [
            ExportTask(
                lake=settings.lake,
                url=url,
                index="i",
                target="t",
                product="elasticsearch",
                files=(file,),
                most_bytes=1 << 20,
                deadline_seconds=1,
                marks=Marks(lake=""),
            )
            for file in files(records)
        ]

    return make


@contextmanager
def silent_server(when_asked: Callable[[], None]) -> Iterator[str]:
    """Return the address of a server that calls `when_asked` instead of answering."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_SECONDS)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                when_asked()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_what_stops_a_task_comes_back_as_a_fact(
    make_tasks: Callable[[str], list[ExportTask]],
) -> None:
    facts = run_in_processes(make_tasks(NO_SERVER), writers=2)

    failures = [str(fact.failure()) for fact in facts]
    assert len(failures) == 3
    paths = [task.files[0].path for task in make_tasks(NO_SERVER)]
    assert [failure.split(":")[0] for failure in failures] == paths


def test_without_tasks_nothing_is_started() -> None:
    assert run_in_processes([], writers=2) == []


def test_a_killed_worker_is_an_error(make_tasks: Callable[[str], list[ExportTask]]) -> None:
    def kill() -> None:
        for worker in multiprocessing.active_children():
            worker.kill()

    with (
        silent_server(kill) as url,
        pytest.raises(ClickstreamError, match="a worker process was killed"),
    ):
        run_in_processes(make_tasks(url)[:1], writers=1)


def test_an_interruption_leaves_no_worker_behind(
    make_tasks: Callable[[str], list[ExportTask]],
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    assert main is not None

    with (
        silent_server(lambda: signal.pthread_kill(main, signal.SIGINT)) as url,
        pytest.raises(KeyboardInterrupt),
    ):
        run_in_processes(make_tasks(url)[:1], writers=1)
    assert multiprocessing.active_children() == []


def test_a_killed_driver_takes_its_workers_along() -> None:
    with subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        worker = psutil.Process(int(driver.stdout.readline()))
        driver.kill()

    worker.wait(timeout=DEADLINE_SECONDS)
    assert not worker.is_running()
