"""What documents say is what the lake says, value by value; differences are seen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from support.batches import Log, export, sources
from support.exact import problems

from ingest.errors import SettingsError
from ingest.search.export import verify
from ingest.search.index import Index
from ingest.search.sample import differing
from ingest.search.seals import read_seals, targets
from ingest.search.template import Marks
from ingest.settings import Settings

pytestmark = pytest.mark.integration

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


def test_documents_without_some_columns_and_addresses_agree_with_the_lake(
    settings: Settings, log: Log, elastic: Elasticsearch
) -> None:
    log.seal(
        log.events(
            range(5), client_ip="203.0.113.7", client_address="203.0.113.7",
            session_id="203.0.113.7-a", brand="of 203.0.113.7", user_agent="secret",
            extra='{"Token":"t","x-y":1,"z":2}',
        ),
        log.events(range(5, 9), client_ip="203.0.113.8", client_address="203.0.113.8",
                   session_id="203.0.113.8-a"),
    )  # fmt: skip
    search = replace(
        settings.search, pseudonymise="client_ip", pseudonym_method="truncate",
        exclude=("user_agent", "status_code", "view_count", "client_ip"),
        private_keys=("token", "X_Y"),
    )  # fmt: skip
    hiding = replace(settings, search=search)
    summary = export(hiding)
    assert (summary.created, summary.sampled in (5, 4)) == (9, True)
    assert problems(hiding) == []
    document = sources(elastic, search.index)[f"{0:032x}"]
    assert document["source"] == {"address": "203.0.113.0"}
    assert document["session"]["id"] == "203.0.113.0-a"
    assert document["clickstream"]["extra"] == {"z": 2}
    assert not {"user_agent", "http"} & document.keys()
    with pytest.raises(SettingsError, match=r"was filled with search.exclude = \['client_ip', "):
        verify(replace(hiding, search=replace(search, exclude=())))
