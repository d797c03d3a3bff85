"""The export of sealed batches into a real Elasticsearch, without Spark but for one test."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from pyspark.sql import SparkSession
from support.batches import Log, export, in_month, run_here, settings_for, sources
from support.exact import months, problems

from ingest.books.status import status
from ingest.cli.engines import export_tasks_on
from ingest.errors import BooksError, SearchServerError, SettingsError
from ingest.lake.accepted import record_acceptances
from ingest.lake.records import create_lake
from ingest.search.export import ExportSummary, verify
from ingest.search.export import export as export_with
from ingest.search.index import Index
from ingest.search.sample import differing
from ingest.search.seals import read_seals, targets
from ingest.search.task import ExportTask, TaskFacts
from ingest.search.template import Marks
from ingest.search.workers import run_in_processes
from ingest.settings import SearchSettings, Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path: Path, search_server: str, index_name: str) -> Settings:
    return settings_for(tmp_path, search_server, index_name)


@pytest.fixture
def log(settings: Settings) -> Log:
    return Log(settings.lake)


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


def test_dead_letters_come_back_after_a_fix_of_the_mapping(
    settings: Settings,
    log: Log,
    elastic: Elasticsearch,
    narrow: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows, more = log.events(range(30)), log.events(range(30, 40))
    for row in (rows[7], rows[29], more[3]):
        row["brand"] = "Norda"
    more[4]["duration_ms"] = 1e15  # what no fix of the mapping helps
    log.seal(rows, more)
    log.seal(log.events(range(50, 60)))
    first = export(settings)
    assert (first.created, first.dead, first.exit_code) == (46, 4, 3)
    assert export(settings, replay=True, dry_run=True).planned == (1,)

    narrow()
    caplog.clear()
    again = export(settings, replay=True)

    assert (again.batches, again.documents, again.created, again.dead) == ((1,), 4, 3, 1)
    assert (again.total, again.expected, again.exit_code) == (49, 50, 3)
    assert (
        f"refused 1 document (1 document_parsing_exception), among them {34:032x};" in caplog.text
    )
    assert "Norda" not in caplog.text
    found = sources(elastic, settings.search.index)
    brands = {name: one.get("product") for name, one in found.items()}
    assert {name for name, brand in brands.items() if brand} == {f"{i:032x}" for i in (7, 29, 33)}
    (letters,) = status(settings).dead_letters
    assert (letters.batch, letters.types) == (1, {"document_parsing_exception": 1})
    seal = read_seals(log.lake, letters.target)[log.records[0].batch_id]
    assert (seal.revision, seal.events, seal.indexed, seal.dead) == (2, 40, 39, 1)

    elastic.indices.delete(index=settings.search.index)
    settled = export(settings, replay=True)  # all of it is sent, the dead one once more
    assert (settled.batches, settled.created, settled.dead) == ((1, 2), 49, 1)


def test_a_replay_ends_when_no_dead_letter_is_left(
    settings: Settings, log: Log, narrow: Callable[[], None]
) -> None:
    log.seal(log.events(range(10)) + log.events(range(10, 13), brand="Norda"))
    assert export(settings).dead == 3
    narrow()
    assert export(settings).batches == ()  # they wait until they are asked for
    assert export(settings, replay=True).created == 3
    last = export(settings, replay=True)
    assert (last.batches, last.total, last.expected, last.exit_code) == ((), 13, 13, 0)
    assert status(settings).dead_letters == ()


def test_a_batch_whose_dead_letters_are_lost_is_sent_again(
    settings: Settings, log: Log, narrow: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    log.seal(log.events(range(10)) + log.events([10], brand="Norda"))
    (key,) = export(settings).dead_files
    log.lake.delete([key])
    narrow()
    again = export(settings, replay=True)
    assert "the dead letters of batch 1 cannot be read" in caplog.text
    assert (again.created, again.updated, again.total) == (1, 10, 11)


@pytest.fixture
def monthly(settings: Settings, elastic: Elasticsearch) -> Iterator[Settings]:
    """The settings with monthly indices, which are deleted afterwards."""
    yield replace(settings, search=replace(settings.search, layout="monthly"))
    for name in months(elastic, settings.search.index):
        elastic.indices.delete(index=name)


def test_each_month_has_an_index_behind_one_alias(
    monthly: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = monthly.search.index
    log.seal(log.events(range(10), **in_month(1)) + log.events(range(10, 15), **in_month(2)))
    log.seal(log.events(range(20, 23), **in_month(2)))
    first = export(monthly)
    assert (first.created, first.total, first.expected) == (18, 18, 18)
    assert months(elastic, name) == {f"{name}-2026.01": 10, f"{name}-2026.02": 8}
    assert elastic.count(index=name)["count"] == 18
    settled = elastic.indices.get(index=name)
    assert {tuple(one["aliases"]) for one in settled.values()} == {(name,)}
    assert all("loading" not in str(one["mappings"]["_meta"]) for one in settled.values())
    assert export(monthly).batches == ()
    (target,) = targets(log.lake)
    seals = read_seals(log.lake, target)
    assert seals[log.records[0].batch_id].indices == {f"{name}-2026.01": 10, f"{name}-2026.02": 5}

    # A fix of the parser moves two events, and brings another month.
    moved = log.events(range(8), **in_month(1)) + log.events(range(8, 10), **in_month(2))
    log.seal(moved + log.events([30], **in_month(3)), replaces=[1])
    second = export(monthly)
    assert (second.swept, second.total, second.expected) == (7, 14, 14)
    expected = {f"{name}-2026.01": 8, f"{name}-2026.02": 5, f"{name}-2026.03": 1}
    assert months(elastic, name) == expected

    elastic.indices.delete(index=f"{name}-2026.02")
    proof = verify(monthly)
    assert proof is not None
    assert len(proof.problems) == 2
    assert export(monthly).total == 14
    assert months(elastic, name) == expected


def test_old_months_are_deleted_and_not_missed(
    monthly: Settings, log: Log, elastic: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = monthly.search.index
    keeping = replace(monthly, search=replace(monthly.search, keep_months=2))
    monkeypatch.setattr(Index, "oldest", property(lambda _self: f"{name}-2026.02"))
    log.seal(log.events(range(10), **in_month(1)) + log.events(range(10, 15), **in_month(2)))
    first = export(keeping)
    assert (first.created, first.total, first.expected) == (15, 5, 15)
    assert months(elastic, name) == {f"{name}-2026.02": 5}
    assert export(keeping).batches == ()
    proof = verify(keeping)
    assert proof is not None
    assert (proof.expired, proof.problems, proof.pending) == (10, (), ())
    assert proof.contents is not None
    assert proof.contents.problems == []

    # A month has passed since, and what the next export will delete is still there.
    monkeypatch.setattr(Index, "oldest", property(lambda _self: f"{name}-2026.03"))
    proof = verify(keeping)
    assert proof is not None
    assert proof.contents is not None
    assert (proof.documents, proof.expired, proof.problems) == (0, 15, ())
    assert proof.contents.problems == []

    monkeypatch.undo()  # now all are kept: they come back
    assert export(monthly).total == 15


def test_months_that_hostile_dates_ask_for_are_not_made(
    monthly: Settings, log: Log, elastic: Elasticsearch
) -> None:
    rows = log.events(range(121))
    for i, row in enumerate(rows):
        row["event_date"] = date(1990 + i // 12, 1 + i % 12, 1)
    log.seal(rows)
    with pytest.raises(SettingsError, match=r"in 121 months, .* search\.layout = \"single\""):
        export(monthly)
    assert months(elastic, monthly.search.index) == {}


@pytest.mark.parametrize("to_monthly", [True, False])
def test_another_layout_needs_a_new_index(
    settings: Settings, monthly: Settings, log: Log, to_monthly: bool
) -> None:
    before, after = (settings, monthly) if to_monthly else (monthly, settings)
    log.seal(log.events(range(3)))
    export(before)
    with pytest.raises(SettingsError, match=r"has the layout (single|monthly), .* --recreate"):
        export(after)
    assert export(after, recreate=True).created == 3
    assert export(after).batches == ()


def test_a_month_that_lost_its_alias_gets_it_back(
    monthly: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = monthly.search.index
    log.seal(log.events(range(3)))
    export(monthly)
    elastic.indices.delete_alias(index=f"{name}-2026.02", name=name)
    assert export(monthly).updated == 3
    assert elastic.count(index=name)["count"] == 3


def test_an_alias_of_other_indices_is_refused(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = settings.search.index
    log.seal(log.events(range(3)))
    elastic.indices.create(index=f"other-{name}", aliases={name: {}})
    try:
        for recreate in (False, True):
            with pytest.raises(SettingsError, match=f"{name} is an alias of other-{name}: choose"):
                export(settings, recreate=recreate)
    finally:
        elastic.indices.delete(index=f"other-{name}")


# Changes of one document that leave all counts as they are, and the check that sees them.
FALSIFIED: dict[str, dict[str, Any]] = {
    "status": {"http": {"response": {"status_code": 599}}},
    "action": {"event": {"action": "purchase"}},
    "brand": {"product": {"brand": "another"}},
    "dataset": {"event": {"dataset": "another"}},
    "bytes": {"http": {"response": {"bytes": 1}}},
    "sessions": {"session": {"id": "another"}},
}


def test_values_that_differ_from_the_lake_are_seen(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    name = settings.search.index
    log.seal(
        log.events(
            range(20), brand="Norda", session_id="s", response_bytes=10**15, bytes_scope="body",
            view_count=1, purchase_count=0,
        ),
        log.events(range(20, 30)),
    )  # fmt: skip
    exported = export(settings)
    assert exported.sampled in (20, 10)  # of one file
    assert exported.compared > 10
    assert problems(settings) == []
    for number, (check, change) in enumerate(FALSIFIED.items(), start=1):
        elastic.update(index=name, id=f"{number:032x}", doc=change, refresh=True)
        assert [text.split(" = ")[0] for text in problems(settings)][-1] == f"index {check}"
        assert len(problems(settings)) == number
    assert all("batches 1; run `clickstream export --rec" in one for one in problems(settings))
    assert export(settings, recreate=True).total == 30
    assert problems(settings) == []


def test_a_document_that_is_not_the_rendering_is_seen_after_the_export(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    record = log.seal(log.events(range(30)))
    lake, number = log.lake, record.number
    export(settings)

    def sampled(index: Index) -> tuple[int, list[str]]:
        return differing(index, lake, record, refused=[f"{29:032x}"])

    marks = Marks(lake="")
    index = Index(client=elastic, search=settings.search, marks=marks, product="elasticsearch")
    assert sampled(index) == (29, [])
    change = {"url": {"original": "another"}}
    elastic.update(index=index.name, id=f"{5:032x}", doc=change, refresh=True)
    assert sampled(index) == (29, [f"{5:032x}"])
    whole = sources(elastic, index.name)[f"{6:032x}"]
    del whole["version"]
    elastic.index(
        index=index.name, id=f"{6:032x}", document=whole, version=number + 1,
        version_type="external", refresh=True,
    )  # fmt: skip
    assert sampled(index) == (29, [f"{5:032x}", f"{6:032x}"])


def test_values_too_long_to_search_are_noted_and_others_are_a_difference(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(log.events(range(3)) + log.events([3], url_original="/" + "x" * 4_000))
    export(settings)
    (target,) = targets(log.lake)
    (seal,) = read_seals(log.lake, target).values()
    assert seal.ignored == {"url.original": 1}
    proof = verify(settings)
    assert proof is not None
    assert proof.contents is not None
    (note,) = proof.contents.notes
    assert note.startswith("1 value of url.original cannot be searched")
    assert problems(settings) == []
    change = {"source": {"ip": "not an address"}}
    elastic.update(index=settings.search.index, id=f"{1:032x}", doc=change, refresh=True)
    (problem,) = problems(settings)
    assert problem.startswith("values that the index left out: 0 != 1; source.ip; run")


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
    for path in ({"type": "ip"}, {"type": "keyword"}):  # another type, a missing parameter
        url = {"url": {"properties": {"path": path}}}
        elastic.indices.create(index=name, mappings=owned | {"properties": url})
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
    settings = replace(settings, search=replace(settings.search, compress=True))

    def run_in_two(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        assert all(task.compress for task in tasks)
        return run_in_processes(tasks, writers=2)

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
