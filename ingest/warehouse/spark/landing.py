"""The landing tables of a Spark target: partitions that point at sealed files in the lake.

Spark reads every file in the folder of a partition, so a partition is exactly one folder that a
batch record names; nothing is ever found by listing. For the same reason the locations of the
tables themselves stay empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingest.contract import BATCHES, EVENTS, FILES, REJECTS, Table
from ingest.errors import BooksError
from ingest.lake.records import BatchRecord, NamedFile
from ingest.pseudonyms import KEYS_TABLE, Keys
from ingest.render import spark_ddl
from ingest.terminal.text import count_of
from ingest.warehouse.spark.times import from_micros

SCHEMA = "landing"
# Tables whose rows are in the lake; the fourth table, `batches`, is the ledger.
LAKE_TABLES = (EVENTS, REJECTS, FILES)
# Keeps statements far below the limits of Derby and of the parser.
_PARTITIONS_PER_STATEMENT = 500


class Facts(NamedTuple):
    """What must agree between a named file and its partition; times in UTC, None without one."""

    rows: int
    min_event_time: datetime | None
    max_event_time: datetime | None


def create_tables(session: SparkSession, lake: str) -> None:
    """Create the schema and the lake's tables unless they exist; `lake` is a path or URI."""
    session.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    for table in LAKE_TABLES:
        _create(session, table, f"{lake}/none")


def point_batches_at(session: SparkSession, place: str) -> None:
    """Let `landing.batches` show the ledger at `place`: one call to the metastore."""
    _create(session, BATCHES, place)
    name = f"{SCHEMA}.{BATCHES.name}"
    session.sql(f"ALTER TABLE {name} SET LOCATION '{quoted(place)}'")
    session.catalog.refreshTable(name)


def add_partitions(session: SparkSession, lake: str, records: Sequence[BatchRecord]) -> None:
    """Point a partition at the folder of each file that `records` name; known ones stay."""
    for table in LAKE_TABLES:
        clauses = [
            f"PARTITION (batch_id = '{quoted(record.batch_id)}', part = '{quoted(_part(file))}') "
            f"LOCATION '{quoted(f'{lake}/{PurePosixPath(file.path).parent}')}'"
            for record in records
            for file in record.files.get(table.name, ())
        ]
        for chunk in _chunks(clauses, _PARTITIONS_PER_STATEMENT):
            session.sql(f"ALTER TABLE {SCHEMA}.{table.name} ADD IF NOT EXISTS {' '.join(chunk)}")


def drop_partitions(session: SparkSession, batch_ids: Collection[str]) -> None:
    """Forget the partitions of these batches, where there are any; their files stay."""
    if not batch_ids:
        return
    for table in LAKE_TABLES:
        known = {
            row.partition.split("/")[0].removeprefix("batch_id=")
            for row in session.sql(f"SHOW PARTITIONS {SCHEMA}.{table.name}").collect()
        }
        clauses = [f"PARTITION (batch_id = '{one}')" for one in sorted(known & set(batch_ids))]
        for chunk in _chunks(clauses, _PARTITIONS_PER_STATEMENT):
            session.sql(f"ALTER TABLE {SCHEMA}.{table.name} DROP IF EXISTS {', '.join(chunk)}")


def prove(session: SparkSession, records: Sequence[BatchRecord]) -> None:
    """Raise BooksError unless Spark finds in each partition what the record says of its file.

    Times are compared too: a misread timestamp keeps the row count right.
    """
    for table in LAKE_TABLES:
        named = {
            (record.batch_id, _part(file)): Facts(
                file.rows, file.min_event_time, file.max_event_time
            )
            for record in records
            for file in record.files.get(table.name, ())
        }
        if not named:
            continue
        loaded = _count(session, table, sorted({batch_id for batch_id, _ in named}))
        _compare(table, named, loaded)


def store_keys(session: SparkSession, keys: Keys) -> None:
    """Let `landing.pseudonym_keys` show `keys`, in one step."""
    session.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    session.sql(
        f"CREATE OR REPLACE VIEW {SCHEMA}.{KEYS_TABLE} AS"
        f" SELECT '{keys.inner}' AS inner_key, '{keys.outer}' AS outer_key"
    )


def _compare(
    table: Table, named: dict[tuple[str, str], Facts], loaded: dict[tuple[str, str], Facts]
) -> None:
    for key in sorted(named.keys() | loaded.keys()):
        record, found = named.get(key), loaded.get(key, Facts(0, None, None))
        if record != found:
            batch_id, part = key
            raise BooksError(
                f"{SCHEMA}.{table.name}, batch {batch_id}, part {part}: the record says "
                f"{_text(record)}, but Spark reads {_text(found)}; nothing of this load is "
                "visible: restore the file, or ingest its raw objects again"
            )


def _count(
    session: SparkSession, table: Table, batch_ids: Sequence[str]
) -> dict[tuple[str, str], Facts]:
    least, most = "null", "null"
    if table is EVENTS:
        least, most = "unix_micros(min(event_time))", "unix_micros(max(event_time))"
    ids = ", ".join(f"'{quoted(one)}'" for one in batch_ids)
    try:
        rows = session.sql(
            f"SELECT batch_id, part, count(*), {least}, {most} FROM {SCHEMA}.{table.name} "  # noqa: S608
            f"WHERE batch_id IN ({ids}) GROUP BY batch_id, part"
        ).collect()
    except (PySparkException, Py4JError) as error:
        reason = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise BooksError(f"{SCHEMA}.{table.name} cannot be read: {reason}") from error
    return {
        (row[0], row[1]): Facts(row[2], from_micros(row[3]), from_micros(row[4])) for row in rows
    }


def location(session: SparkSession, table: str) -> str | None:
    """Return where the landing table `table` is, as a path or URI; None when there is none."""
    if not session.catalog.tableExists(f"{SCHEMA}.{table}"):
        return None
    described = session.sql(f"DESCRIBE TABLE EXTENDED {SCHEMA}.{table}").collect()
    where = next(row.data_type for row in described if row.col_name == "Location")
    return str(where).removeprefix("file:")


def quoted(text: str) -> str:
    """Return `text` escaped for the inside of a Spark string literal."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _create(session: SparkSession, table: Table, place: str) -> None:
    session.sql(spark_ddl(table).replace("{location}", quoted(place)))


def _part(file: NamedFile) -> str:
    """Return the part of `<table>/batch_id=<id>/part=<part>/<table>.parquet`."""
    return PurePosixPath(file.path).parent.name.removeprefix("part=")


def _chunks(clauses: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(clauses), size):
        yield clauses[start : start + size]


def _text(facts: Facts | None) -> str:
    if facts is None:
        return "nothing"
    span = f" from {facts.min_event_time} to {facts.max_event_time}" if facts.min_event_time else ""
    return f"{count_of(facts.rows, 'row')}{span}"
