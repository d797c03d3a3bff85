"""What an ingest refused, and whether that is more than may pass without an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ingest.errors import ClickstreamError, TooManyRejects
from ingest.job.run import IngestSummary
from ingest.lake.refused import (
    FAILED,
    REFUSED,
    REFUSED_CONTENT,
    SEE_REMEDIES,
    Refused,
    RefusedObject,
    first_refused,
    refused_in,
)
from ingest.settings import Settings
from ingest.terminal.text import count_of


def refused_by(summary: IngestSummary) -> Refused:
    """Return the objects that the ingest refused or, by their keys, could not read."""
    # No record knows of what failed in a listing, or in a batch that was not sealed.
    failed = (
        RefusedObject(source_file=one.key, file_status=FAILED, file_reason=one.reason)
        for one in summary.failed
    )
    return first_refused([*refused_in(summary.sealed), *failed])


def refused_problems(settings: Settings, summary: IngestSummary) -> Iterator[tuple[str, int]]:
    """Yield (problem, exit code): 1 when all content was refused, 3 beyond a `refused_limit`."""
    statuses = Counter(
        (record.source, found.file_status)
        for record in summary.sealed
        for found in record.objects
        if not found.is_move  # nothing was read of it
    )
    with_content = sum(n for (_, status), n in statuses.items() if status != "empty")
    refused = sum(n for (_, status), n in statuses.items() if status in REFUSED)
    if refused and refused == with_content:
        has_remedies = any(status in REFUSED_CONTENT for _, status in statuses)
        yield (
            f"nothing could be read: all content was refused ({count_of(refused, 'object')})"
            + (f"; see `{SEE_REMEDIES}`" if has_remedies else ""),
            ClickstreamError.exit_code,
        )
    for source in settings.sources:
        content = sum(statuses[source.name, status] for status in REFUSED_CONTENT)
        if source.refused_limit is not None and content > source.refused_limit:
            yield (
                f"source {source.name}: {count_of(content, 'object')} refused, more than its "
                f"refused_limit of {source.refused_limit:,}",
                TooManyRejects.exit_code,
            )
