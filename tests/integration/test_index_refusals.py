"""An index that is not ours, not of this lake, or shows something else is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from support.batches import Log, export

from ingest.errors import BooksError, SettingsError
from ingest.search.export import verify
from ingest.settings import Settings

pytestmark = pytest.mark.integration


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


@pytest.mark.parametrize("path", ["no-index", "a/b", "{index}"])
def test_an_address_with_the_path_of_an_index_is_refused(
    settings: Settings, log: Log, elastic: Elasticsearch, path: str
) -> None:
    elastic.indices.create(index=settings.search.index)
    log.seal(log.events(range(3)))
    path = path.format(index=settings.search.index)
    wrong = replace(settings.search, url=f"{settings.search.url}/{path}")
    with pytest.raises(SettingsError, match=f"no search server at the path /{path} of 127"):
        export(replace(settings, search=wrong))
