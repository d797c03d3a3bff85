"""The index that the contract requires: templates, settings, and what an existing one lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.contract import CONTRACT_VERSION
from ingest.render import elasticsearch_mappings
from ingest.search.months import is_monthly
from ingest.search.private import plain
from ingest.settings import OPENSEARCH, SearchSettings

# Above the templates that come with the server and its agents.
_PRIORITY = 500
_OWNER = "clickstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the `_meta` of our index says: whose it is, and what its documents do not show.

    `pseudonyms` is the mark of what they show of clients, None for addresses; `exclude` are the
    columns that are left out, `private_keys` keys of `extra`.
    """

    lake: str
    pseudonyms: str | None = None
    exclude: Sequence[str] = ()
    private_keys: Sequence[str] = ()

    def meta(self, *, loading: str | None = None) -> dict[str, Any]:
        """Return the `_meta`; `loading` is the run that fills a new index, None once it is done."""
        content: dict[str, Any] = {"lake": self.lake, "contract_version": CONTRACT_VERSION}
        if self.pseudonyms is not None:
            content["pseudonyms"] = self.pseudonyms
        content |= {name: value for name, value in self.left_out().items() if value}
        if loading is not None:
            content["loading"] = loading
        return {_OWNER: content}

    def left_out(self) -> dict[str, list[str]]:
        """Return the settings of what is left out; equal when the same is."""
        return {
            "exclude": sorted(set(self.exclude)),
            "private_keys": sorted(set(map(plain, self.private_keys))),
        }


def mappings(marks: Marks, product: str) -> dict[str, Any]:
    """Return the strict mapping for a server of `product`, with its `_meta`."""
    return _wanted(product) | {"_meta": marks.meta()}


def _wanted(product: str) -> dict[str, Any]:
    wanted = elasticsearch_mappings()
    if product == OPENSEARCH:
        _flatten_as_opensearch(wanted["properties"])
    return wanted


def _flatten_as_opensearch(properties: dict[str, Any]) -> None:
    """OpenSearch has another name for `flattened`, and no parameters for it."""
    for name, definition in properties.items():
        if "properties" in definition:
            _flatten_as_opensearch(definition["properties"])
        elif definition["type"] == "flattened":
            properties[name] = {"type": "flat_object"}


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
    search: SearchSettings, marks: Marks, *, product: str, replicas: int
) -> dict[str, dict[str, Any]]:
    """Return the component templates by name."""
    return {
        f"{search.index}-mappings": {"mappings": mappings(marks, product)},
        f"{search.index}-settings": {
            "settings": {"index": index_settings(search, replicas=replicas)}
        },
    }


def index_template(search: SearchSettings, product: str) -> dict[str, Any]:
    """Return the index template; its name is that of the index, or of the alias of all months."""
    months = f"{search.index}-*"
    template: dict[str, Any] = {"index_patterns": [search.index, months]}
    if is_monthly(search):  # the server refuses the alias for an index of its own name
        template = {"index_patterns": [months], "template": {"aliases": {search.index: {}}}}
    if product != OPENSEARCH:  # which has no such setting
        # A bulk request must not make an index that was deleted under it.
        template["allow_auto_create"] = False
    return template | {
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


def compare(found: Mapping[str, Any], product: str) -> Difference:
    """Compare the mapping `found` in an index on a server of `product` with the contract."""
    wanted = fields(_wanted(product)["properties"])
    there = fields(found.get("properties", {}))
    # What is a value on one side and an object on the other.
    values = sorted(there.keys() & _objects(wanted))
    objects = sorted(wanted.keys() & _objects(there))
    return Difference(
        missing=tuple(name for name in wanted if name not in there),
        changed=(
            *(f"{name}: is {there[name]}, must be an object" for name in values),
            *(f"{name}: is an object, must be {wanted[name]}" for name in objects),
            *(
                f"{name}: is {there[name]}, must be {definition}"
                for name, definition in wanted.items()
                if name in there and there[name] != definition
            ),
        ),
        lax=found.get("dynamic") != "strict",
    )


def _objects(leaves: Iterable[str]) -> set[str]:
    """Return the dotted names of the objects that `leaves` are in."""
    return {name[:at] for name in leaves for at, char in enumerate(name) if char == "."}


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
