"""The whole ingest on an S3 that fails on purpose: each line of each object enters once."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from support import faults as fault
from support.faults import Fault, Faults
from support.memory_lake import log_of, meanwhile, paths_in

from ingest.errors import StorageError
from ingest.job.run import RunTasks, ingest
from ingest.job.task import run_task
from ingest.settings import Settings
from ingest.storage import open_storage, s3_client

pytestmark = pytest.mark.integration

MIB = 1 << 20
DEADLINE_SECONDS = 60
STALL_SECONDS = 1.0
# Name -> which requests it happens to, and what happens to each of them once.
FAULTS: dict[str, tuple[str, Fault]] = {
    "SlowDown": ("[A-Z]+ /{bucket}", fault.busy),
    "InternalError": ("[A-Z]+ /{bucket}", fault.broken),
    "a cut body": ("GET /{bucket}", fault.cut),
    "a body that stalls": ("GET /{bucket}/raw/small/", fault.stalled(STALL_SECONDS)),
    "fewer bytes than asked for": ("GET /{bucket}/", fault.shortened),
    "the whole object": ("GET /{bucket}/", fault.whole),
    "a lost answer": ("PUT /{bucket}", fault.unanswered),
}


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch, s3_environ: dict[str, str]) -> None:
    """Let boto3 wait for next to nothing: not before it asks again, and for no body that stalls."""
    del s3_environ  # it makes the client again, too, but comes first
    backoff = "botocore.retries.standard.ExponentialBackoff.delay_amount"
    monkeypatch.setattr(backoff, lambda *_: 0.01)
    monkeypatch.setattr("ingest.storage.s3._PAUSE_SECONDS", (0.0, 0.0))
    monkeypatch.setitem(s3_client._SETTINGS, "read_timeout", STALL_SECONDS / 2)


def pages(settings: Settings) -> list[int]:
    """Return the numbers of the lines in the lake, in order."""
    found = paths_in(settings)
    assert max(found.values()) == 1
    return sorted(int(path.removeprefix("/page/")) for _, path in found)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("name", FAULTS)
def test_what_happens_to_each_request_once_changes_nothing(
    name: str,
    settings: Settings,
    bucket: str,
    faults: Faults,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> None:
    raw = open_storage(settings.sources[0].uri)
    raw.put("packed.log.gz", gzip.compress(access_lines(50)))
    raw.put("large.log", access_lines(1_000, first=100, pad=9_000))  # two ranges
    for number in range(3):
        raw.put(f"small/{number}.log", access_lines(5, first=50 + 5 * number))
    requests, what = FAULTS[name]
    rule = faults.add(requests.format(bucket=bucket), what)

    summary = ingest(settings, run_tasks_here)

    assert summary.exit_code == 0
    assert rule.hits >= 3
    assert [record.writer for record in summary.sealed] == [
        record.writer for record in log_of(settings)
    ]
    assert pages(settings) == [*range(65), *range(100, 1_100)]
    assert ingest(settings, run_tasks_here).nothing_new


def test_an_object_that_is_replaced_between_two_of_its_ranges_counts_as_it_is_then(
    settings: Settings,
    bucket: str,
    faults: Faults,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> None:
    raw = open_storage(settings.sources[0].uri)
    raw.put("large.log", access_lines(1_000, pad=9_000))
    raw.put("small.log", access_lines(5, first=5_000))

    def replace() -> None:
        faults.clear()
        raw.put("large.log", access_lines(1_000, first=2_000, pad=9_000))

    second = faults.add(f"GET /{bucket}/raw/large.log {8 * MIB - 1}-", fault.preceded(replace))
    summary = ingest(settings, run_tasks_here)

    assert second.hits == 1
    assert summary.exit_code == 0
    assert pages(settings) == [*range(2_000, 3_000), *range(5_000, 5_005)]


def test_a_prefix_that_is_denied_costs_nothing_else_and_is_read_when_it_is_granted(
    settings: Settings,
    bucket: str,
    faults: Faults,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> None:
    raw = open_storage(settings.sources[0].uri)
    for number, key in enumerate(("open/a.log", "private/b.log", "private/c.log")):
        raw.put(key, access_lines(5, first=5 * number))

    def deny() -> None:
        faults.add(f"(GET|HEAD) /{bucket}/raw/private/", fault.denied, times=None)

    # First the tasks are denied what the driver could still look into, then the driver is.
    for _ in range(2):
        summary = ingest(settings, meanwhile(run_tasks_here, deny))
        assert summary.exit_code == 1
        assert [failed.key for failed in summary.failed] == ["private/b.log", "private/c.log"]
        assert all("grant the role s3:GetObject" in failed.reason for failed in summary.failed)
        assert pages(settings) == [*range(5)]
    faults.clear()
    assert ingest(settings, run_tasks_here).exit_code == 0
    assert pages(settings) == [*range(15)]


@pytest.mark.usefixtures("_impatient")
def test_an_object_that_fails_while_it_is_looked_at_waits_and_all_others_go_on(
    settings: Settings,
    bucket: str,
    faults: Faults,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> None:
    """What may be a copy must not be taken for a new log when its turn comes in a task."""
    raw = open_storage(settings.sources[0].uri)
    raw.put("grown.log", access_lines(5))
    raw.put("half.log", access_lines(5, first=20))
    ingest(settings, run_tasks_here)
    known = len(access_lines(5, first=20))
    raw.put("grown.log", access_lines(8))
    raw.put("half.log", access_lines(5, first=20) + b"192.0.2.1 - ")
    raw.put("a.log", access_lines(5, first=10))
    raw.put("copy.log", access_lines(5, first=10))
    faults.add(f"GET /{bucket}/raw/(grown|copy).log", fault.busy, times=None)
    faults.add(f"GET /{bucket}/raw/half.log {known}-", fault.denied, times=None)

    def calm() -> None:
        faults.clear()
        faults.add(f"GET /{bucket}/raw/half.log", fault.denied, times=None)

    summary = ingest(settings, meanwhile(run_tasks_here, calm))

    reasons = {failed.key: failed.reason for failed in summary.failed}
    assert sorted(reasons) == ["copy.log", "grown.log", "half.log"]
    assert all("SlowDown" in reasons[key] for key in ("copy.log", "grown.log"))
    assert pages(settings) == [*range(5), *range(10, 15), *range(20, 25)]
    faults.clear()
    summary = ingest(settings, run_tasks_here)
    assert [copy.key for copy in summary.duplicates] == ["copy.log"]
    assert pages(settings) == [*range(8), *range(10, 15), *range(20, 25)]


def test_a_source_that_must_not_be_listed_is_an_error_with_its_remedy(
    settings: Settings, bucket: str, faults: Faults, run_tasks_here: RunTasks
) -> None:
    faults.add(f"GET /{bucket}$", fault.denied, times=None)
    with pytest.raises(StorageError, match=f"s3://{bucket}/raw: .* s3:ListBucket"):
        ingest(settings, run_tasks_here)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "requests",
    ["GET /{bucket}/raw/", "PUT /{bucket}/lake/events/", "PUT /{bucket}/lake/batches/"],
)
def test_a_server_that_stays_busy_ends_the_run_and_the_next_one_does_all_of_it(
    requests: str,
    settings: Settings,
    bucket: str,
    faults: Faults,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.lake.seal.RETRY_SECONDS", (0.0,))
    raw = open_storage(settings.sources[0].uri)
    raw.put("a.log", access_lines(5))
    faults.add(requests.format(bucket=bucket), fault.busy, times=None)
    with pytest.raises(StorageError, match=r"SlowDown|Slow Down") as caught:
        ingest(settings, run_tasks_here)
    assert caught.value.exit_code == 1
    assert log_of(settings) == ()
    faults.clear()
    ingest(settings, run_tasks_here)
    assert pages(settings) == [*range(5)]


def _ingest_once(settings: Settings, environ: Mapping[str, str]) -> None:
    os.environ.update(environ)
    with suppress(StorageError):  # other runs were faster three times
        ingest(settings, lambda tasks, _: [run_task(task) for task in tasks])


def test_processes_at_once_on_one_prefix_that_are_killed_at_random(
    settings: Settings, s3_environ: dict[str, str], access_lines: Callable[..., bytes]
) -> None:
    """Eight ingests overlap while objects come and grow; some are killed. No JVM is needed."""
    dice = random.Random(9)  # noqa: S311 - not for secrets
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ingest.job.run", "boto3"])
    raw = open_storage(settings.sources[0].uri)
    objects: dict[str, bytes] = {}
    written = 0

    def write(key: str) -> None:
        nonlocal written
        count = dice.randint(1, 500)
        objects[key] = objects.get(key, b"") + access_lines(count, first=written)
        raw.put(key, objects[key])
        written += count

    for number in range(6):
        write(f"{number}.log")
    processes: list[Any] = []
    for _ in range(8):
        processes.append(context.Process(target=_ingest_once, args=(settings, s3_environ)))
        processes[-1].start()
        processes[-1].join(timeout=dice.random())
        if dice.random() < 0.4:
            dice.choice(processes).kill()
        write(f"{dice.randrange(12)}.log")
    for process in processes:
        process.join(timeout=DEADLINE_SECONDS)
        assert process.exitcode in (0, -signal.SIGKILL)
        process.close()
    _ingest_once(settings, s3_environ)
    assert pages(settings) == [*range(written)]
