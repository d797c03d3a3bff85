"""What a dashboard shows, in words that no version of Kibana changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TIME_FIELD = "@timestamp"
COLUMNS = 48  # of Kibana's grid

Bars = Literal["bar", "bar_stacked", "bar_horizontal", "bar_horizontal_stacked"]
Kind = Bars | Literal["metric", "table", "pie"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The `size` values of `field` with the largest first metric, largest first."""

    field: str
    size: int
    label: str


@dataclass(frozen=True, slots=True)
class Times:
    """Intervals of the time field, of a length that Kibana chooses."""

    label: str = "Time"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of each bucket; a count has no field."""

    op: Literal["count", "sum", "unique_count"]
    field: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a panel is, in columns and rows."""

    x: int
    y: int
    w: int
    h: int

    def overlaps(self, other: Grid) -> bool:
        """Return whether the two share a cell."""
        return (
            self.x < other.x + other.w
            and other.x < self.x + self.w
            and self.y < other.y + other.h
            and other.y < self.y + self.h
        )


@dataclass(frozen=True, slots=True)
class Panel:
    """One visualisation. A breakdown splits each bucket again: the colours of stacked bars."""

    id: str
    title: str
    kind: Kind
    grid: Grid
    buckets: tuple[Terms | Times, ...]
    metrics: tuple[Metric, ...]
    breakdown: Terms | None = None

    @property
    def splits(self) -> tuple[Terms | Times, ...]:
        """All buckets, from the outermost to the innermost."""
        return self.buckets + ((self.breakdown,) if self.breakdown else ())

    @property
    def needs_times(self) -> bool:
        """Whether it shows nothing for events without a time."""
        return any(isinstance(bucket, Times) for bucket in self.buckets)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels."""

    id: str
    title: str
    description: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class DataView:
    """What Kibana calls the index; without a time field the time picker hides no event."""

    id: str
    index: str
    name: str
    time_field: str | None


@dataclass(frozen=True, slots=True)
class Period:
    """The first and the last day, as ISO dates in UTC."""

    first: str
    last: str

    @property
    def start(self) -> str:
        """The first moment of the first day."""
        return f"{self.first}T00:00:00.000Z"

    @property
    def end(self) -> str:
        """The last moment of the last day."""
        return f"{self.last}T23:59:59.999Z"
