"""What an interrupted build leaves behind: incomplete tables, which dbt cannot build again.

Spark writes the files of a table, then adds the table to the metastore, then its partitions. A kill
in between leaves files without a table, or a table without its partitions.
"""

from __future__ import annotations

import logging

from pyspark.sql import SparkSession

from ingest.warehouse import Schemas
from ingest.warehouse.spark.folders import folder_of_schema, remove_folder, subfolders

_log = logging.getLogger(__name__)


def remove_incomplete(session: SparkSession, schemas: Schemas) -> None:
    """Remove incomplete tables in dbt's schemas: all are rebuilt from landing."""
    for schema in schemas.all:
        folder = folder_of_schema(session, schema)
        if folder is not None and schema != schemas.landing:
            _remove_in(session, schema, folder)


def _remove_in(session: SparkSession, schema: str, folder: str) -> None:
    for name, place in subfolders(session, folder).items():
        table = f"{schema}.{name}"
        if not session.catalog.tableExists(table):
            _log.info("removing %s, left behind by an interrupted build", place)
            remove_folder(session, place)
        elif not _knows_its_partitions(session, table):
            _log.info("dropping %s, left incomplete by an interrupted build", table)
            session.sql(f"DROP TABLE {table}")


def _knows_its_partitions(session: SparkSession, table: str) -> bool:
    """Return whether the metastore knows the partitions of `table`, if it is partitioned."""
    rows = session.sql(f"DESCRIBE TABLE EXTENDED {table}").collect()
    described = {row.col_name for row in rows}
    return "# Partition Information" not in described or "Partition Provider" in described
