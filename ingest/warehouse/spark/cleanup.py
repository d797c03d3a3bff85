"""What an interrupted build leaves behind: incomplete tables, which dbt cannot build again.

Spark writes the files of a table, then adds the table to the metastore, then its partitions. A kill
in between leaves files without a table, or a table without its partitions.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)


def remove_incomplete(session: SparkSession, warehouse: Path, schema: str) -> None:
    """Remove dbt's incomplete tables in the folder `warehouse`: all are rebuilt from landing.

    `schema` holds the marts.
    """
    # The names of dbt's other schemas begin with that of the marts.
    for folder in sorted(warehouse.glob(f"{schema}*.db/*")):
        table = f"{folder.parent.name.removesuffix('.db')}.{folder.name}"
        if not session.catalog.tableExists(table):
            _log.info("removing %s, left behind by an interrupted build", folder)
            shutil.rmtree(folder)
        elif not _knows_its_partitions(session, table):
            _log.info("dropping %s, left incomplete by an interrupted build", table)
            session.sql(f"DROP TABLE {table}")


def _knows_its_partitions(session: SparkSession, table: str) -> bool:
    """Return whether the metastore knows the partitions of `table`, if it is partitioned."""
    rows = session.sql(f"DESCRIBE TABLE EXTENDED {table}").collect()
    described = {row.col_name for row in rows}
    return "# Partition Information" not in described or "Partition Provider" in described
