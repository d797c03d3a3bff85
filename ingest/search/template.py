"""The index that the contract requires: templates, settings, and what an existing one lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest.contract import CONTRACT_VERSION
from ingest.render import elasticsearch_mappings
from ingest.settings import SearchSettings

# Above the templates that come with the server and its agents.
_PRIORITY = 500
_OWNER = "clickstream"


def meta(
    lake_id: str, *, pseudonyms: str | None = None, loading: str | None = None
) -> dict[str, Any]:
    """Return the `_meta` of our index, which names its lake.

    `pseudonyms` is the mark of what its documents show of clients, None for their addresses.
    `loading` is the id of the run that fills a new index, None once it is done.
    """
    content: dict[str, Any] = {"lake": lake_id, "contract_version": CONTRACT_VERSION}
    if pseudonyms is not None:
        content["pseudonyms"] = pseudonyms
    if loading is not None:
        content["loading"] = loading
    return {_OWNER: content}


def mappings(lake_id: str, *, pseudonyms: str | None = None) -> dict[str, Any]:
    """Return the strict mapping with its `_meta`."""
    return elasticsearch_mappings() | {"_meta": meta(lake_id, pseudonyms=pseudonyms)}


def index_settings(search: SearchSettings, *, replicas: int) -> dict[str, Any]:
    """Return the settings of the index.

    Durability stays `request`: with `async` none of 20,000 acknowledged documents survived a kill.
    """
    return {
        "number_of_shards": search.shards,
        "number_of_replicas": replicas,
        "codec": "best_compression",  # 205 instead of 286 bytes per event, at the same speed
        "translog.durability": "request",
    }


def component_templates(
    search: SearchSettings, lake_id: str, *, replicas: int, pseudonyms: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return the component templates by name."""
    return {
        f"{search.index}-mappings": {"mappings": mappings(lake_id, pseudonyms=pseudonyms)},
        f"{search.index}-settings": {
            "settings": {"index": index_settings(search, replicas=replicas)}
        },
    }


def index_template(search: SearchSettings) -> dict[str, Any]:
    """Return the index template; its name is that of the index."""
    return {
        "index_patterns": [search.index, f"{search.index}-*"],
        "composed_of": [f"{search.index}-mappings", f"{search.index}-settings"],
        "priority": _PRIORITY,
        "version": CONTRACT_VERSION,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How an existing mapping differs from the contract.

    `missing` fields can be added in place; `changed` ones ("field: is ..., must be ...") cannot.
    `lax` is whether unknown fields are no longer refused.
    """

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    lax: bool


def compare(found: Mapping[str, Any]) -> Difference:
    """Compare the mapping `found` in an index with the contract."""
    wanted = fields(elasticsearch_mappings()["properties"])
    there = fields(found.get("properties", {}))
    return Difference(
        missing=tuple(name for name in wanted if name not in there),
        changed=tuple(
            f"{name}: is {there[name]}, must be {definition}"
            for name, definition in wanted.items()
            if name in there and there[name] != definition
        ),
        lax=found.get("dynamic") != "strict",
    )


def fields(properties: Mapping[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """Return the definition of each leaf field by its dotted name."""
    found: dict[str, dict[str, Any]] = {}
    for name, definition in properties.items():
        if "properties" in definition:
            found |= fields(definition["properties"], f"{prefix}{name}.")
        else:
            found[prefix + name] = dict(definition)
    return found


def owner(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return our part of a mapping's `_meta`, None when the index is not ours."""
    ours = found.get("_meta", {}).get(_OWNER)
    return ours if isinstance(ours, Mapping) else None
