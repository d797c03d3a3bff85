"""Raw web logs as a Spark data source: `spark.dataSource.register(WebLogs)`.

The modules of this package know no settings file, no lake and no batch: Spark tells them the
options, and gets the events.
"""

from ingest.weblogs.source import WebLogs

__all__ = ["WebLogs"]
