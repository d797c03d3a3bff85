"""The figures of the report as simple values: what `gather` finds and the page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ingest.lake.counts import LineCounts
from ingest.lake.refused import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bar: its label, one value per series, and further numbers that are shown as text only."""

    label: str
    values: tuple[int, ...]
    more: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The length of the bar."""
        return sum(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Horizontal bars, stacked by `series`. `tones` are the colours of the series, from 1."""

    key: str
    title: str
    lead: str
    label: str
    series: tuple[str, ...]
    rows: tuple[Row, ...]
    more: tuple[str, ...] = ()
    tones: tuple[int, ...] = (1, 2, 3, 4, 5, 6)

    @property
    def longest(self) -> int:
        """The length of the longest bar, at least 1."""
        return max((row.total for row in self.rows), default=0) or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Events by time, oldest first: those of people and of bots per `unit` (hour, day or month).

    Units without events are left out. `untimed` events have no time, or an implausible one.
    """

    unit: str
    points: tuple[tuple[datetime, int, int], ...]
    untimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(LineCounts):
    """A row of the ledger of loaded batches."""

    number: int
    source: str
    state: str
    ingest_time: datetime
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What was read and where it is. `places` maps each place to its number of events.

    `files` maps each file status to its number of objects, `reasons` each reject reason to its
    number of lines. `refused` names the objects of which nothing was loaded.
    """

    batches: tuple[Batch, ...]
    files: tuple[tuple[str, int], ...]
    refused: Refused
    reasons: tuple[tuple[str, int], ...]
    places: tuple[tuple[str, int], ...]

    @property
    def live(self) -> tuple[Batch, ...]:
        """The batches that count."""
        return tuple(batch for batch in self.batches if batch.state == "live")

    @property
    def balanced(self) -> bool:
        """Whether all places hold the same number of events and each batch's verdicts add up."""
        return len({count for _, count in self.places}) <= 1 and all(
            batch.lines_read == batch.judged for batch in self.batches
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page shows. `tiles` are (name, number) pairs.

    `period` says which days tiles, charts and traffic are about, empty for all.
    """

    tiles: tuple[tuple[str, int], ...]
    charts: tuple[Chart, ...]
    traffic: Traffic
    books: Books
    period: str = ""

    @property
    def as_of(self) -> datetime | None:
        """Start of the newest batch, None when nothing is loaded; never the current time."""
        return max((batch.ingest_time for batch in self.books.batches), default=None)
