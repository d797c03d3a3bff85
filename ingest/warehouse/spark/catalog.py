"""The names of tables, views and columns in Spark's catalog."""

from __future__ import annotations

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError
from ingest.warehouse import Column, Schemas
from ingest.warehouse.spark.query import only_tables


def relations(session: SparkSession, schemas: Schemas) -> list[str]:
    """Return the tables and views of `schemas`, those of the marts without their schema."""
    found: list[str] = []
    for schema in schemas.all:
        if session.catalog.databaseExists(schema):
            # Not catalog.listTables, which opens each of them.
            shown = session.sql(f"show tables in {schema}").collect()
            # What dbt leaves in the session belongs to no schema and is shown with each.
            names = [row.tableName for row in shown if not row.isTemporary]
            prefix = "" if schema == schemas.marts else f"{schema}."
            found += [f"{prefix}{name}" for name in sorted(names)]
    return found


def columns(session: SparkSession, marts: str, relation: str) -> list[Column]:
    """Return the columns of `relation`, in `marts` when it names no schema.

    Raises ClickstreamError when there is no such table or view.
    """
    name = relation if "." in relation else f"{marts}.{relation}"
    with only_tables(session):
        if not _exists(session, name):
            raise ClickstreamError(f"there is no table or view {relation}")
        fields = session.table(name).schema.fields
    return [Column(field.name, field.dataType.simpleString()) for field in fields]


def _exists(session: SparkSession, name: str) -> bool:
    try:
        return bool(session.catalog.tableExists(name))
    except AnalysisException:  # no name at all
        return False
