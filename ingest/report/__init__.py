"""One self-contained HTML page from the marts: the four analyses, traffic over time, the books.

`gather` queries the warehouse for `figures`; `page` and `plot` turn them into the page. The page
loads nothing and runs no script, and every text from a log is escaped.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ingest.errors import ClickstreamError
from ingest.report.gather import gather
from ingest.report.page import render
from ingest.report.period import EVERYTHING, Period
from ingest.settings import Settings
from ingest.warehouse import Warehouse

logger = logging.getLogger(__name__)


def write_report(
    settings: Settings,
    warehouse: Warehouse,
    *,
    period: Period = EVERYTHING,
    indexed: int | None = None,
) -> Path:
    """Write the page to `data`/report and return its path; a period has a page of its own.

    `indexed` is the number of documents in the search index, None when it is unknown. The page is
    replaced as a whole or not at all. Raises ClickstreamError when the marts cannot be read
    or the page cannot be written.
    """
    figures = gather(warehouse, period=period, indexed=indexed)
    path = settings.data / "report" / period.file_name
    try:
        _replace(path, render(figures))
    except OSError as error:
        raise ClickstreamError(f"{path} cannot be written: {error.strerror}") from error
    logger.info("report written to %s", path)
    return path


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
