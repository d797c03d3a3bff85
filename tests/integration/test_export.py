"""The export of sealed batches into a real Elasticsearch, without Spark but for one test."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from elasticsearch import Elasticsearch
from pyspark.sql import SparkSession

from ingest.cli.engines import export_tasks_on
from ingest.contract import EVENTS
from ingest.errors import BooksError, SearchServerError, SettingsError
from ingest.lake.accepted import record_acceptances
from ingest.lake.parquet import ParquetSink
from ingest.lake.records import (
    RECORD_FORMAT,
    BatchRecord,
    NamedFile,
    Totals,
    create_lake,
    record_key,
    record_to_json,
)
from ingest.render import arrow_schema
from ingest.search.export import ExportSummary, verify
from ingest.search.export import export as export_with
from ingest.search.task import ExportTask, TaskFacts, export_task
from ingest.search.workers import run_in_processes
from ingest.settings import SearchSettings, Settings, Source
from ingest.storage import Storage

pytestmark = pytest.mark.integration

SCHEMA = arrow_schema(EVENTS)
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def event(i: int, batch: str, **columns: Any) -> dict[str, Any]:
    return {
        "event_id": f"{i:032x}",
        "batch_id": batch,
        "event_time": NOW + timedelta(microseconds=i),
        "event_date": date(2026, 2, 1),
        "ingest_time": NOW,
        "source_format": "access",
        "source_file": "web/access.log",
        "source_offset": i,
        "parse_status": "ok",
        "event_type": "request",
        "status_code": 200 + i % 3,
        "url_original": f"/page/{i}",
    } | columns


class Log:
    """A lake with batches made by hand."""

    def __init__(self, uri: str) -> None:
        self.lake: Storage = create_lake(uri)
        self.records: list[BatchRecord] = []

    def seal(
        self, *files: Sequence[dict[str, Any]], replaces: Iterable[int] = (), rejects: int = 0
    ) -> BatchRecord:
        number = len(self.records) + 1
        batch = f"{number:032}"
        named = [self._write(batch, part, rows) for part, rows in enumerate(files)]
        events = sum(file.rows for file in named)
        record = BatchRecord(
            format=RECORD_FORMAT, number=number, batch_id=batch, writer="test", sealed_at=NOW,
            ingest_time=NOW, source="raw", contract_version=1, parser_version=1, settings_hash="",
            range_bytes=8 << 20, reject_limit_ratio=0.01,
            replaces=tuple(f"{old:032}" for old in replaces), objects=(),
            files={"events": tuple(named), "rejects": (), "files": ()},
            totals=Totals(
                objects=1, bytes=1, lines_read=events + rejects, lines_ok=events, lines_warn=0,
                lines_skip=0, lines_reject=rejects, events=events, rejects=rejects,
                min_event_time=None, max_event_time=None, counts={},
            ),
        )  # fmt: skip
        assert self.lake.put_if_absent(record_key(number), record_to_json(record))
        self.records.append(record)
        return record

    def events(
        self, ids: Iterable[int], *, number: int | None = None, **columns: Any
    ) -> list[dict[str, Any]]:
        batch = f"{number or len(self.records) + 1:032}"
        return [event(i, batch, **columns) for i in ids]

    def _write(self, batch: str, part: int, rows: Sequence[dict[str, Any]]) -> NamedFile:
        key = f"events/batch_id={batch}/part={part:05}-0/events.parquet"
        full = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
        path = self.lake.spool(key)
        with ParquetSink(path, EVENTS) as sink:
            sink.write(pa.Table.from_pylist(full, schema=SCHEMA))
            written = sink.close()
        return NamedFile(path=key, rows=written.rows, bytes=written.bytes)


@pytest.fixture
def settings(tmp_path: Path, search_server: str, index_name: str) -> Settings:
    return Settings(
        root=tmp_path,
        data=tmp_path,
        lake=str(tmp_path / "lake"),
        target="local",
        sources=(Source(name="raw", uri=str(tmp_path)),),
        search=SearchSettings(url=search_server, index=index_name, deadline_seconds=20),
    )


@pytest.fixture
def log(settings: Settings) -> Log:
    return Log(settings.lake)


def run_here(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
    """Run the tasks in this process, both ways pickled as Spark does."""
    travelled = pickle.loads(pickle.dumps(list(tasks)))  # noqa: S301
    return [pickle.loads(pickle.dumps(export_task(task))) for task in travelled]  # noqa: S301


def export(settings: Settings, **options: Any) -> ExportSummary:
    return export_with(settings, run_here, **options)


def sources(elastic: Elasticsearch, index: str) -> dict[str, dict[str, Any]]:
    elastic.indices.refresh(index=index)
    found = elastic.search(index=index, size=10_000, version=True)["hits"]["hits"]
    return {hit["_id"]: {"version": hit["_version"], **hit["_source"]} for hit in found}


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


def test_the_index_is_strict_durable_and_searchable_after_a_load(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(3)))
    export(settings)
    name = settings.search.index
    mapping = elastic.indices.get_mapping(index=name)[name]["mappings"]
    lake = json.loads(log.lake.read("lake.json"))["id"]
    assert mapping["dynamic"] == "strict"
    assert mapping["_meta"] == {"clickstream": {"lake": lake, "contract_version": 1}}
    index = elastic.indices.get_settings(index=name)[name]["settings"]["index"]
    assert index["codec"] == "best_compression"
    assert index["translog"]["durability"] == "request"
    assert index["number_of_replicas"] == "0"
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


def test_a_dry_run_changes_nothing(settings: Settings, log: Log, elastic: Elasticsearch) -> None:
    log.seal(log.events(range(3)))
    assert export(settings, dry_run=True).planned == (1,)
    assert not elastic.indices.exists(index=settings.search.index)
    assert list(log.lake.list("exports/")) == []


def test_search_that_is_off_is_skipped(settings: Settings) -> None:
    off = replace(settings, search=SearchSettings(url="off"))
    assert export(off).skipped
    assert verify(off) is None


def test_an_index_holds_addresses_or_pseudonyms_but_never_both(
    settings: Settings, log: Log, elastic: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = settings.search.index
    client: dict[str, Any] = {"client_ip": "203.0.113.7", "client_address": "203.0.113.7"}
    networks = _hiding(settings, "truncate")
    log.seal(log.events(range(3), **client))
    assert export(networks).created == 3
    assert elastic.count(index=index, query={"term": {"source.ip": "203.0.113.0/32"}})["count"] == 3
    proof = verify(networks)
    assert proof is not None
    assert (proof.documents, proof.problems, proof.pending) == (3, (), ())
    log.seal(log.events(range(3, 5), **client))
    with pytest.raises(SettingsError, match=r"pseudonyms \(truncate\) .* ask for the addresses"):
        export(settings)
    hashed = _hiding(settings, "hash")
    with pytest.raises(SettingsError, match="CLICKSTREAM_PSEUDONYM_KEY is not set"):
        export(hashed)
    monkeypatch.setenv("CLICKSTREAM_PSEUDONYM_KEY", "k" * 32)
    with pytest.raises(SettingsError, match=r"ask for pseudonyms \(hash [0-9a-f]{12}\)"):
        verify(hashed)
    assert export(hashed, recreate=True).created == 5
    assert elastic.count(index=index, query={"term": {"source.ip": "fd00::/8"}})["count"] == 5
    assert export(hashed).batches == ()
    monkeypatch.setenv("CLICKSTREAM_PSEUDONYM_KEY", "l" * 32)
    with pytest.raises(SettingsError, match="never mixed"):
        export(hashed)


def _hiding(settings: Settings, method: str) -> Settings:
    search = replace(settings.search, pseudonymise="client_ip", pseudonym_method=method)
    return replace(settings, search=search)


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


def test_a_document_the_index_refuses_is_kept_and_counted(
    settings: Settings, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    rows = log.events(range(50))
    rows[7]["duration_ms"] = 1e15  # beyond a long
    rows[9]["url_path"] = "secret"
    rows[9]["extra"] = '{"a":' + '{"a":' * 150 + "1" + "}" * 151  # deeper than the mapping allows
    log.seal(rows)
    summary = export(settings)
    assert (summary.documents, summary.created, summary.dead) == (50, 48, 2)
    assert (summary.total, summary.expected, summary.exit_code) == (48, 50, 3)
    letters = [
        json.loads(line)
        for key in summary.dead_files
        for line in gzip.decompress(log.lake.read(key)).splitlines()
    ]
    assert [(one["id"], one["row"], one["status"]) for one in letters] == [
        (f"{7:032x}", 7, 400),
        (f"{9:032x}", 9, 400),
    ]
    assert letters[0]["doc"]["event"]["duration"] == 10**21
    assert letters[1]["doc"]["url"]["path"] == "secret"
    assert letters[0]["source_offset"] == 7
    assert "2 document_parsing_exception" in caplog.text
    assert "secret" not in caplog.text
    again = export(settings)
    assert (again.batches, again.total, again.exit_code) == ((), 48, 0)
    proof = verify(settings)
    assert proof is not None
    assert (proof.documents, proof.dead, proof.expected, proof.problems) == (48, 2, 50, ())


def test_dead_letters_within_the_limit_are_no_failure(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(20), duration_ms=None)[:19] + log.events([19], duration_ms=1e15))
    lenient = replace(settings, search=replace(settings.search, max_dead=1))
    summary = export(lenient)
    assert (summary.dead, summary.exit_code) == (1, 0)


HOSTILE = [
    'quote " and \\ backslash',
    "".join(map(chr, range(1, 32))),
    "\u007f\u0085\u2028\u2029\ufeff\ufffd",
    "😀 \U0010ffff é",
    '"}\n{"delete":{"_id":"x"}}\n',
    "/" + "x" * 8_191,
    "null",
    "</script><!--",
]
HOSTILE_EXTRA = [
    '{"":1}',
    '{"a.b":1,"a":{"b":2}}',
    '{"n":1e999,"i":12345678901234567890123,"f":-0.0}',
    '{"x":[1,[2,[3,{"y":"z"}]],true,"t"]}',
    '{"long":"' + "y" * 20_000 + '"}',
    '{"' + "k" * 3_000 + '":"v"}',
    '{"many":' + json.dumps([f"v{i}" for i in range(2_000)], separators=(",", ":")) + "}",
    '{"deep":' + '{"a":' * 99 + "1" + "}" * 99 + "}",
    '{"u":"\\u0000\\ud83d\\ude00\\n"}',
]


def test_hostile_content_arrives_unchanged(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    rows = log.events(range(len(HOSTILE) + len(HOSTILE_EXTRA)))
    for row, text in zip(rows, HOSTILE, strict=False):
        row |= {"url_original": text, "user_name": text[:500], "user_agent": text}
    for row, extra in zip(rows[len(HOSTILE) :], HOSTILE_EXTRA, strict=True):
        row["extra"] = extra
    log.seal(rows)
    summary = export(settings)
    assert (summary.created, summary.dead) == (len(rows), 0)
    found = sources(elastic, settings.search.index)
    assert [found[f"{i:032x}"]["user_agent"]["original"] for i in range(len(HOSTILE))] == HOSTILE
    assert [found[f"{i:032x}"]["clickstream"]["extra"] for i in range(len(HOSTILE), len(rows))] == [
        json.loads(extra) for extra in HOSTILE_EXTRA
    ]


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


def test_a_quarantined_batch_waits_until_it_is_accepted(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(1_000)), rejects=100)
    log.seal(log.events(range(2_000, 2_003)))
    first = export(settings)
    quarantined = log.records[0].batch_id
    assert (first.batches, first.quarantined, first.exit_code, first.total) == (
        (2,),
        (quarantined,),
        3,
        3,
    )
    accepted = export(settings, accept=[quarantined])
    assert (accepted.batches, accepted.exit_code, accepted.total) == ((1,), 0, 1_003)
    later = export(settings)  # a batch stays accepted
    assert (later.batches, later.exit_code, later.total) == ((), 0, 1_003)


def test_accepting_an_unknown_batch_is_an_error(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(3)))
    with pytest.raises(SettingsError, match="--accept nobody: the lake has no such batch"):
        export(settings, accept=["nobody"])


def test_a_dry_run_accepts_nothing(settings: Settings, log: Log) -> None:
    quarantined = log.seal(log.events(range(1_000)), rejects=100).batch_id

    assert export(settings, accept=[quarantined], dry_run=True).planned == (1,)
    assert export(settings).quarantined == (quarantined,)


def test_an_acceptance_of_another_target_counts(settings: Settings, log: Log) -> None:
    """Landing took it with `load --accept`: the index must have it too."""
    record_acceptances(log.lake, [log.seal(log.events(range(1_000)), rejects=100).batch_id])

    summary = export(settings)

    assert (summary.batches, summary.quarantined, summary.total) == ((1,), (), 1_000)


@pytest.mark.parametrize("step_by_step", [True, False])
def test_a_quarantined_batch_in_the_middle_hands_on(
    settings: Settings, log: Log, step_by_step: bool
) -> None:
    log.seal(log.events(range(3)))
    if step_by_step:
        export(settings)
    log.seal(log.events(range(1_000)), replaces=[1], rejects=100)
    if step_by_step:
        assert export(settings).total == 3
    log.seal(log.events(range(5)), replaces=[2])

    summary = export(settings)

    assert (summary.batches, summary.total, summary.expected) == ((3,), 5, 5)
    assert (summary.quarantined, summary.exit_code) == ((), 0)
    assert export(settings).batches == ()


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


@pytest.mark.parametrize("stray", [{}, {"clickstream": {"batch_id": None}}])
def test_a_document_without_a_batch_is_seen(
    settings: Settings, log: Log, elastic: Elasticsearch, stray: dict[str, Any]
) -> None:
    log.seal(log.events(range(3)))
    export(settings)
    elastic.index(index=settings.search.index, document=stray, refresh=True)
    for look in (verify, export):
        with pytest.raises(BooksError, match="holds 1 document without a batch: delete it"):
            look(settings)


def test_a_foreign_document_stops_the_export(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(3)))
    export(settings)
    foreign = {"clickstream": {"batch_id": "nobody's"}}
    elastic.index(index=settings.search.index, document=foreign, refresh=True)
    with pytest.raises(BooksError, match="the lake does not know"):
        export(settings)
    assert export(settings, recreate=True).total == 3


def test_an_index_of_another_lake_is_refused(settings: Settings, log: Log, tmp_path: Path) -> None:
    log.seal(log.events(range(3)))
    export(settings)
    other = replace(settings, lake=str(tmp_path / "other"))
    theirs = Log(other.lake)
    theirs.seal(theirs.events(range(5)))
    with pytest.raises(SettingsError, match="belongs to another lake"):
        export(other)
    assert export(other, recreate=True).total == 5


def test_an_index_of_somebody_else_is_refused_and_never_deleted(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(3)))
    elastic.indices.create(index=settings.search.index)
    for recreate in (False, True):
        with pytest.raises(SettingsError, match="was not created by clickstream"):
            export(settings, recreate=recreate)
    assert elastic.indices.exists(index=settings.search.index)


def test_a_changed_mapping_is_refused_and_a_missing_field_added(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(3), brand="x"))
    name = settings.search.index
    lake = json.loads(log.lake.read("lake.json"))["id"]
    owned = {"_meta": {"clickstream": {"lake": lake}}}
    elastic.indices.create(
        index=name,
        mappings=owned | {"properties": {"url": {"properties": {"path": {"type": "ip"}}}}},
    )
    with pytest.raises(SettingsError, match=r"(?s)url\.path: is .*cannot be changed in place"):
        export(settings)
    elastic.indices.delete(index=name)
    elastic.indices.create(index=name, mappings=owned | {"dynamic": "true"})
    assert export(settings).total == 3
    assert elastic.count(index=name, query={"term": {"product.brand": "x"}})["count"] == 3
    assert elastic.indices.get_mapping(index=name)[name]["mappings"]["dynamic"] == "strict"


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


def test_through_processes_on_this_machine(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(300)), log.events(range(300, 500)))
    log.seal(log.events(range(500, 600)))
    run_in_two = partial(run_in_processes, writers=2)
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
