"""One self-contained HTML page from the marts: the four analyses, traffic over time, the books.

`gather` queries the warehouse for `figures`; `page` and `plot` turn them into the page. The page
loads nothing and runs no script, and every text from a log is escaped.
"""

from __future__ import annotations

import logging

from ingest.report.gather import gather
from ingest.report.page import render
from ingest.report.period import EVERYTHING, Period
from ingest.settings import Settings
from ingest.spark import is_submitted
from ingest.storage import open_storage
from ingest.warehouse import Warehouse

logger = logging.getLogger(__name__)


def write_report(
    settings: Settings,
    warehouse: Warehouse,
    *,
    period: Period = EVERYTHING,
    indexed: int | None = None,
) -> str:
    """Write the page and return its path or URI; a period has a page of its own.

    It goes to `data`/report, from a job of a cluster to `lake`/report: the disk there goes with the
    job. `indexed` is the number of documents in the search index, None when it is unknown. The page
    is replaced as a whole or not at all. Raises ClickstreamError when the marts cannot be read or
    the page cannot be written.
    """
    figures = gather(warehouse, period=period, indexed=indexed)
    place = f"{settings.lake}/report" if is_submitted() else str(settings.data / "report")
    storage = open_storage(place)
    storage.put(period.file_name, render(figures).encode())
    logger.info("report written to %s", f"{storage.uri}/{period.file_name}")
    return f"{storage.uri}/{period.file_name}"
