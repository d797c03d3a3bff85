"""What a replay would read again, while nothing is read or written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.job.discover import list_source
from ingest.job.replay import Choice, find_replays, has_settings
from ingest.job.run import check_found, complete_choice
from ingest.lake.ownership import read_ownership
from ingest.lake.records import BatchRecord, open_lake, read_log
from ingest.lake.refused import REFUSED_CONTENT
from ingest.parse.model import PARSER_VERSION
from ingest.settings import Settings, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """A batch that would be read again, with what its own reading found.

    `refused` counts objects. `changed` names what is different now: `settings` of the
    source, `parser`; without either the same lines would be rejected again.
    """

    number: int
    batch_id: str
    source: str
    objects: int
    lines_read: int
    lines_reject: int
    refused: int
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What a replay would do after it has ingested what is new.

    `missing` are logs that are not where they were last read: that ingest looks for them first.
    """

    batches: tuple[PlannedBatch, ...]
    missing: tuple[str, ...]


def plan_replay(
    settings: Settings,
    choice: Choice,
    *,
    sources: Sequence[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ReplayPlan:
    """Return what a replay of `choice` in `sources` (names; none = all) would read again.

    Raises what `ingest.job.run.replay` raises before it reads, but not for logs that are gone.
    """
    choice, selected = complete_choice(choice, settings, sources)
    lake = open_lake(settings.lake)
    records, ownership = read_log(lake), read_ownership(lake)
    planned: list[PlannedBatch] = []
    missing: list[str] = []
    for source in selected:
        found, lost = find_replays(choice, list_source(source), ownership, records, now=now())
        replaced = {batch_id for batch in found for batch_id in batch.replaces}
        planned += [_planned(one, source) for one in records if one.batch_id in replaced]
        missing += lost
    if choice.key is None:  # what lies there may be new, so that the ingest before reads it
        check_found(choice, len(planned))
    return ReplayPlan(batches=tuple(planned), missing=tuple(missing))


def _planned(record: BatchRecord, source: Source) -> PlannedBatch:
    return PlannedBatch(
        number=record.number,
        batch_id=record.batch_id,
        source=record.source,
        objects=len(record.owned),
        lines_read=record.totals.lines_read,
        lines_reject=record.totals.lines_reject,
        refused=sum(found.file_status in REFUSED_CONTENT for found in record.owned),
        changed=changes_since(record, source),
    )


def changes_since(record: BatchRecord, source: Source) -> tuple[str, ...]:
    """Return what is different now from when `record` was read, of `settings` and `parser`.

    Without any, the same bytes get the same verdicts again.
    """
    now = {
        "settings": has_settings(record, source),
        "parser": record.parser_version == PARSER_VERSION,
    }
    return tuple(name for name, is_same in now.items() if not is_same)
