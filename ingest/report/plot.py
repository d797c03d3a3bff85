"""The geometry of the traffic chart: stacked columns over time, in units of its SVG."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ingest.report.figures import Traffic

WIDTH, HEIGHT = 1000, 260
LEFT, TOP, BOTTOM = 64, 12, 28
X_TICKS, Y_TICKS = 8, 4
_WIDEST = 40  # an hour alone is a column, not a wall
_SECONDS = {"hour": 3600, "day": 86_400}
_LABELS = {"hour": "%d %b %H:00", "day": "%d %b %Y", "month": "%b %Y"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of two parts, bots on top of people. `label` names its time."""

    x: float
    width: float
    people_y: float
    people_height: float
    bots_y: float
    bots_height: float
    label: str
    people: int
    bots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """All columns and the (position, text) pairs of both axes."""

    columns: tuple[Column, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    base: int = HEIGHT - BOTTOM


def plot_traffic(traffic: Traffic) -> Plot:
    """Return the chart; a time without events is a gap."""
    if not traffic.points:
        return Plot(columns=(), x_ticks=(), y_ticks=())
    first = traffic.points[0][0]
    slots = [_slot(first, at, traffic.unit) for at, _, _ in traffic.points]
    step = (WIDTH - LEFT) / (slots[-1] + 1)
    top = _round_up(max(people + bots for _, people, bots in traffic.points))
    scale = (HEIGHT - TOP - BOTTOM) / top
    base = HEIGHT - BOTTOM
    columns = tuple(
        Column(
            x=round(LEFT + slot * step, 2),
            # A thin gap between columns, unless they get too narrow for it.
            width=round(min(max(step * 0.86, min(step, 1.0)), _WIDEST), 2),
            people_y=round(base - people * scale, 2),
            people_height=round(people * scale, 2),
            bots_y=round(base - (people + bots) * scale, 2),
            bots_height=round(bots * scale, 2),
            label=f"{at:{_LABELS[traffic.unit]}}",
            people=people,
            bots=bots,
        )
        for slot, (at, people, bots) in zip(slots, traffic.points, strict=True)
    )
    return Plot(columns=columns, x_ticks=_x_ticks(columns), y_ticks=_y_ticks(top, scale))


def _slot(first: datetime, at: datetime, unit: str) -> int:
    """Return how many units `at` is after `first`."""
    if unit == "month":
        return 12 * (at.year - first.year) + at.month - first.month
    return int((at - first).total_seconds()) // _SECONDS[unit]


def _round_up(number: int) -> int:
    """Return the next round number: 1, 2, 3, 4, 6 or 8 and zeros, at least 4."""
    power = 1
    while True:
        for factor in (1, 2, 3, 4, 6, 8):
            if factor * power >= max(number, 4):
                return factor * power
        power *= 10


def _x_ticks(columns: tuple[Column, ...]) -> tuple[tuple[float, str], ...]:
    distance = (WIDTH - LEFT) / X_TICKS
    ticks = [(column.x, column.label) for column in columns[:1]]
    for column in columns:
        if column.x >= ticks[-1][0] + distance and column.x + distance / 2 <= WIDTH:
            ticks.append((column.x, column.label))
    return tuple(ticks)


def _y_ticks(top: int, scale: float) -> tuple[tuple[float, str], ...]:
    base = HEIGHT - BOTTOM
    values = sorted({top * part // Y_TICKS for part in range(Y_TICKS + 1)})
    return tuple((round(base - value * scale, 2), f"{value:,}") for value in values)
