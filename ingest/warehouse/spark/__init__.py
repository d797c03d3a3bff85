"""Hop 4 on Spark."""

from __future__ import annotations

from pyspark.sql import SparkSession

from ingest.settings import Settings
from ingest.spark.session import spark_session
from ingest.warehouse.target import load_target


def open_session(settings: Settings) -> SparkSession:
    """Return the Spark session of the dbt target that `settings` names."""
    return spark_session(load_target(settings).parameters, settings.data)
