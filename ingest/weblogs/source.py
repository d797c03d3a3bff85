"""The data source `weblogs`: events of raw logs as Arrow batches, parsed by Spark's workers."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from ingest.contract import Table
from ingest.errors import ObjectRefused, ObjectUnreadable, SettingsError, TooManyRejects
from ingest.job.plan import ObjectRange
from ingest.job.task import parse_range, prepare_worker
from ingest.lake.refused import FAILED, REFUSED
from ingest.parse.model import Identity, ObjectVerdict, Parsed
from ingest.parse.sniff import remedy
from ingest.render import arrow_schema, spark_columns
from ingest.storage import open_storage
from ingest.terminal.text import count_of, printable
from ingest.weblogs.options import IGNORE_CORRUPT, Options, read_options
from ingest.weblogs.partitions import LogPartition, check_paths, partitions

_log = logging.getLogger(__name__)
BATCH_ID = "weblogs"


class WebLogs(DataSource):
    """`spark.read.format("weblogs")`: one row per event of the logs at the path.

    Rows are those that an ingest of the same files writes, with `batch_id` weblogs and the time of
    the query as `ingest_time`. A last line without its end is read, and so is a copy.
    """

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return BATCH_ID

    def schema(self) -> str:
        """Return the columns of the contract; raises SettingsError for wrong options or paths."""
        options = read_options(self.options)
        check_paths(options)
        return spark_columns(options.table)

    def reader(self, schema: StructType) -> LogReader:
        """Return the reader of the columns in `schema`; raises SettingsError for others."""
        options = read_options(self.options)
        return LogReader(options, _columns(options.table, schema))


class LogReader(DataSourceReader):
    """Plans a read on the driver, and reads its partitions on workers."""

    def __init__(self, options: Options, columns: tuple[str, ...]) -> None:
        self._options = options
        contract = arrow_schema(options.table)
        self._schema = pa.schema([contract.field(column) for column in columns])

    def partitions(self) -> list[LogPartition]:
        """Return what is read at once; raises ClickstreamError for what cannot be read."""
        return list(partitions(self._options, ingest_time=datetime.now(UTC)))

    def read(self, partition: InputPartition | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `partition`; None, which Spark makes of no partition, has none."""
        if not isinstance(partition, LogPartition):
            return
        prepare_worker()
        rejected: Counter[str] = Counter()
        for wanted in partition.ranges:
            batches = self._batches(partition, wanted, rejected)
            yield from self._unless_corrupt(batches) if self._options.ignore_corrupt else batches
        if rejected.total() and not self._options.rejects:
            _log.warning("%s", _dropped(rejected))

    def _batches(
        self, partition: LogPartition, wanted: ObjectRange, rejected: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the range `wanted`; count its rejected lines, by their place."""
        place = printable(f"{partition.root}/{wanted.key}")
        identity = Identity(
            source_file=wanted.name, batch_id=BATCH_ID, ingest_time=partition.ingest_time
        )
        for item in parse_range(
            open_storage(partition.root), wanted, identity=identity, settings=partition.parse
        ):
            if isinstance(item, ObjectVerdict):
                _check_verdict(item, place)
                rejected[place] += item.lines_reject
            else:
                yield from self._rows(item, place).to_batches()

    def _rows(self, parsed: Parsed, place: str) -> pa.Table:
        if self._options.fail_fast:
            _check_lines(parsed, place)
        table = parsed.rejects if self._options.rejects else parsed.events
        return table.select(self._schema.names).cast(self._schema)

    def _unless_corrupt(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield `batches` if all of them can be read: the end of gzip may void what came before."""
        with tempfile.TemporaryFile() as spool:
            try:
                with pa.ipc.new_stream(spool, self._schema) as writer:
                    for batch in batches:
                        writer.write_batch(batch)
            except ObjectRefused as error:
                _log.warning("%s", error)
                return
            spool.seek(0)
            yield from pa.ipc.open_stream(spool)


def _dropped(rejected: Counter[str]) -> str:
    """Return how many lines of a partition give no event."""
    worst, _ = rejected.most_common(1)[0]
    more = sum(map(bool, rejected.values())) - 1
    others = f" and {count_of(more, 'other object')}" if more else ""
    lines = count_of(rejected.total(), "rejected line gives", "rejected lines give")
    return f"{lines} no event, of {worst}{others}: read them with the option rejects"


def _check_verdict(verdict: ObjectVerdict, place: str) -> None:
    if verdict.file_status not in REFUSED:
        return
    reason = printable(verdict.file_reason)
    if verdict.file_status == FAILED:
        raise ObjectUnreadable(f"{place} cannot be read: {reason}")
    advice = f"; {advised}" if (advised := remedy(reason)) else ""
    raise ObjectRefused(
        f"{place} is refused as a whole ({verdict.file_status}: {reason}){advice}; the option"
        f" {IGNORE_CORRUPT} leaves such files out"
    )


def _check_lines(parsed: Parsed, place: str) -> None:
    for reject in parsed.rejects.slice(0, 1).to_pylist():
        detail = f": {printable(reject['detail'])}" if reject["detail"] else ""
        raise TooManyRejects(
            f"{place}: the line at byte {reject['source_offset']} is rejected"
            f" ({reject['reason']}{detail}); read all of them with the option rejects"
        )


def _columns(table: Table, schema: StructType) -> tuple[str, ...]:
    """Return the names in `schema`; raises SettingsError unless `table` has each in its type."""
    types = {column.name: str(column.type) for column in table.columns}
    problems = [
        f"column {field.name} {field.dataType.simpleString()}: {_remedy(types.get(field.name))}"
        for field in schema.fields
        if field.dataType.simpleString() != types.get(field.name)
    ]
    times = Counter(schema.fieldNames())
    problems += [f"column {name}: it is there more than once" for name in times if times[name] > 1]
    if problems:
        raise SettingsError("\n".join((f"wrong schema of {table.name}:", *problems)))
    return tuple(schema.fieldNames())


def _remedy(known: str | None) -> str:
    return "there is no such column" if known is None else f"it is of type {known}"
