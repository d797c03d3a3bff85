"""What an export must leave, whatever happened to it: the index is the lake exactly."""

from __future__ import annotations

from collections.abc import Iterable

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from support.batches import export

from ingest.search.export import verify
from ingest.settings import Settings


def assert_exact(
    settings: Settings, elastic: Elasticsearch, ids: Iterable[int], *, dead: int = 0
) -> None:
    """The index holds the events `ids` and no others, and exporting again adds nothing.

    As many as `dead` were refused, which is no success.
    """
    again = export(settings)
    assert (again.batches, again.documents) == ((), 0)
    assert (again.refused, again.exit_code) == (dead, 3 if dead else 0)
    found = [hit["_id"] for hit in scan(elastic, index=settings.search.index, _source=False)]
    assert sorted(found) == sorted(f"{i:032x}" for i in ids)
    proof = verify(settings)
    assert proof is not None
    assert (proof.problems, proof.pending, proof.documents) == ((), (), len(found))


def problems(settings: Settings) -> list[str]:
    """Return what the contents of the index differ in."""
    proof = verify(settings)
    assert proof is not None
    assert proof.contents is not None
    return proof.contents.problems


def months(elastic: Elasticsearch, alias: str) -> dict[str, int]:
    """Return the monthly indices with their documents."""
    elastic.indices.refresh(index=f"{alias}-*")
    stats = elastic.indices.stats(index=f"{alias}-*", metric="docs")["indices"]
    return {name: int(one["primaries"]["docs"]["count"]) for name, one in stats.items()}
