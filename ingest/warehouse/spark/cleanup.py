"""What a build that was cut off leaves behind: half made tables, which dbt cannot make again.

Spark writes a table's files, then tells the metastore of the table, then of its partitions. A kill
between these leaves files without a table, or a table without its partitions.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)


def remove_half_made(session: SparkSession, warehouse: Path, schema: str) -> None:
    """Remove half made tables of dbt in the folder `warehouse`: all are rebuilt from landing.

    `schema` holds the marts.
    """
    # dbt's own schemas are named after that of the marts.
    for folder in sorted(warehouse.glob(f"{schema}*.db/*")):
        table = f"{folder.parent.name.removesuffix('.db')}.{folder.name}"
        if not session.catalog.tableExists(table):
            _log.info("removing %s, left behind by a build that was cut off", folder)
            shutil.rmtree(folder)
        elif not _knows_its_partitions(session, table):
            _log.info("dropping %s, left half made by a build that was cut off", table)
            session.sql(f"DROP TABLE {table}")


def _knows_its_partitions(session: SparkSession, table: str) -> bool:
    """Return whether the metastore has the partitions of `table`, if it has any."""
    rows = session.sql(f"DESCRIBE TABLE EXTENDED {table}").collect()
    said = {row.col_name for row in rows}
    return "# Partition Information" not in said or "Partition Provider" in said
