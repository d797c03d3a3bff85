"""The export of sealed batches into a real Elasticsearch, without Spark but for one test."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from pyspark.sql import SparkSession
from support.batches import Log, export, run_here, sources

from ingest.cli.engines import export_tasks_on
from ingest.errors import BooksError, SearchServerError
from ingest.lake.records import create_lake
from ingest.search.export import ExportSummary, verify
from ingest.search.export import export as export_with
from ingest.search.task import ExportTask, TaskFacts
from ingest.search.writers import run_in_threads
from ingest.settings import SearchSettings, Settings

pytestmark = pytest.mark.integration


def test_every_event_becomes_a_document_once(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(700)), log.events(range(700, 1_000)))
    log.seal(log.events(range(1_000, 1_500)))
    first = export(settings)
    assert (first.batches, first.documents, first.created, first.updated) == (
        (1, 2),
        1_500,
        1_500,
        0,
    )
    assert (first.total, first.expected, first.dead, first.exit_code) == (1_500, 1_500, 0, 0)
    found = sources(elastic, settings.search.index)
    assert set(found) == {f"{i:032x}" for i in range(1_500)}
    assert found[f"{7:032x}"] == {
        "version": 1,
        "@timestamp": "2026-02-01T00:00:00.000007Z",
        "event": {
            "ingested": "2026-02-01T00:00:00.000000Z", "dataset": "access", "action": "request",
        },
        "log": {"file": {"path": "web/access.log"}, "offset": 7},
        "http": {"response": {"status_code": 201}},
        "url": {"original": "/page/7"},
        "clickstream": {"batch_id": f"{1:032}", "parse_status": "ok"},
    }  # fmt: skip

    second = export(settings)
    assert (second.batches, second.documents, second.total) == ((), 0, 1_500)
    assert indexed(elastic, settings.search.index) == 1_500

    log.seal(log.events(range(2_000, 2_010)))
    third = export(settings)
    assert (third.batches, third.created, third.total) == ((3,), 10, 1_510)


@pytest.mark.parametrize(("replicas", "expected"), [(None, "0"), (2, "2")])
def test_the_index_is_strict_durable_and_searchable_after_a_load(
    settings: Settings, log: Log, elastic: Elasticsearch, replicas: int | None, expected: str
) -> None:
    log.seal(log.events(range(3)))
    export(replace(settings, search=replace(settings.search, replicas=replicas)))
    name = settings.search.index
    mapping = elastic.indices.get_mapping(index=name)[name]["mappings"]
    lake = json.loads(log.lake.read("lake.json"))["id"]
    assert mapping["dynamic"] == "strict"
    assert mapping["_meta"] == {"clickstream": {"lake": lake, "contract_version": 1}}
    index = elastic.indices.get_settings(index=name)[name]["settings"]["index"]
    assert index["codec"] == "best_compression"
    assert index["translog"]["durability"] == "request"
    assert index["number_of_replicas"] == expected
    assert "refresh_interval" not in index


def test_a_seal_says_what_was_exported(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(20)), log.events(range(20, 25)))
    export(settings)
    (key,) = [entry.key for entry in log.lake.list("exports/")]
    assert key.endswith(f"/{1:020}-1.json")
    seal = json.loads(log.lake.read(key))
    assert (seal["events"], seal["indexed"], seal["newer"], seal["dead"]) == (25, 25, 0, 0)
    assert seal["indices"] == {settings.search.index: 25}
    assert seal["target"]["index"] == settings.search.index
    assert seal["target"]["url"] == settings.search.url


def test_a_dry_run_changes_nothing(settings: Settings, log: Log, elastic: Elasticsearch) -> None:
    log.seal(log.events(range(3)))
    assert export(settings, dry_run=True).planned == (1,)
    assert not elastic.indices.exists(index=settings.search.index)
    assert list(log.lake.list("exports/")) == []

    export(settings)
    done = export(settings, dry_run=True)
    assert (done.planned, done.total, done.expected) == ((), None, None)


def test_a_dry_run_of_recreate_plans_all_of_it(
    settings: Settings, log: Log, elastic: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    log.seal(log.events(range(3)))
    export(settings)
    monthly = replace(settings, search=replace(settings.search, layout="monthly"))
    for one in (settings, monthly):
        assert export(one, recreate=True, dry_run=True).planned == (1,)
    assert elastic.count(index=settings.search.index)["count"] == 3
    assert export(settings, recreate=True).created == 3
    assert "exporting it again" not in caplog.text


def test_search_that_is_off_is_skipped(settings: Settings) -> None:
    off = replace(settings, search=SearchSettings(url="off"))
    assert export(off).skipped
    assert verify(off) is None


def test_an_empty_lake_makes_an_empty_index(settings: Settings, elastic: Elasticsearch) -> None:
    create_lake(settings.lake)
    assert (export(settings).total, export(settings).exit_code) == (0, 0)
    assert elastic.count(index=settings.search.index)["count"] == 0


def test_a_replaced_batch_leaves_nothing_behind(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(100)))
    log.seal(log.events(range(100, 110)))
    export(settings)
    # The new batch has half of the old events, with another status, and new ones.
    log.seal(log.events([*range(50, 100), *range(500, 505)], status_code=404), replaces=[1])
    third = export(settings)
    assert (third.batches, third.created, third.updated, third.swept) == ((3,), 5, 50, 50)
    assert (third.total, third.expected) == (65, 65)
    found = sources(elastic, settings.search.index)
    assert set(found) == {f"{i:032x}" for i in [*range(50, 110), *range(500, 505)]}
    assert found[f"{60:032x}"]["http"]["response"]["status_code"] == 404
    assert found[f"{60:032x}"]["version"] == 3
    assert export(settings).batches == ()


def test_a_late_writer_of_a_replaced_batch_cannot_win(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(10)))
    sent: list[ExportTask] = []

    def remember(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        sent.extend(tasks)
        return run_here(tasks)

    export_with(settings, remember)
    log.seal(log.events(range(5)), replaces=[1])
    export(settings)
    (late,) = run_here(sent)
    (file,) = late.files
    assert (file.tally.indexed, file.tally.newer) == (0, 10)
    assert len(sources(elastic, settings.search.index)) == 5
    assert export(settings).total == 5


def test_what_a_late_writer_left_is_swept_by_the_next_run(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(10)))
    log.seal(log.events(range(5)), replaces=[1])
    export(settings)
    # As after the tombstones expired: a document of the old batch that nothing shadows.
    stale = {"clickstream": {"batch_id": f"{1:032}"}}
    elastic.index(index=settings.search.index, id="stale", document=stale, refresh=True)
    proof = verify(settings)
    assert proof is not None
    assert proof.problems == (
        f"the index still holds 1 document of batch {1:032}, which batch 2 replaced: "
        "run `clickstream export`",
    )
    assert export(settings).total == 5


def test_a_password_is_never_shown_or_stored(
    settings: Settings,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = (settings.search.url or "").replace("//", "//somebody:planted@")
    monkeypatch.setenv("ES_URL", url)
    log.seal(log.events(range(10)))
    travelled: list[bytes] = []

    def run(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        travelled.append(pickle.dumps(tasks))
        return run_here(tasks)

    summary = export_with(replace(settings, search=replace(settings.search, url=url)), run)
    assert summary.total == 10
    stored = [log.lake.read(entry.key) for entry in log.lake.list("")]
    assert b"planted" not in b"".join([*travelled, *stored, repr(summary).encode()])
    assert "planted" not in caplog.text


def test_a_deleted_index_is_filled_again(
    settings: Settings, log: Log, elastic: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    log.seal(log.events(range(30)))
    export(settings)
    elastic.indices.delete(index=settings.search.index)
    summary = export(settings)
    assert (summary.batches, summary.created, summary.total) == ((1,), 30, 30)
    assert "batch 1 had 30 documents in the index and now has 0: exporting it again" in caplog.text
    keys = [entry.key.rpartition("/")[2] for entry in log.lake.list("exports/")]
    assert keys == [f"{1:020}-1.json", f"{1:020}-2.json"]


def test_a_lost_document_is_noticed_and_restored(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(30)))
    export(settings)
    elastic.delete(index=settings.search.index, id=f"{7:032x}", refresh=True,
                   version=1, version_type="external_gte")  # fmt: skip
    proof = verify(settings)
    assert proof is not None
    assert proof.problems[0].startswith("batch 1: 30 events in the lake, 29 in the index")
    summary = export(settings)
    assert (summary.created, summary.updated, summary.total) == (1, 29, 30)


def test_a_file_that_is_not_the_one_of_the_record_stops(settings: Settings, log: Log) -> None:
    record = log.seal(log.events(range(3)))
    path = Path(settings.lake) / record.files["events"][0].path
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(BooksError, match=r"events\.parquet: has .* bytes, but its record says"):
        export(settings)


def test_a_server_killed_during_an_export_loses_nothing(
    settings: Settings,
    log: Log,
    elastic: Elasticsearch,
    kill_search_server: Callable[[], None],
    restart_search_server: Callable[[], None],
) -> None:
    log.seal(log.events(range(100)))
    log.seal(log.events(range(1_000, 31_000)))
    name = settings.search.index
    impatient = replace(settings.search, deadline_seconds=1, body_mib=1)

    def killing(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run_here, tasks)
            while indexed(elastic, name) < 1_000:
                assert not running.done()
            kill_search_server()
            return running.result()

    try:
        with pytest.raises(SearchServerError, match=r"no documents for 1 s .* nothing is lost"):
            export_with(replace(settings, search=impatient), killing)
    finally:
        restart_search_server()
    assert [entry.key for entry in log.lake.list("exports/")] == []
    summary = export(settings)
    assert (summary.batches, summary.total, summary.expected) == ((1, 2), 30_100, 30_100)
    assert summary.updated > 0  # what the server acknowledged in the first run is still there
    mapping = elastic.indices.get_mapping(index=name)[name]["mappings"]
    assert "loading" not in mapping["_meta"]["clickstream"]
    index = elastic.indices.get_settings(index=name)[name]["settings"]["index"]
    assert "refresh_interval" not in index


def indexed(elastic: Elasticsearch, index: str) -> int:
    """Return how many documents the server has accepted, searchable yet or not."""
    stats = elastic.indices.stats(index=index)["_all"]["primaries"]
    return int(stats["indexing"]["index_total"])


def test_through_spark(settings: Settings, log: Log, spark: SparkSession) -> None:
    log.seal(log.events(range(300)), log.events(range(300, 500)))
    log.seal(log.events(range(500, 600)))
    run_on_spark = export_tasks_on(spark, settings)
    summary = export_with(settings, run_on_spark)
    assert (summary.batches, summary.created, summary.total) == ((1, 2), 600, 600)
    assert export_with(settings, run_on_spark).batches == ()


def test_through_threads_of_this_process(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(300)), log.events(range(300, 500)))
    log.seal(log.events(range(500, 600)))
    settings = replace(settings, search=replace(settings.search, compress=True))

    def run_in_two(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        assert all(task.compress for task in tasks)
        return run_in_threads(tasks, writers=2)

    summary = export_with(settings, run_in_two)
    assert (summary.batches, summary.created, summary.total) == ((1, 2), 600, 600)
    assert export_with(settings, run_in_two).batches == ()


def test_an_export_that_stops_halfway_reports_what_it_had_done(
    settings: Settings, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.search.plan._WAVE_ROWS", 1)
    log.seal(log.events(range(30)))
    log.seal(log.events(range(30, 50)))
    waves = iter([run_here])

    def run_one_wave(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        run = next(waves, None)
        if run is None:
            raise BooksError("the second wave does not add up")
        return run(tasks)

    with pytest.raises(BooksError) as caught:
        export_with(settings, run_one_wave)
    assert isinstance(caught.value.done, ExportSummary)
    assert (caught.value.done.batches, caught.value.done.created) == ((1,), 30)
