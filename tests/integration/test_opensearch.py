"""The export into a real OpenSearch: what it does differently, and what must be the same."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fixtures.product import ROOT
from support.batches import Log, export, in_month, run_here, settings_for, sources
from support.exact import assert_exact, months, problems

from ingest.errors import BooksError, SettingsError
from ingest.search.client import connect
from ingest.search.export import ExportSummary, verify
from ingest.search.export import export as export_with
from ingest.search.task import ExportTask, TaskFacts
from ingest.settings import Settings

pytestmark = pytest.mark.integration

INDEX = "events"
# Log content that no log, and but for the lake no document, may show.
PLANTED = "planted-in-a-payload"
KEY = "cGxhbnRlZDprZXk="


@pytest.fixture
def settings(tmp_path: Path, opensearch_url: str) -> Settings:
    return settings_for(tmp_path, opensearch_url, INDEX)


@pytest.fixture
def client(opensearch_url: str) -> Iterator[Elasticsearch]:
    with connect(opensearch_url, environ={}) as found:
        yield found
        delete_all(found)


def delete_all(client: Elasticsearch) -> None:
    """Delete the index, or those of all months."""
    for name in client.indices.get(index=f"{INDEX}*"):
        client.indices.delete(index=name)


def counts(summary: ExportSummary) -> tuple[Any, ...]:
    return summary.batches, summary.created, summary.updated, summary.swept, summary.total


def test_from_the_first_export_to_a_new_index(
    settings: Settings, log: Log, client: Elasticsearch
) -> None:
    rows = log.events(range(300))
    rows[7]["duration_ms"] = 1e15  # beyond a long
    rows[7]["url_path"] = PLANTED
    rows[8] |= {"cookie": PLANTED, "url_path": "/" + "x" * 5_000}
    rows[9]["extra"] = json.dumps(
        {"request": {"headers": {"Cookie": PLANTED, "Authorization": PLANTED}, "a.b": ["kept"]}}
    )
    rows[10]["extra"] = json.dumps({"long": "y" * 20_000, "n": 1, "flag": True, "none": None})
    log.seal(rows)
    log.seal(log.events(range(300, 310)))

    first, printed = by_command(settings)
    assert (first["batches"], first["created"], first["dead"]) == ([1, 2], 309, 1)
    assert (first["total"], first["expected"]) == (309, 310)
    (key,) = first["dead_files"]
    (letter,) = map(json.loads, gzip.decompress(log.lake.read(key)).splitlines())
    assert (letter["id"], letter["status"], letter["type"]) == (
        f"{7:032x}", 400, "mapper_parsing_exception",
    )  # fmt: skip
    assert letter["doc"]["url"]["path"] == PLANTED
    proof = verify(settings)
    assert proof is not None
    assert (proof.documents, proof.dead, proof.expected, proof.problems) == (309, 1, 310, ())
    (product,) = {seal["target"]["product"] for seal in seals(log)}
    assert product == "opensearch"

    found = sources(client, INDEX)
    assert found[f"{9:032x}"]["clickstream"]["extra"] == {
        "request": {"headers": {}, "a.b": ["kept"]}
    }
    assert found[f"{10:032x}"]["clickstream"]["extra"] == json.loads(rows[10]["extra"])
    assert PLANTED not in json.dumps(found)
    assert f"{7:032x}" in printed
    for text in (printed, *stored(settings, log)):
        assert PLANTED not in text
        assert KEY not in text
    extra = {"term": {"clickstream.extra.n": "1"}}
    assert client.count(index=INDEX, query=extra)["count"] == 1

    again = export(settings)
    assert counts(again) == ((), 0, 0, 0, 309)

    # The new batch has half of the first batch's events, and new ones.
    log.seal(log.events([*range(150, 300), 500], status_code=404), replaces=[1])
    replaced = export(settings)
    assert counts(replaced) == ((3,), 1, 150, 149, 161)
    found = sources(client, INDEX)
    assert set(found) == {f"{i:032x}" for i in [*range(150, 310), 500]}
    assert (found[f"{150:032x}"]["version"], found[f"{150:032x}"]["http"]) == (
        3, {"response": {"status_code": 404}},
    )  # fmt: skip

    client.indices.delete(index=INDEX)
    assert counts(export(settings)) == ((2, 3), 161, 0, 0, 161)
    assert counts(export(settings, recreate=True)) == ((2, 3), 161, 0, 0, 161)
    mapping = client.indices.get_mapping(index=INDEX)[INDEX]["mappings"]
    assert mapping["dynamic"] == "strict"
    assert mapping["properties"]["clickstream"]["properties"]["extra"] == {"type": "flat_object"}
    index = client.indices.get_settings(index=INDEX)[INDEX]["settings"]["index"]
    assert (index["codec"], index["translog"]["durability"]) == ("best_compression", "request")
    assert "refresh_interval" not in index


def test_a_setting_for_the_other_product(settings: Settings, log: Log) -> None:
    del log
    with pytest.raises(SettingsError, match=r"for OpenSearch set search\.product"):
        export(replace(settings, search=replace(settings.search, product="elasticsearch")))


def test_each_month_has_an_index(settings: Settings, log: Log, client: Elasticsearch) -> None:
    monthly = replace(settings, search=replace(settings.search, layout="monthly"))
    log.seal(log.events(range(10), **in_month(1)) + log.events(range(10, 15), **in_month(2)))
    log.seal(log.events(range(20, 23), **in_month(2)))
    assert counts(export(monthly)) == ((1, 2), 18, 0, 0, 18)
    assert months(client, INDEX) == {f"{INDEX}-2026.01": 10, f"{INDEX}-2026.02": 8}

    # Eight of the ten stay in their month, two move.
    moved = log.events(range(8), **in_month(1)) + log.events(range(8, 10), **in_month(2))
    log.seal(moved, replaces=[1])
    assert counts(export(monthly)) == ((3,), 2, 8, 7, 13)
    expected = {f"{INDEX}-2026.01": 8, f"{INDEX}-2026.02": 5}
    assert months(client, INDEX) == expected

    client.indices.delete(index=f"{INDEX}-2026.02")
    proof = verify(monthly)
    assert proof is not None
    assert len(proof.problems) == 2
    assert counts(export(monthly)) == ((2, 3), 5, 8, 0, 13)
    assert months(client, INDEX) == expected
    assert_exact(monthly, client, [*range(10), *range(20, 23)])


def test_values_that_the_index_left_out(
    settings: Settings, log: Log, client: Elasticsearch
) -> None:
    log.seal(log.events(range(3)) + log.events([3], url_original="/" + "x" * 4_000))
    export(settings)
    (seal,) = seals(log)
    assert seal["ignored"] == {}  # which says nothing about values that are too long
    assert problems(settings) == []
    change = {"source": {"ip": "not an address"}}
    client.update(index=INDEX, id=f"{1:032x}", doc=change, refresh=True)
    (problem,) = problems(settings)
    assert problem.startswith("values that the index left out: 0 != 1; source.ip; run")


def test_dead_letters_come_back_after_a_fix_of_the_mapping(
    settings: Settings, log: Log, client: Elasticsearch, fix_mapping: Callable[[], None]
) -> None:
    rows = log.events(range(10)) + log.events(range(10, 13), brand="Norda")
    rows[4]["duration_ms"] = 1e15  # what no fix of the mapping helps
    log.seal(rows)
    assert (export(settings).created, export(settings, replay=True).dead) == (9, 4)
    fix_mapping()
    again = export(settings, replay=True)
    assert (again.documents, again.created, again.dead, again.total) == (4, 3, 1, 12)
    assert_exact(settings, client, [*range(4), *range(5, 13)], dead=1)


@pytest.mark.parametrize("layout", ["single", "monthly"])
def test_an_index_that_is_deleted_during_an_export(
    settings: Settings, log: Log, client: Elasticsearch, layout: str
) -> None:
    """The next request makes it again, from our template; the proof sees what it has lost."""
    settings = replace(settings, search=replace(settings.search, layout=layout))

    def deleting(tasks: Sequence[ExportTask]) -> list[TaskFacts]:
        delete_all(client)
        return run_here(tasks)

    log.seal(log.events(range(30)))
    assert counts(export_with(settings, deleting)) == ((1,), 30, 0, 0, 30)
    assert_exact(settings, client, range(30))

    log.seal(log.events(range(30, 50)))
    with pytest.raises(
        BooksError, match="batch 1: 30 events in the lake, 0 in the index"
    ) as raised:
        export_with(settings, deleting)
    assert isinstance(raised.value.done, ExportSummary)
    assert raised.value.done.batches == (2,)
    assert counts(export(settings)) == ((1,), 30, 0, 0, 50)
    assert_exact(settings, client, range(50))
    mappings = {str(one["mappings"]["dynamic"]) for one in client.indices.get(index=INDEX).values()}
    assert mappings == {"strict"}


def by_command(settings: Settings) -> tuple[dict[str, Any], str]:
    """Return the summary of `clickstream -v export` with an API key, and all that it printed."""
    assert settings.search.url is not None
    environ = os.environ | {
        "CLICKSTREAM_DATA": str(settings.data),
        "CLICKSTREAM_LAKE": settings.lake,
        "ES_URL": settings.search.url,
        "ES_INDEX": INDEX,
        "ES_API_KEY": KEY,
    }
    done = subprocess.run(
        [sys.executable, "-m", "ingest.cli", "-v", "export", "--json"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    return json.loads(done.stdout), done.stdout + done.stderr


def stored(settings: Settings, log: Log) -> list[str]:
    """Return what an export leaves beside documents and dead letters: seals and files of logs."""
    files = [path for path in (settings.data / "logs").rglob("*") if path.is_file()]
    return [json.dumps(seals(log)), *(path.read_text(errors="replace") for path in files)]


def seals(log: Log) -> list[dict[str, Any]]:
    keys = [entry.key for entry in log.lake.list("exports/")]
    return [json.loads(log.lake.read(key)) for key in keys if key.endswith(".json")]
