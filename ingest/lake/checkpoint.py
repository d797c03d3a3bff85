"""The ledger of logs as a Parquet file of the lake, so that a run need not read all records.

A ledger of a million logs takes gigabytes as objects, and 160 MB as a file. So it stays a file, and
is read a group of rows at a time: only the columns that somebody asks for.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.errors import BooksError, StorageError
from ingest.storage import Storage

_KEY = re.compile(r"checkpoints/(\d{20})\.parquet")
_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("size", pa.int64()),
        ("etag", pa.string()),
        ("placed", pa.int64()),
        ("consumed", pa.int64()),
        ("waiting_bytes", pa.int64()),
        ("lines", pa.int64()),
        ("opening", pa.string()),
        ("head", pa.string()),
        ("tail", pa.string()),
        ("content_hash", pa.string()),
        ("source_format", pa.string()),
        ("min_event_time", _TIME),
        ("max_event_time", _TIME),
        ("batches", pa.list_(pa.string())),
    ]
)
# Columns of which many rows have the same value; the others are all different.
_REPETITIVE = ["source", "source_format", "placed", "batches"]
# 25 MB in memory when all columns are read.
_GROUP_ROWS = 1 << 15
_READ_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The rows of a checkpoint in groups, each a log; `number` is the last record it knows.

    `file` is open, a ParquetFile; None where there are no groups. `left` flags for each group the
    rows that count still, None = all of them.
    """

    number: int = 0
    uri: str = ""
    file: Any = None
    left: tuple[pa.BooleanArray | None, ...] = field(default=(), repr=False)

    @property
    def groups(self) -> range:
        """The numbers of the groups."""
        return range(len(self.left))

    def read(self, group: int, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """Return `columns` of the rows of one group that are left.

        Raises BooksError when the file is damaged there.
        """
        with _translated(self.uri):
            table = self.file.read_row_group(group, columns=columns)
        flags = self.left[group]
        return table.select(columns) if flags is None else table.select(columns).filter(flags)

    def groups_within(self, column: str, least: str, most: str) -> list[int]:
        """Return the groups that may have a value of `column` from `least` to `most`.

        By their statistics: logs are sealed about in the order of their keys.
        """
        return [group for group in self.groups if self._may_have(group, column, least, most)]

    def _may_have(self, group: int, column: str, least: str, most: str) -> bool:
        index = self.file.schema_arrow.get_field_index(column)
        found = self.file.metadata.row_group(group).column(index).statistics
        if found is None or not found.has_min_max:
            return True
        return bool(found.min <= most and least <= found.max)

    def without(self, column: str, values: Collection[str]) -> Checkpoint:
        """Return the checkpoint without the logs whose `column` has one of `values`."""
        gone = pa.array(list(values), pa.string())
        return replace(self, left=tuple(self._left(group, column, gone) for group in self.groups))

    def _left(self, group: int, column: str, gone: pa.Array) -> pa.BooleanArray | None:
        whole = replace(self, left=(None,) * len(self.left))
        flags = pc.invert(pc.is_in(whole.read(group, [column])[column], value_set=gone))
        before = self.left[group]
        if pc.all(flags).as_py():
            return before
        return flags if before is None else pc.and_(flags, before)


NO_CHECKPOINT = Checkpoint()


def newest_checkpoint(lake: Storage) -> int:
    """Return the number of the last record in the newest checkpoint, 0 when there is none."""
    keys = (found.key for found in lake.list("checkpoints/"))
    return max((int(match[1]) for key in keys if (match := _KEY.fullmatch(key))), default=0)


def open_checkpoint(lake: Storage) -> Checkpoint:
    """Return the newest checkpoint, an empty one when there is none.

    It is copied into a temporary file, which lives as long as it is used. Raises BooksError when it
    is broken.
    """
    number = newest_checkpoint(lake)
    if number == 0:
        return NO_CHECKPOINT
    key = _checkpoint_key(number)
    uri, spooled = f"{lake.uri}/{key}", _spooled(lake, key)
    with _translated(uri):
        file = pq.ParquetFile(spooled, page_checksum_verification=True)
        if missing := set(SCHEMA.names).difference(file.schema_arrow.names):
            raise KeyError(*sorted(missing))
        return Checkpoint(
            number=number, uri=uri, file=file, left=(None,) * file.metadata.num_row_groups
        )


def put_checkpoint(lake: Storage, number: int, tables: Iterable[pa.Table]) -> None:
    """Write the rows of `tables` as the checkpoint of record `number`, unless there is one."""
    sink = io.BytesIO()  # Arrow's own would hold it twice
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",  # hashes in hexadecimal digits become half as large; not so by snappy
        use_dictionary=_REPETITIVE,
        write_statistics=["name", "key"],
        write_page_checksum=True,
    ) as writer:
        for table in _regrouped(tables):
            writer.write_table(table)
    lake.put_if_absent(_checkpoint_key(number), sink.getvalue())


def _checkpoint_key(number: int) -> str:
    return f"checkpoints/{number:020}.parquet"


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError) as error:
        raise BooksError(
            f"{uri}: not a checkpoint ({error}); remove it: it is rebuilt from the batch records"
        ) from error


def _spooled(lake: Storage, key: str) -> pa.NativeFile:
    """Return a local file with the bytes of `key`; no folder shows it, so it ends with its use."""
    found = lake.stat(key)
    try:
        with tempfile.NamedTemporaryFile(prefix="clickstream-") as file:
            for start in range(0, found.size, _READ_BYTES):
                end = min(start + _READ_BYTES, found.size)
                file.write(lake.read(key, start, end, etag=found.etag))
            file.flush()
            return pa.OSFile(file.name)
    except OSError as error:
        raise StorageError(f"{tempfile.gettempdir()}: {error.strerror or error}") from error


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield all rows in groups of one size, the last one smaller."""
    waiting = SCHEMA.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows >= _GROUP_ROWS:
            yield waiting.slice(0, _GROUP_ROWS)
            waiting = waiting.slice(_GROUP_ROWS)
    if waiting.num_rows:
        yield waiting
