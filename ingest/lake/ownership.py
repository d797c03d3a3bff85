"""Which raw objects the log of batches owns: the newest checkpoint and the records after it.

A checkpoint is a pure function of the records up to its number, so it does not matter who writes
it; without any, the log alone gives the same answer more slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import BooksError
from ingest.lake.records import BatchRecord, read_log
from ingest.lake.seal import owned_keys
from ingest.storage import Storage

# A run reads at most about this many records before it knows what is owned.
CHECKPOINT_RECORDS = 50
_KEY = re.compile(r"checkpoints/(\d{20})\.parquet")
_SCHEMA = pa.schema(
    [
        ("source_file", pa.string()),
        ("size", pa.int64()),
        ("etag", pa.string()),
        ("content_hash", pa.string()),
        ("source", pa.string()),
        ("batch_id", pa.string()),
        ("replaced_by", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """An object as the log owns it; `replaced_by` is None while its batch is live."""

    source_file: str
    size: int
    etag: str
    content_hash: str | None
    source: str
    batch_id: str
    replaced_by: str | None = None


@dataclass(frozen=True)
class Ownership:
    """What the log owned when it ended with record `last`, replaced batches included."""

    last: int
    ledger: tuple[Owned, ...]

    @cached_property
    def live(self) -> Mapping[str, Owned]:
        """The objects of live batches by key; each key has one owner."""
        return {owned.source_file: owned for owned in self.ledger if owned.replaced_by is None}

    def after(self, records: Iterable[BatchRecord]) -> Ownership:
        """Return the ownership once `records`, the next ones, are sealed too."""
        last, ledger = self.last, list(self.ledger)
        for record in records:
            last = record.number
            if record.replaces:
                ledger = [_replaced(owned, record) for owned in ledger]
            ledger += _brought(record)
        return Ownership(last=last, ledger=tuple(ledger))


def read_ownership(lake: Storage) -> Ownership:
    """Return what the log owns now.

    Raises BooksError when the log has a hole or the newest checkpoint is broken.
    """
    checkpoint = _read_checkpoint(lake, _newest_checkpoint(lake))
    return checkpoint.after(read_log(lake, after=checkpoint.last))


def write_checkpoint(lake: Storage, ownership: Ownership) -> None:
    """Write `ownership` as a checkpoint if it is due: many records after the newest one."""
    if ownership.last - _newest_checkpoint(lake) >= CHECKPOINT_RECORDS:
        lake.put_if_absent(_checkpoint_key(ownership.last), _to_parquet(ownership))


def _newest_checkpoint(lake: Storage) -> int:
    """Return the number of the last record in the newest checkpoint, 0 when there is none."""
    keys = (found.key for found in lake.list("checkpoints/"))
    return max((int(match[1]) for key in keys if (match := _KEY.fullmatch(key))), default=0)


def _checkpoint_key(number: int) -> str:
    return f"checkpoints/{number:020}.parquet"


def _read_checkpoint(lake: Storage, number: int) -> Ownership:
    if number == 0:
        return Ownership(last=0, ledger=())
    key = _checkpoint_key(number)
    try:
        rows = pq.read_table(pa.BufferReader(lake.read(key))).to_pylist()
        return Ownership(last=number, ledger=tuple(Owned(**row) for row in rows))
    except (pa.ArrowException, OSError, TypeError) as error:
        raise BooksError(
            f"{lake.uri}/{key}: not a checkpoint ({error}); remove it: it is rebuilt from the"
            " batch records"
        ) from error


def _to_parquet(ownership: Ownership) -> bytes:
    rows = [asdict(owned) for owned in ownership.ledger]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), sink)
    return bytes(sink.getvalue())


def _replaced(owned: Owned, record: BatchRecord) -> Owned:
    if owned.replaced_by is None and owned.batch_id in record.replaces:
        return replace(owned, replaced_by=record.batch_id)
    return owned


def _brought(record: BatchRecord) -> Iterable[Owned]:
    keys = owned_keys(record)
    return (
        Owned(
            source_file=found.source_file,
            size=found.size,
            etag=found.etag,
            content_hash=found.content_hash,
            source=record.source,
            batch_id=record.batch_id,
        )
        for found in record.objects
        if found.source_file in keys
    )
