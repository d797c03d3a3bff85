"""Exports that are disturbed at every step and at random: the index is the lake in the end.

`make soak-search` runs it; pytest does not collect it by itself. SOAK_ROUNDS is the number of
random rounds, 100 there.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from support import faults
from support.batches import Log, export, run_at_once, settings_for
from support.exact import assert_exact
from support.faults import App, Environ, Fault
from support.forwarding import forwarded
from support.killed_exports import Kill, exports_killed

from ingest.errors import SearchServerError
from ingest.search.client import connect
from ingest.search.export import export as export_with
from ingest.settings import Settings

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "20"))
DOCUMENTS = 60_000
DEADLINE_SECONDS = 60
ANSWER_SECONDS = 2.0


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    """A process that does nothing but to start exports that are killed."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as found:
        yield found


def impatient(settings: Settings, url: str, seconds: int) -> Settings:
    return replace(settings, search=replace(settings.search, url=url, deadline_seconds=seconds))


@pytest.mark.integration
def test_an_export_killed_at_each_step(
    settings: Settings, elastic: Elasticsearch, pool: ProcessPoolExecutor
) -> None:
    """A first load and then a replacement, killed before the first step, the second, and so on."""
    count, was_killed = 0, True
    while was_killed:
        count += 1
        elastic.options(ignore_status=404).indices.delete(index=settings.search.index)
        mine = replace(settings, lake=f"{settings.lake}-{count}")
        log = Log(mine.lake)
        log.seal(log.events(range(60)), log.events(range(60, 100)))
        was_killed, *_ = kill(pool, mine, count)
        log.seal(log.events(range(30, 70)), replaces=[1])
        was_killed |= kill(pool, mine, count)[0]
        assert export(mine).total == 40
        assert_exact(mine, elastic, range(30, 70))
    assert count > 20


def kill(pool: ProcessPoolExecutor, settings: Settings, count: int) -> list[bool]:
    return pool.submit(exports_killed, settings, [Kill(count=count)]).result(DEADLINE_SECONDS)


@pytest.mark.integration
def test_exports_disturbed_at_random(
    settings: Settings,
    elastic: Elasticsearch,
    pool: ProcessPoolExecutor,
    kill_search_server: Callable[[], None],
    restart_search_server: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers are spoiled, exporters killed, now and then the server; batches come and go."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    monkeypatch.setattr("ingest.search.task.connect", partial(connect, seconds=ANSWER_SECONDS))
    monkeypatch.setattr("ingest.search.patience._LONGEST_PAUSE", 0.2)
    log = Log(settings.lake)
    live: dict[int, Iterable[int]] = {}
    with forwarded(settings.search.url or "") as (url, rules):
        rules.add("PUT /.*/_bulk", at_random(dice), times=None)
        for turn in range(ROUNDS):
            seal_some(log, live, dice)
            proxied = impatient(settings, url, 5)
            if turn % 20 == 19:
                killing = threading.Timer(dice.uniform(0, 1), kill_search_server)
                killing.start()
                export_if_possible(proxied)
                killing.join()
                restart_search_server()
            elif dice.random() < 0.5:
                kill(pool, proxied, dice.randint(1, 60))
            else:
                export_if_possible(proxied)
    wanted = [i for ids in live.values() for i in ids]
    assert export(settings).total == len(wanted)
    assert_exact(settings, elastic, wanted)


def seal_some(log: Log, live: dict[int, Iterable[int]], dice: random.Random) -> None:
    """Seal a batch of new events, or one that has some of those of a live batch and a few more."""
    number = len(log.records) + 1
    first = number * 10_000
    if live and dice.random() < 0.4:
        old = dice.choice(list(live))
        ids = [i for i in live.pop(old) if dice.random() < 0.7] + [first]
        log.seal(log.events(ids), replaces=[old])
    else:
        ids = list(range(first, first + dice.randint(1, 2_000)))
        log.seal(*(log.events(ids[part::3]) for part in range(3)))
    live[number] = ids


def export_if_possible(settings: Settings) -> None:
    """Export; all faults at once may be more than the deadline allows."""
    try:
        export_with(settings, partial(run_at_once, most_bytes=20_000))
    except SearchServerError as error:
        print(error)  # noqa: T201


def at_random(dice: random.Random) -> Fault:
    """Return a fault that does another one to every third request."""
    choices = [
        faults.followed(lambda: threading.Event().wait(ANSWER_SECONDS + 0.2)),
        faults.stalled(ANSWER_SECONDS / 2),
        faults.cut,
        faults.shortened,
        faults.unanswered,
        faults.half_closed,
        faults.reset,
        *(faults.spoiled(lambda body: body, f"{code} Gateway") for code in (502, 503, 504)),
        faults.spoiled(lambda _: b'{"items":[]}'),
    ]

    def fault(app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
        chosen = dice.choice(choices) if dice.random() < 1 / 3 else None
        return chosen(app, environ, start_response) if chosen else app(environ, start_response)

    return fault


@pytest.mark.integration
def test_a_server_killed_in_mid_bulk_has_every_document(
    settings: Settings,
    elastic: Elasticsearch,
    kill_search_server: Callable[[], None],
    restart_search_server: Callable[[], None],
) -> None:
    log = Log(settings.lake)
    log.seal(*(log.events(range(i, i + 5_000)) for i in range(0, DOCUMENTS, 5_000)))
    waiting = impatient(settings, settings.search.url or "", DEADLINE_SECONDS)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(export_with, waiting, partial(run_at_once, most_bytes=200_000))
        name = settings.search.index
        while indexed(elastic, name) < DOCUMENTS // 4:
            assert not running.done()
        kill_search_server()
        restart_search_server()
        summary = running.result()
    assert (summary.documents, summary.total, summary.exit_code) == (DOCUMENTS, DOCUMENTS, 0)
    assert summary.retries > 0
    assert_exact(settings, elastic, range(DOCUMENTS))


def indexed(elastic: Elasticsearch, index: str) -> int:
    """Return how many documents the server has taken; 0 before there is an index."""
    found = elastic.options(ignore_status=404).indices.stats(index=index)
    primaries = found["_all"]["primaries"] if "_all" in found else {}
    return int(primaries["indexing"]["index_total"]) if "indexing" in primaries else 0


@pytest.mark.integration
def test_twelve_writers_and_an_overloaded_server(tmp_path: Path, weak_search_server: str) -> None:
    settings = settings_for(tmp_path, weak_search_server, "overloaded")
    log = Log(settings.lake)
    log.seal(*(log.events(range(i, i + 1_000)) for i in range(0, 24_000, 1_000)))
    summary = export_with(settings, partial(run_at_once, most_bytes=20_000))
    assert (summary.created, summary.total, summary.exit_code) == (24_000, 24_000, 0)
    assert summary.retries > 0
    with connect(weak_search_server, environ={}) as client:
        assert_exact(settings, client, range(24_000))
