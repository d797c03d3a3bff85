"""Dead letters: what the index refuses is kept, counted, and sent again after a fix."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch
from support.batches import Log, export, sources

from ingest.books.status import status
from ingest.search.export import verify
from ingest.search.seals import read_seals
from ingest.settings import Settings

pytestmark = pytest.mark.integration


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
    assert (again.batches, again.total, again.refused, again.exit_code) == ((), 48, 2, 3)
    proof = verify(settings)
    assert proof is not None
    assert (proof.documents, proof.dead, proof.expected, proof.problems) == (48, 2, 50, ())
    assert (proof.over_limit(1), proof.over_limit(2)) == ((1,), ())


def test_dead_letters_within_the_limit_are_no_failure(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(20), duration_ms=None)[:19] + log.events([19], duration_ms=1e15))
    lenient = replace(settings, search=replace(settings.search, max_dead=1))
    summary = export(lenient)
    assert (summary.dead, summary.exit_code) == (1, 0)


def test_dead_letters_come_back_after_a_fix_of_the_mapping(
    settings: Settings,
    log: Log,
    elastic: Elasticsearch,
    fix_mapping: Callable[[], None],
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

    fix_mapping()
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
    caplog.clear()
    waiting = export(settings, replay=True)
    assert (waiting.batches, waiting.total, waiting.exit_code) == ((), None, 0)
    assert "run `clickstream export` for 2 batches that the index lacks" in caplog.text
    settled = export(settings)  # all of it is sent, the dead one once more
    assert (settled.batches, settled.created, settled.dead) == ((1, 2), 49, 1)


def test_a_replay_ends_when_no_dead_letter_is_left(
    settings: Settings, log: Log, fix_mapping: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    log.seal(log.events(range(10)) + log.events(range(10, 13), brand="Norda"))
    assert export(settings).dead == 3
    fix_mapping()
    assert export(settings).batches == ()  # they wait until they are asked for
    log.seal(log.events(range(20, 25)))
    again = export(settings, replay=True)
    assert (again.batches, again.created, again.total, again.exit_code) == ((1,), 3, None, 0)
    assert "run `clickstream export` for 1 batch that the index lacks" in caplog.text
    assert export(settings).batches == (2,)
    last = export(settings, replay=True)
    assert (last.batches, last.total, last.expected, last.exit_code) == ((), 18, 18, 0)
    assert status(settings).dead_letters == ()


def test_a_batch_whose_dead_letters_are_lost_is_sent_again(
    settings: Settings, log: Log, fix_mapping: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    log.seal(log.events(range(10)) + log.events([10], brand="Norda"))
    (key,) = export(settings).dead_files
    log.lake.delete([key])
    fix_mapping()
    again = export(settings, replay=True)
    assert "the dead letters of batch 1 cannot be read" in caplog.text
    assert (again.created, again.updated, again.total) == (1, 10, 11)
