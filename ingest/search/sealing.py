"""What a delivery comes to: the next seal of its batch, and what the server refused of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ingest.contract import CONTRACT_VERSION
from ingest.errors import BooksError
from ingest.lake.records import BatchRecord
from ingest.search.client import Target
from ingest.search.letters import REPLAY, describe_ids, describe_types
from ingest.search.plan import Delivery
from ingest.search.seals import Seal
from ingest.search.task import FileFacts
from ingest.search.work import Tally
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

# The tombstone of a deleted document wins over our older version (index.gc_deletes).
_VERSION_CONFLICT_REMEDY = (
    "somebody deleted or changed documents by hand, and the server remembers deletions for 60 s: "
    "wait and run `clickstream export` again; if that fails, run `clickstream export --recreate`"
)


def seal_of(
    delivery: Delivery,
    tallies: Sequence[Tally],
    *,
    before: Seal | None,
    target: Target,
    indices: Mapping[str, int],
    dead_files: tuple[str, ...],
    swept: Mapping[str, int],
    ignored: Mapping[str, int],
    begun: datetime,
    writer: str,
    url: str,
) -> Seal:
    """Return the seal that follows `before`; `check_seal` says whether it balances.

    `url` contains no password. `indices` are the documents of the batch as the index counts them.
    """
    record = delivery.record
    return Seal(
        number=record.number,
        batch_id=record.batch_id,
        revision=before.revision + 1 if before else 1,
        target={
            "cluster_uuid": target.cluster_uuid,
            "product": target.product,
            "version": target.version,
            "index": target.index,
            "url": url,
        },
        contract_version=CONTRACT_VERSION,
        events=record.totals.events,
        indexed=delivery.kept + sum(tally.indexed for tally in tallies),
        newer=sum(tally.newer for tally in tallies),
        dead=sum(tally.dead for tally in tallies),
        indices=indices,
        dead_files=dead_files,
        swept=swept,
        ignored=ignored,
        started_at=begun,
        finished_at=datetime.now(UTC),
        requests=sum(tally.requests for tally in tallies),
        retries=sum(tally.retries for tally in tallies),
        bytes=sum(tally.bytes for tally in tallies),
        writer=writer,
    )


def check_seal(seal: Seal) -> None:
    """Raise BooksError when the index does not hold what `seal` says, or that is not the batch."""
    found = sum(seal.indices.values())
    if seal.newer or seal.indexed != found or seal.events != seal.indexed + seal.dead:
        raise BooksError(
            f"batch {seal.number}: {count_of(seal.events, 'event')} in the lake, {found:,} "
            f"in the index, {seal.dead:,} refused, {seal.newer:,} with a newer version: "
            "not sealed; "
            + (_VERSION_CONFLICT_REMEDY if seal.newer else "run `clickstream export` again")
        )


def report_dead(record: BatchRecord, facts: Sequence[FileFacts]) -> None:
    """Log what was refused: only types and ids, since the rest is log content."""
    types: Counter[str] = Counter()
    for fact in facts:
        types.update(fact.dead_types)
    if types:
        _log.warning(
            "batch %d: the server refused %s (%s), among them %s; see %s; %s",
            record.number,
            count_of(types.total(), "document"),
            describe_types(types),
            describe_ids([name for fact in facts for name in fact.dead_ids]),
            ", ".join(fact.dead_file for fact in facts if fact.dead_file),
            REPLAY,
        )
