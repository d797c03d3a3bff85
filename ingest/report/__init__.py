"""One self-contained HTML page from the marts: the four analyses, traffic over time, the books.

`gather` asks the warehouse for `figures`, `page` and `plot` turn them into the page. The page
loads nothing, runs no script, and every text from a log is escaped.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.report.gather import gather
from ingest.report.page import render
from ingest.settings import Settings
from ingest.target import load_target

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)


def write_report(settings: Settings, session: SparkSession, *, indexed: int | None = None) -> Path:
    """Write the page to `data`/report/index.html and return its path.

    `indexed` is the number of documents in the search index, None when it is not known. The
    page is replaced at once or not at all.
    """
    page = render(gather(session, schema=load_target(settings).schema, indexed=indexed))
    path = settings.data / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    logger.info("report written to %s", path)
    return path
