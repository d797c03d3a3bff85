"""The index as written in the specification, by hand where it decides something."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.search import template
from ingest.search.template import Marks
from ingest.settings import ELASTICSEARCH, OPENSEARCH, SearchSettings

SEARCH = SearchSettings(index="events", shards=2)
MARKS = Marks(lake="lake1")
MAPPINGS = template.mappings(MARKS, ELASTICSEARCH)
FIELDS = template.fields(MAPPINGS["properties"])


def test_the_mapping_is_strict_and_names_its_lake() -> None:
    assert MAPPINGS["dynamic"] == "strict"
    assert MAPPINGS["_meta"] == {"clickstream": {"lake": "lake1", "contract_version": 1}}


def test_the_mapping_says_what_documents_do_not_show() -> None:
    marks = replace(MARKS, pseudonyms="truncate", exclude=("b", "a"), private_keys=("token",))
    assert template.mappings(marks, ELASTICSEARCH)["_meta"]["clickstream"] == {
        "lake": "lake1",
        "contract_version": 1,
        "pseudonyms": "truncate",
        "exclude": ["a", "b"],
        "private_keys": ["token"],
    }


def test_46_fields_and_no_others() -> None:
    assert len(FIELDS) == 46
    assert {field["type"] for field in FIELDS.values()} == {
        "date", "ip", "long", "integer", "keyword", "flattened",
    }  # fmt: skip


def test_the_readme_lists_the_fields_and_no_others() -> None:
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    _, table = readme.split("| About | Fields |\n| --- | --- |\n")
    rows = table.split("\n\n")[0]
    found = [name for text in re.findall("`([^`]+)`", rows) for name in _expanded(text)]
    assert sorted(found) == sorted([*FIELDS, "clickstream.extra.client_port"])


def _expanded(text: str) -> list[str]:
    before, _, names = text.removesuffix("}").partition("{")
    return [before + name for name in names.split(",")]


def test_the_fields_that_are_not_plain_keywords() -> None:
    assert {name: field for name, field in FIELDS.items() if field != {"type": "keyword"}} == {
        "@timestamp": {"type": "date"},
        "event.ingested": {"type": "date"},
        "source.ip": {"type": "ip", "ignore_malformed": True},
        "event.duration": {"type": "long"},
        "log.offset": {"type": "long"},
        "http.request.bytes": {"type": "long"},
        "http.response.bytes": {"type": "long"},
        "clickstream.duration_other": {"type": "long"},
        "http.response.status_code": {"type": "integer"},
        "clickstream.purchases": {"type": "integer"},
        "clickstream.views": {"type": "integer"},
        "url.original": {"type": "keyword", "ignore_above": 2048},
        "url.path": {"type": "keyword", "ignore_above": 2048},
        "url.query": {"type": "keyword", "ignore_above": 2048},
        "http.request.referrer": {"type": "keyword", "ignore_above": 2048},
        "user_agent.original": {"type": "keyword", "ignore_above": 2048},
        "clickstream.extra": {"type": "flattened", "ignore_above": 2048, "depth_limit": 128},
    }


def test_opensearch_has_one_type_of_its_own() -> None:
    mappings = template.mappings(MARKS, OPENSEARCH)
    fields = template.fields(mappings["properties"])
    assert fields == FIELDS | {"clickstream.extra": {"type": "flat_object"}}
    assert template.compare(mappings, OPENSEARCH).changed == ()
    (changed,) = template.compare(mappings, ELASTICSEARCH).changed
    assert changed.startswith("clickstream.extra: is {'type': 'flat_object'}, must be ")


def test_settings_are_durable() -> None:
    assert template.index_settings(SEARCH, replicas=1) == {
        "number_of_shards": 2,
        "number_of_replicas": 1,
        "codec": "best_compression",
        "translog.durability": "request",
    }


def test_the_index_template_covers_the_index_and_its_months() -> None:
    assert template.index_template(SEARCH, ELASTICSEARCH) == {
        "index_patterns": ["events", "events-*"],
        "composed_of": ["events-mappings", "events-settings"],
        "priority": 500,
        "version": 1,
        "allow_auto_create": False,
    }
    assert set(template.component_templates(SEARCH, MARKS, product=ELASTICSEARCH, replicas=0)) == {
        "events-mappings",
        "events-settings",
    }


def test_each_month_gets_the_alias_from_the_template() -> None:
    monthly = template.index_template(replace(SEARCH, layout="monthly"), ELASTICSEARCH)
    single = template.index_template(SEARCH, ELASTICSEARCH)
    aliases: dict[str, Any] = {"template": {"aliases": {"events": {}}}}
    assert monthly == single | {"index_patterns": ["events-*"]} | aliases


def test_an_index_that_meets_the_contract() -> None:
    found = template.compare(MAPPINGS, ELASTICSEARCH)
    assert (found.missing, found.changed, found.lax) == ((), (), False)


def test_what_can_be_added_and_what_cannot_be_changed() -> None:
    properties = {
        "url": {"properties": {"path": {"type": "keyword"}}},
        "log": MAPPINGS["properties"]["log"],
        "mine": {"type": "text"},
    }
    found = template.compare({"dynamic": "true", "properties": properties}, ELASTICSEARCH)
    assert len(found.missing) == 46 - 3
    assert "url.original" in found.missing
    (changed,) = found.changed
    assert changed.startswith("url.path: is {'type': 'keyword'}, must be ")
    assert found.lax


def test_a_value_for_an_object_and_an_object_for_a_value_cannot_be_changed() -> None:
    properties = MAPPINGS["properties"] | {
        "url": {"type": "keyword"},
        "@timestamp": {"properties": {"day": {"type": "date"}}},
    }
    found = template.compare({"dynamic": "strict", "properties": properties}, ELASTICSEARCH)
    assert [line.split(", must be ")[0] for line in found.changed] == [
        "url: is {'type': 'keyword'}",
        "@timestamp: is an object",
    ]


def test_whose_index_it_is() -> None:
    assert template.owner({}) is None
    assert template.owner({"_meta": {"other": 1}}) is None
    assert template.owner({"_meta": {"clickstream": {"lake": "x"}}}) == {"lake": "x"}
