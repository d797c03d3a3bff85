"""The export into a real OpenSearch: what it does differently, and what must be the same."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fixtures.product import ROOT
from support.batches import Log, export, settings_for, sources

from ingest.errors import SettingsError
from ingest.search.client import connect
from ingest.search.export import ExportSummary, verify
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
        found.options(ignore_status=404).indices.delete(index=INDEX)


def counts(summary: ExportSummary) -> tuple[Any, ...]:
    return summary.batches, summary.created, summary.updated, summary.swept, summary.total


def test_from_the_first_export_to_a_new_index(settings: Settings, client: Elasticsearch) -> None:
    log = Log(settings.lake)
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


def test_a_setting_for_the_other_product(settings: Settings) -> None:
    Log(settings.lake)
    with pytest.raises(SettingsError, match=r"for OpenSearch set search\.product"):
        export(replace(settings, search=replace(settings.search, product="elasticsearch")))


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
