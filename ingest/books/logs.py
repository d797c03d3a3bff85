"""What was read of each log: its format, its file status, its lines by verdict."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ingest.lake.accepted import accepted_ids
from ingest.lake.counts import LineCounts, add_counts
from ingest.lake.records import ObjectRecord, open_lake, read_log
from ingest.lake.states import REPLACED, decide
from ingest.settings import Settings
from ingest.terminal.text import printable, table_text

_LOGS_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState(LineCounts):
    """A log as it was read last, with its counts of all batches that were not replaced.

    `source_format` is None where no format was needed or found.
    """

    source_file: str
    source_format: str | None
    file_status: str
    file_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """All logs of one lake, by name."""

    lake: str
    logs: tuple[LogState, ...]


def logs(settings: Settings) -> Logs:
    """Return the logs, none of an empty lake; raises BooksError when its batches are lost."""
    lake = open_lake(settings.lake)
    records = read_log(lake)
    states = decide(records, accepted_ids(lake))
    kept = [record for record in records if states[record.batch_id].state != REPLACED]
    read: defaultdict[str, list[ObjectRecord]] = defaultdict(list)
    for record in kept:
        for found in record.objects:
            read[found.source_file].append(found)
    return Logs(lake=settings.lake, logs=tuple(_state(read[name]) for name in sorted(read)))


def _state(readings: list[ObjectRecord]) -> LogState:
    formats = [found.source_format for found in readings if found.source_format is not None]
    last = readings[-1]
    return LogState(
        source_file=last.source_file,
        source_format=formats[-1] if formats else None,
        file_status=last.file_status,
        file_reason=last.file_reason,
        **add_counts(readings),
    )


def logs_text(found: Logs) -> str:
    """Return the logs for a person to read."""
    if not found.logs:
        return f"{found.lake}: no log has been read yet; start with: clickstream run"
    columns = (
        "log", "format", "file status", "lines", "ok", "warn", "skip", "reject", "events", "reason",
    )  # fmt: skip
    rows = [
        (
            printable(log.source_file), log.source_format, log.file_status, log.lines_read,
            log.lines_ok, log.lines_warn, log.lines_skip, log.lines_reject, log.events,
            printable(log.file_reason),
        )
        for log in found.logs[:_LOGS_SHOWN]
    ]  # fmt: skip
    left = len(found.logs) - len(rows)
    text = f"lake {found.lake}\n\n{table_text(columns, rows)}"
    return f"{text}\n... and {left:,} more (--json lists all)" if left else text
