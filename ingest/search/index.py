"""The indices behind our name: whether they are ours, and what they hold.

There is one, or one for each month behind an alias of that name (`ingest.search.months`);
`preparing` makes them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from ingest.errors import BooksError
from ingest.render import elasticsearch_mappings
from ingest.search import agreement, template
from ingest.search.agreement import RECREATE
from ingest.search.client import Elasticsearch, NotFoundError
from ingest.search.months import is_month, is_monthly, oldest_kept
from ingest.search.template import Marks
from ingest.settings import SearchSettings
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

_PAGE_BUCKETS = 5_000
_PAGE_DOCUMENTS = 5_000
_SCROLL = "2m"
BATCH = "clickstream.batch_id"

# Batch id -> index -> documents.
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The index of one lake, or its monthly indices, through the client that manages them.

    They are on a server of `product`; `marks` say whose they are and what their documents show.
    """

    client: Elasticsearch
    search: SearchSettings
    marks: Marks
    product: str
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    @property
    def name(self) -> str:
        """The name of the index, or the alias of all months."""
        return self.search.index

    @property
    def oldest(self) -> str | None:
        """The oldest monthly index that is kept; None when all are."""
        return oldest_kept(self.search, self.today)

    def is_kept(self, name: str) -> bool:
        """Return whether the index `name` is not of a month that is too old to be kept."""
        return self.oldest is None or not is_month(name, self.name) or name >= self.oldest

    def check(self) -> bool:
        """Return whether there is an index; changes nothing.

        Raises SettingsError as `ingest.search.agreement.check` does.
        """
        found = self.mappings()
        agreement.check(self.search, self.marks, self.product, found)
        return bool(found)

    def mappings(self) -> dict[str, Mapping[str, Any]]:
        """Return the mapping of each index behind our name."""
        try:
            found = self.client.indices.get_mapping(index=self.name)
        except NotFoundError:
            return {}
        return {name: found[name]["mappings"] for name in sorted(found)}

    def deletable(self) -> list[str]:
        """Return our indices, of any layout and lake; raises SettingsError if one is not ours."""
        found = self.mappings()
        agreement.check_deletable(self.name, found)
        return list(found)

    def delete(self) -> None:
        """Delete our indices, as `deletable` returns them."""
        for name in self.deletable():
            self.client.indices.delete(index=name)

    def old_months(self) -> list[str]:
        """Return the indices of months that are too old to be kept."""
        return [name for name in self.mappings() if not self.is_kept(name)]

    def delete_old_months(self) -> list[str]:
        """Delete the indices that `old_months` returns, and return them."""
        found = self.old_months()
        for name in found:
            _log.info("deleting index %s: search.keep_months is %d", name, self.search.keep_months)
            self.client.indices.delete(index=name)
        return found

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the exact number of documents per batch id and index, after a refresh.

        Raises BooksError when a document has no batch: we write no such document.
        """
        if is_monthly(self.search) and not self.client.indices.exists(index=self.name):
            return {}
        self.client.indices.refresh(index=self.name)
        found: dict[str, dict[str, int]] = {}
        for (batch_id, name), bucket in self.buckets(BATCH, "_index"):
            if batch_id is None:
                raise BooksError(
                    f"index {name} holds {count_of(bucket['doc_count'], 'document')} without a "
                    f"batch: delete {'it' if bucket['doc_count'] == 1 else 'them'}, or {RECREATE}"
                )
            found.setdefault(batch_id, {})[name] = bucket["doc_count"]
        return found

    def buckets(
        self,
        *fields: str,
        of: Sequence[str] | None = None,
        where: Sequence[Mapping[str, Any]] = (),
        sub: Mapping[str, Any] | None = None,
        page: int = _PAGE_BUCKETS,
    ) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
        """Yield each combination of values of `fields`, None where missing, with its bucket.

        `of` are the ids of the batches to look at, None for all; `where` are further conditions,
        `sub` are aggregations in each bucket. Exact, unlike `terms` and `cardinality`.
        """
        sources = [{str(i): {"terms": _source(name)}} for i, name in enumerate(fields)]
        composite: dict[str, Any] = {"size": page, "sources": sources}
        inner = {"aggregations": sub} if sub else {}
        batches = [] if of is None else [{"terms": {BATCH: list(of)}}]
        while True:
            answer = self.client.search(
                index=self.name,
                size=0,
                track_total_hits=False,
                query={"bool": {"filter": [*batches, *where]}},
                aggregations={"all": {"composite": composite, **inner}},
            )["aggregations"]["all"]
            for bucket in answer["buckets"]:
                yield tuple(bucket["key"][str(i)] for i in range(len(fields))), bucket
            if "after_key" not in answer:
                return
            composite["after"] = answer["after_key"]

    def places_of(self, batch_id: str) -> Iterator[list[tuple[str, str]]]:
        """Yield index and id of the documents with `batch_id`, page by page.

        Scroll works on every search server, unlike a point in time.
        """
        page = self.client.search(
            index=self.name,
            query={"term": {BATCH: batch_id}},
            sort=["_doc"],
            source=False,
            size=_PAGE_DOCUMENTS,
            scroll=_SCROLL,
        )
        try:
            while hits := page["hits"]["hits"]:
                yield [(str(hit["_index"]), str(hit["_id"])) for hit in hits]
                page = self.client.scroll(scroll_id=page["_scroll_id"], scroll=_SCROLL)
        finally:
            self.client.clear_scroll(scroll_id=page["_scroll_id"])

    def documents(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return the hits of the documents `ids`, with _id, _index, _version and _source."""
        answer = self.client.search(
            index=self.name,
            query={"ids": {"values": list(ids)}},
            version=True,
            size=2 * len(ids),  # room for a second one in another month, which must not be
        )
        hits: list[Mapping[str, Any]] = answer["hits"]["hits"]
        return hits

    def ignored(self, batch_ids: Sequence[str]) -> dict[str, int]:
        """Return field -> documents of these batches of which a value cannot be searched."""
        names = template.fields(elasticsearch_mappings()["properties"])
        answer = self.client.search(
            index=self.name,
            size=0,
            track_total_hits=False,
            query={
                "bool": {
                    "filter": [
                        {"terms": {BATCH: list(batch_ids)}},
                        {"exists": {"field": "_ignored"}},
                        *self.kept_only(),
                    ]
                }
            },
            # `terms` on _ignored fails before 8.15.
            aggregations={
                "fields": {"filters": {"filters": {n: {"term": {"_ignored": n}} for n in names}}}
            },
        )["aggregations"]["fields"]["buckets"]
        return {n: bucket["doc_count"] for n, bucket in answer.items() if bucket["doc_count"]}

    def kept_only(self) -> list[dict[str, Any]]:
        """Return the condition that leaves out months which the next export deletes, if any."""
        if self.oldest is None:
            return []
        old = self.old_months()
        return [{"bool": {"must_not": {"terms": {"_index": old}}}}] if old else []


def _source(name: str) -> dict[str, Any]:
    return {"field": name} if name == "_index" else {"field": name, "missing_bucket": True}
