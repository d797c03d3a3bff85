"""Index = lake: the documents of each batch are counted, and compared with its events."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from ingest.lake.checks import Check, first_few
from ingest.lake.records import BatchRecord
from ingest.settings import OFF, Settings

if TYPE_CHECKING:
    from ingest.search.proof import Proof

_log = logging.getLogger(__name__)


def index_checks(proof: Proof, live: Sequence[BatchRecord]) -> Iterator[Check]:
    """Compare the index with the lake's live batches, and with `live`, those of landing."""
    besides = []
    if proof.dead:
        besides.append(
            f"{proof.dead:,} of them refused by the server and kept as dead letters in the lake"
        )
    if proof.expired:
        besides.append(f"{proof.expired:,} of them in months that are no longer kept")
    yield Check(
        name=f"index {proof.index} = lake",
        expected=proof.expected,
        found=proof.documents + proof.dead + proof.expired,
        detail="; ".join(besides),
    )
    # Totals alone would balance when one batch has too many documents and another too few.
    pending = f"pending: {first_few(proof.pending)}; run `clickstream export`"
    wrong = [*proof.problems, *([pending] if proof.pending else [])]
    yield Check(
        name="batches that index and lake disagree on",
        expected=0,
        found=len(proof.problems) + len(proof.pending),
        detail="; ".join(wrong),
    )
    landed, indexed = {record.batch_id for record in live}, set(proof.complete)
    yield Check(
        name="batches in the index = landing",
        expected=len(landed | indexed),
        found=len(landed & indexed),
        detail="; ".join(_one_sided(landed - indexed, indexed - landed)),
    )
    if proof.contents is not None:
        yield from proof.contents.checks


def _one_sided(landed: Collection[str], indexed: Collection[str]) -> Iterator[str]:
    if landed:
        yield f"only in landing: {first_few(sorted(landed))}; run `clickstream export`"
    if indexed:
        yield f"only in the index: {first_few(sorted(indexed))}; run `clickstream load`"


def index_proof(settings: Settings) -> Proof | None:
    """Return what the index holds beside the lake, None when search is off."""
    from ingest.search.export import verify as prove_index

    if settings.search.url != OFF:
        _log.info("comparing the index with the lake")
    return prove_index(settings)
