"""Makes sure that the index is ours, strict and in line with the contract; counts its documents."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from ingest.errors import BooksError, SettingsError
from ingest.pseudonyms import KEY_VARIABLE
from ingest.search import template
from ingest.settings import SearchSettings
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

_PAGE_BATCHES = 10_000
_PAGE_DOCUMENTS = 5_000
_SCROLL = "2m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The index of one lake, through the client that manages it.

    `pseudonyms` is the mark of what its documents show of clients, None for their addresses.
    """

    client: Elasticsearch
    search: SearchSettings
    lake_id: str
    pseudonyms: str | None = None

    @property
    def name(self) -> str:
        """The name of the index."""
        return self.search.index

    def check(self) -> bool:
        """Return whether the index exists; changes nothing.

        Raises SettingsError when it is an alias, not ours, another lake's, or has a mapping that
        cannot be brought in line.
        """
        found = self._mapping()
        if found is None:
            return False
        ours = template.owner(found)
        if ours is None:
            raise SettingsError(
                f"index {self.name} was not created by clickstream: choose another ES_INDEX"
            )
        if ours.get("lake") != self.lake_id:
            raise SettingsError(
                f"index {self.name} belongs to another lake: choose another ES_INDEX, or run "
                "`clickstream export --recreate`"
            )
        if ours.get("pseudonyms") != self.pseudonyms:
            raise SettingsError(
                f"index {self.name} holds {_clients(ours.get('pseudonyms'))} of clients, but the"
                f" settings ask for {_clients(self.pseudonyms)}, and the two are never mixed:"
                f" change search.pseudonymise, search.pseudonym_method or {KEY_VARIABLE} back, or"
                " run `clickstream export --recreate`"
            )
        changed = template.compare(found).changed
        if changed:
            raise SettingsError(
                f"index {self.name} differs from the contract:\n"
                + "".join(f"- {line}\n" for line in changed)
                + "types cannot be changed in place: run `clickstream export --recreate`"
            )
        return True

    def delete(self) -> None:
        """Delete the index, whatever lake it belongs to; raises SettingsError if it is not ours."""
        found = self._mapping()
        if found is None:
            return
        if template.owner(found) is None:
            raise SettingsError(
                f"index {self.name} was not created by clickstream and is not deleted: choose "
                "another ES_INDEX"
            )
        self.client.indices.delete(index=self.name)

    def prepare(self, run_id: str) -> None:
        """Create the index, or complete the one that `check` has accepted.

        A new index has the mark `loading` and is tuned for that until `finalise`.
        """
        found = self._mapping()
        if found is None:
            self._put_templates()
            self._create(run_id)
            return
        difference = template.compare(found)
        if difference.missing or difference.lax:
            self._put_templates()
            wanted = template.mappings(self.lake_id, pseudonyms=self.pseudonyms)
            self.client.indices.put_mapping(
                index=self.name,
                dynamic=wanted["dynamic"],
                properties=wanted["properties"],
                meta=found["_meta"] | wanted["_meta"],
            )
            _log.info("index %s: %s added", self.name, count_of(len(difference.missing), "field"))

    def finalise(self) -> None:
        """Undo the tuning of an index with the mark `loading`, of this run or of a crashed one."""
        found = self._mapping()
        if found is None or "loading" not in (template.owner(found) or {}):
            return
        self.client.indices.put_settings(
            index=self.name,
            settings={"refresh_interval": None, "number_of_replicas": self._replicas()},
        )
        self.client.indices.put_mapping(index=self.name, meta=self._meta())

    def counts(self) -> dict[str, int]:
        """Return the exact number of documents per batch id, after a refresh.

        Raises BooksError when a document has none: we write no such document.
        """
        self.client.indices.refresh(index=self.name)
        found = dict(self._pages())
        if strays := found.pop(None, 0):
            raise BooksError(
                f"index {self.name} holds {count_of(strays, 'document')} without a batch: delete"
                f" {'it' if strays == 1 else 'them'}, or run `clickstream export --recreate`"
            )
        return {str(batch_id): documents for batch_id, documents in found.items()}

    def ids_of(self, batch_id: str) -> Iterator[list[str]]:
        """Yield the ids of the documents with `batch_id`, page by page.

        Scroll works on every search server, unlike a point in time.
        """
        page = self.client.search(
            index=self.name,
            query={"term": {"clickstream.batch_id": batch_id}},
            sort=["_doc"],
            source=False,
            size=_PAGE_DOCUMENTS,
            scroll=_SCROLL,
        )
        try:
            while hits := page["hits"]["hits"]:
                yield [str(hit["_id"]) for hit in hits]
                page = self.client.scroll(scroll_id=page["_scroll_id"], scroll=_SCROLL)
        finally:
            self.client.clear_scroll(scroll_id=page["_scroll_id"])

    def _mapping(self) -> Mapping[str, Any] | None:
        try:
            found = self.client.indices.get_mapping(index=self.name)
        except NotFoundError:
            return None
        if self.name not in found:
            raise SettingsError(
                f"{self.name} is an alias of {', '.join(sorted(found))}: choose another ES_INDEX"
            )
        content: Mapping[str, Any] = found[self.name]["mappings"]
        return content

    def _meta(self, *, loading: str | None = None) -> dict[str, Any]:
        return template.meta(self.lake_id, pseudonyms=self.pseudonyms, loading=loading)

    def _put_templates(self) -> None:
        parts = template.component_templates(
            self.search, self.lake_id, replicas=self._replicas(), pseudonyms=self.pseudonyms
        )
        for name, content in parts.items():
            self.client.cluster.put_component_template(name=name, template=content)
        self.client.indices.put_index_template(
            name=self.name, **template.index_template(self.search)
        )

    def _create(self, run_id: str) -> None:
        """Create the index here, never by the first bulk request, which would accept any name."""
        try:
            self.client.indices.create(
                index=self.name,
                mappings={"_meta": self._meta(loading=run_id)},
                settings={"refresh_interval": "-1", "number_of_replicas": 0},
            )
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
            self.check()  # another exporter was faster

    def _replicas(self) -> int:
        """Return 0 with one data node, so that a laptop is never yellow, else 1."""
        return 0 if self.client.cluster.health()["number_of_data_nodes"] == 1 else 1

    def _pages(self) -> Iterator[tuple[str | None, int]]:
        terms = {"field": "clickstream.batch_id", "missing_bucket": True}
        source = {"batch": {"terms": terms}}
        composite: dict[str, Any] = {"size": _PAGE_BATCHES, "sources": [source]}
        while True:
            answer = self.client.search(
                index=self.name,
                size=0,
                track_total_hits=False,
                aggregations={"batches": {"composite": composite}},
            )["aggregations"]["batches"]
            for bucket in answer["buckets"]:
                yield bucket["key"]["batch"], bucket["doc_count"]
            if "after_key" not in answer:
                return
            composite["after"] = answer["after_key"]


def _clients(mark: str | None) -> str:
    """Return what documents with this mark show, for a sentence."""
    return "the addresses" if mark is None else f"pseudonyms ({mark})"
