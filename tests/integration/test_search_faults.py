"""Faults between the exporter and a real Elasticsearch: afterwards the index is the lake exactly.

Each row of the fault table (section 7 of the specification of search) and where it is tested:

| Fault | Test |
| --- | --- |
| item 429, request 429 that never passes, 413, a document too long for the server | `test_search_overload.py` |
| SIGKILL of the server in mid-bulk | `test_export.py`: `test_a_server_killed_during_an_export_loses_nothing`; `make soak-search` with 60,000 documents |
| SIGKILL of the exporting process, also between sweep and seal | `test_an_export_killed_at_any_step_is_completed_by_the_next`; `make soak-search` at every step |
| unknown outcomes: timeout, cut or slow reply, half-closed, reset, 502/503/504, item count | `test_spoiled_answers_are_asked_for_again`; `make soak-search` at random |
| strict refusal, wrong type, too long | `test_documents_that_the_index_refuses_are_the_dead_letters` |
| flood stage, write block, index closed or deleted in mid-run | `test_an_index_that_takes_nothing_stops_the_export` |
| replaced batch, late writer | `test_export.py`: `test_a_replaced_batch_leaves_nothing_behind`, `test_a_late_writer_of_a_replaced_batch_cannot_win`; here `test_a_late_writer_after_the_tombstones_expired_is_swept` |
| moved month | `test_monthly_indices.py` |
| two exporters at once | `test_two_exporters_at_once_make_each_document_once` |
| index deleted after sealing, foreign lake, changed mapping | `test_export.py`: `test_a_deleted_index_is_filled_again`; `test_index_refusals.py`: `test_an_index_of_another_lake_is_refused`, `test_a_changed_mapping_is_refused_and_a_missing_field_added` |
| wrong key, certificate, fingerprint; 9.x client on 8.x; not Elasticsearch | `tests/unit/search/test_client.py` |
| a key that may not (403) finalise | `test_a_key_that_may_not_undo_the_tuning_of_a_first_load_exports_all_the_same` |
| hostile text | `test_hostile_rows_arrive_as_the_oracle_says`; `test_document.py` without a server |
"""  # noqa: E501 -- a table has no line breaks

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import hypothesis
import pytest
from elasticsearch import Elasticsearch
from support import faults
from support.batches import Log, export, run_here, sources
from support.documents import reference, tables
from support.exact import assert_exact
from support.forwarding import forwarded
from support.killed_exports import Kill, exports_killed

from ingest.contract import EVENTS
from ingest.errors import ClickstreamError, SearchServerError
from ingest.search import document
from ingest.search.client import connect
from ingest.search.export import export as export_with
from ingest.search.export import verify
from ingest.search.task import ExportTask, TaskFacts
from ingest.search.work import Tally
from ingest.settings import Settings

pytestmark = pytest.mark.integration

DEADLINE_SECONDS = 20
SMALL_BODY = 20_000
# Far longer than the server takes for a small request.
ANSWER_SECONDS = 1.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for an answer, and before the next attempt, only as long as a test needs."""
    monkeypatch.setattr("ingest.search.patience._LONGEST_PAUSE", 0.05)
    monkeypatch.setattr("ingest.search.task.connect", partial(connect, seconds=ANSWER_SECONDS))


def run_small_bodies(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
    return run_here([replace(task, most_bytes=SMALL_BODY) for task in tasks])


# ------------------------------------------------------------------------- unknown outcomes


def without_last_item(body: bytes) -> bytes:
    answer = json.loads(body)
    return json.dumps(answer | {"items": answer["items"][:-1]}).encode()


def same(body: bytes) -> bytes:
    return body


SPOILED = [
    faults.followed(lambda: threading.Event().wait(ANSWER_SECONDS + 0.2)),  # a timeout
    faults.cut,
    faults.shortened,
    faults.unanswered,
    faults.half_closed,
    faults.reset,
    faults.spoiled(same, "502 Bad Gateway"),
    faults.spoiled(same, "503 Service Unavailable"),
    faults.spoiled(same, "504 Gateway Timeout"),
    faults.spoiled(without_last_item),
]


def test_spoiled_answers_are_asked_for_again(
    settings: Settings, log: Log, elastic: Elasticsearch, quick: None
) -> None:
    del quick
    log.seal(log.events(range(700)))
    with forwarded(settings.search.url or "") as (url, rules):
        hits = [rules.add("PUT /.*/_bulk", fault) for fault in SPOILED]
        slow = rules.add("PUT /.*/_bulk", faults.stalled(ANSWER_SECONDS / 4))
        proxied = replace(settings, search=replace(settings.search, url=url))
        summary = export_with(proxied, run_small_bodies)
    assert [rule.hits for rule in (*hits, slow)] == [1] * (len(SPOILED) + 1)
    assert (summary.retries, summary.exit_code) == (len(SPOILED), 0)
    assert (summary.documents, summary.total, summary.expected) == (700, 700, 700)
    assert summary.updated > 0  # the server had taken what it was sent
    assert_exact(settings, elastic, range(700))


# ------------------------------------------------------------------------------ killed exports


@pytest.fixture
def killed(settings: Settings) -> Iterator[Callable[[Sequence[Kill]], list[bool]]]:
    """Export once for each of the kills, in processes of their own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda kills: pool.submit(exports_killed, settings, kills).result()


def test_an_export_killed_at_any_step_is_completed_by_the_next(
    settings: Settings,
    log: Log,
    elastic: Elasticsearch,
    killed: Callable[[Sequence[Kill]], list[bool]],
) -> None:
    name = settings.search.index
    log.seal(log.events(range(100)), log.events(range(100, 200)))
    fresh = [
        Kill(step="_index_template"),
        Kill(step="_bulk"),
        Kill(step=f"PUT /{name}/_settings"),  # the index is still tuned for its first load
        Kill(step="_bulk", count=2),
        Kill(step="PUT exports/"),
    ]
    assert all(killed(fresh))
    log.seal(log.events(range(50, 120)), replaces=[1])
    replacing = [
        Kill(step="_bulk", count=2),  # the sweep
        Kill(step="PUT exports/"),  # between sweep and seal
    ]
    assert all(killed(replacing))

    assert export(settings).total == 70
    assert_exact(settings, elastic, range(50, 120))
    assert not tuned(elastic, name)


def tuned(elastic: Elasticsearch, name: str) -> bool:
    """Return whether the index is as its first load wants it; settings and mark never disagree."""
    (index,) = elastic.indices.get(index=name).values()
    marked = "loading" in index["mappings"]["_meta"]["clickstream"]
    assert marked == ("refresh_interval" in index["settings"]["index"])
    return bool(marked)


# --------------------------------------------------------------------------- a key that may not


def forbidden(_app: faults.App, _environ: faults.Environ, start_response: Any) -> Iterable[bytes]:
    """Refuse as a server does whose key has the role `write` only."""
    body = b'{"error":{"type":"security_exception"},"status":403}'
    start_response("403 Forbidden", [("Content-Type", "application/json")])
    return [body]


def test_a_key_that_may_not_undo_the_tuning_of_a_first_load_exports_all_the_same(
    settings: Settings, log: Log, elastic: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the export of a key with both roles has crashed."""
    name = settings.search.index
    with forwarded(settings.search.url or "") as (url, rules):
        rules.add(f"PUT /{name}/_(settings|mapping)", forbidden, times=None)
        limited = replace(settings, search=replace(settings.search, url=url))
        for number in (1, 2):
            log.seal(log.events(range(10 * number, 10 * number + 10)))
            caplog.clear()
            summary = export(limited)
            assert (summary.batches, summary.total, summary.exit_code) == (
                (number,),
                10 * number,
                0,
            )
            (notice,) = [record.message for record in caplog.records if "setup" in record.message]
            assert f"index {name} keeps the settings of its first load" in notice
            assert tuned(elastic, name)
    assert_exact(settings, elastic, range(10, 30))
    assert not tuned(elastic, name)


# ------------------------------------------------------------------- an index that takes nothing


def blocked(setting: str) -> Callable[[Elasticsearch, str], object]:
    def block(elastic: Elasticsearch, name: str) -> None:
        elastic.indices.put_settings(index=name, settings={f"index.blocks.{setting}": True})

    return block


def unblocked(elastic: Elasticsearch, name: str) -> None:
    none = {"index.blocks.write": None, "index.blocks.read_only_allow_delete": None}
    elastic.indices.put_settings(index=name, settings=none)


HARM: list[tuple[Callable[[Elasticsearch, str], object], str]] = [
    (blocked("read_only_allow_delete"), "disk is full and the index is read-only"),
    (blocked("write"), "is blocked for writing: remove the block"),
    (lambda elastic, name: elastic.indices.close(index=name), "is closed: open it"),
    (
        lambda elastic, name: elastic.indices.delete(index=name),
        "is gone: run `clickstream export` again",
    ),
]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(
    ("harm", "message"), HARM, ids=["flood stage", "write block", "closed", "deleted"]
)
def test_an_index_that_takes_nothing_stops_the_export(
    settings: Settings,
    log: Log,
    elastic: Elasticsearch,
    harm: Callable[[Elasticsearch, str], object],
    message: str,
    fresh: bool,
) -> None:
    name = settings.search.index
    impatient = replace(settings, search=replace(settings.search, deadline_seconds=1))
    log.seal(log.events(range(30)))
    if not fresh:
        export(settings)
        log.seal(log.events(range(30, 50)))
    ids = range(30 if fresh else 50)

    def harmed(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        harm(elastic, name)
        return run_here(tasks)

    with pytest.raises(SearchServerError, match=message) as raised:
        export_with(impatient, harmed)
    assert (raised.value.exit_code, "nothing is lost" in str(raised.value)) == (1, True)
    assert not any("/dead/" in entry.key for entry in log.lake.list("exports/"))
    if elastic.indices.exists(index=name):
        with pytest.raises(ClickstreamError, match=message):
            export(impatient)
        elastic.indices.open(index=name)
        unblocked(elastic, name)
    summary = export(settings)
    assert (summary.total, summary.dead, summary.exit_code) == (len(ids), 0, 0)
    assert_exact(settings, elastic, ids)


# ------------------------------------------------------------------------------- other writers


def test_two_exporters_at_once_make_each_document_once(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(200)))
    log.seal(log.events(range(200, 300)))
    log.seal(log.events(range(150)), replaces=[1])
    together = threading.Barrier(2)

    def run(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        together.wait(10)
        return run_here(tasks)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(export_with, settings, run) for _ in range(2)]
        summaries = [one.result() for one in both]
    assert [(one.total, one.exit_code) for one in summaries] == [(250, 0)] * 2
    seals = [entry.key for entry in log.lake.list("exports/")]
    assert [key.rpartition("/")[2] for key in seals] == [f"{2:020}-1.json", f"{3:020}-1.json"]
    assert_exact(settings, elastic, [*range(150), *range(200, 300)])


def resent(tasks: Sequence[ExportTask]) -> Tally:
    (late,) = run_here(tasks)
    return late.files[0].tally


def test_a_late_writer_after_the_tombstones_expired_is_swept(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = settings.search.index
    log.seal(log.events(range(10)))
    sent: list[ExportTask] = []

    def remember(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        sent.extend(tasks)
        return run_here(tasks)

    export_with(settings, remember)
    elastic.indices.put_settings(index=name, settings={"index.gc_deletes": "0s"})
    log.seal(log.events(range(5)), replaces=[1])
    export(settings)
    tally = resent(sent)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not tally.indexed:  # the server forgets the deleted ones when it has a moment
        assert time.monotonic() < deadline
        elastic.indices.refresh(index=name)
        tally = resent(sent)
    assert (tally.indexed, tally.newer) == (5, 5)
    proof = verify(settings)
    assert proof is not None
    assert "still holds 5 documents of batch" in proof.problems[0]

    assert export(settings).total == 5
    assert_exact(settings, elastic, range(5))


# ------------------------------------------------------------------------------------ documents


def test_documents_that_the_index_refuses_are_the_dead_letters(
    settings: Settings, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = log.events(range(40))
    rows[3]["brand"] = "x"
    rows[5]["duration_ms"] = 1e15  # beyond a long
    rows[8]["user_name"] = "x" * 33_000  # beyond the longest term
    log.seal(rows)
    # A field that the contract has, but the mapping of the index has not.
    monkeypatch.setitem(document._TREE, "planted", EVENTS.column("brand"))
    summary = export(settings)
    assert (summary.created, summary.dead, summary.exit_code) == (37, 3, 3)
    letters = [
        json.loads(line)
        for key in summary.dead_files
        for line in gzip.decompress(log.lake.read(key)).splitlines()
    ]
    assert {one["row"]: (one["id"], one["status"], one["type"]) for one in letters} == {
        3: (f"{3:032x}", 400, "strict_dynamic_mapping_exception"),
        5: (f"{5:032x}", 400, "document_parsing_exception"),
        8: (f"{8:032x}", 400, "document_parsing_exception"),
    }
    proof = verify(settings)
    assert proof is not None
    assert (proof.documents, proof.dead, proof.expected, proof.problems) == (37, 3, 40, ())
    assert export(settings).batches == ()


def test_hostile_rows_arrive_as_the_oracle_says(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    rows: list[dict[str, Any]] = []

    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(tables())
    def collect(found: list[dict[str, Any]]) -> None:
        rows.extend(found)

    collect()
    hostile = [
        {**row, "event_id": f"{i:032x}", "batch_id": f"{1:032}"} for i, row in enumerate(rows)
    ]
    log.seal(hostile)
    summary = export(settings)
    assert (summary.created, summary.dead, summary.total) == (len(rows), 0, len(rows))
    found = sources(elastic, settings.search.index)
    for row in hostile:
        assert found[row["event_id"]] == {"version": 1, **reference(row)}
    assert len(found) == len(rows)
