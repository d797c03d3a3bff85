"""The right answer, counted while the lines are drawn; no parser is ever asked.

The numbers follow the definitions of the event (actions, views, purchases, brands) and of the
marts. What truth.json holds:

    sample    the arguments; `settings`: format -> what its source has to say
    files     file below raw/ -> its verdict, lines by verdict, events, first and last event time,
              counts (code or reason -> lines)
    totals    the sums of these, files_by_status, counts
    events    all, bots, views, purchases, without_time; by_action, by_campaign
              (source/medium/name)
    formats   format as it was asked for -> the same sums over its files, and those of views,
              purchases and response_bytes over its events
    sessions  all = distinct session ids; pages_by_views (number of views -> how many combinations
              of session, url and action have it)
    marts     mart -> `key`, a column of it, and `rows`: value of the key -> row_count, the rows of
              the mart that have it, and the sums of other columns over them
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

VERDICTS = ("ok", "warn", "skip", "reject")
# Measures of events -> where facts and events have them.
MEASURES = {"views": "views", "purchases": "purchases", "response_bytes": "size"}
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What many lines of one file say, as arrays of equal length.

    -1 = none in every array. `client`, `url`, `action`, `brand` and `campaign` are indexes into
    the names beside them; `session` is a number within the file; `at` is epoch seconds, UTC;
    `size` is the response in bytes.
    """

    session: Ints
    client: Ints
    url: Ints
    action: Ints
    status: Ints
    brand: Ints
    views: Ints
    purchases: Ints
    at: Ints
    campaign: Ints
    size: Ints
    is_bot: npt.NDArray[np.bool_]
    clients: Sequence[str]
    urls: Sequence[str]
    actions: Sequence[str]
    brands: Sequence[str]
    campaigns: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one unusual line says. None = the event has none; `at` is epoch seconds, UTC.

    `session` is used by no other line. `action` is in lower case.
    """

    session: str | None = None
    client: str | None = None
    url: str | None = None
    action: str | None = None
    status: int | None = None
    brand: str | None = None
    views: int | None = None
    purchases: int | None = None
    at: int | None = None
    campaign: str | None = None
    size: int | None = None


@dataclass(slots=True, kw_only=True)
class FileTruth:
    """The expected verdict on one file of the format `kind`.

    Times are epoch seconds, None where no event has one. `more_events` are those of arrays beyond
    the first, `sums` the totals of MEASURES. `reason` says why a file is `rejected`, None for all
    others.
    """

    kind: str
    file_status: str
    reason: str | None = None
    source_format: str | None = None
    lines: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    more_events: int = 0
    first: int | None = None
    last: int | None = None

    def add_lines(self, verdict: str, codes: Sequence[str], *, count: int = 1) -> None:
        """Count `count` lines of the same verdict and the same codes."""
        self.lines[verdict] += count
        for code in codes:
            self.counts[code] += count

    def add_times(self, first: int | None, last: int | None) -> None:
        """Widen the span of event times by [first, last]."""
        if first is not None and last is not None:
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)

    def add_facts(self, facts: Facts) -> None:
        """Add what many lines say."""
        timed = facts.at[facts.at >= 0]
        if len(timed):
            self.add_times(int(timed.min()), int(timed.max()))
        for name, where in MEASURES.items():
            self.sums[name] += int(getattr(facts, where).clip(0).sum())

    def add_event(self, event: Event) -> None:
        """Add what one unusual line says."""
        self.add_times(event.at, event.at)
        for name, where in MEASURES.items():
            self.sums[name] += getattr(event, where) or 0

    def as_row(self) -> dict[str, Any]:
        """Return what `landing.files` must say about the file, by column; `reason` begins its
        file_reason."""
        return {
            "file_status": self.file_status,
            "reason": self.reason,
            "source_format": self.source_format,
            "lines_read": self.lines.total(),
            **{f"lines_{verdict}": self.lines[verdict] for verdict in VERDICTS},
            "events": self.lines["ok"] + self.lines["warn"] + self.more_events,
            "min_event_time": _iso(self.first),
            "max_event_time": _iso(self.last),
            "counts": dict(+self.counts),
        }


class Tally:
    """Adds up facts and events; ask `truth` once, at the end."""

    def __init__(self) -> None:
        """Start at zero."""
        self._events: Counter[str] = Counter()
        self._sessions = 0
        self._groups: Counter[int] = Counter()
        self._group_actions: Counter[str] = Counter()
        self._views: Counter[str] = Counter()
        self._actions: Counter[str] = Counter()
        self._campaigns: Counter[str] = Counter()
        # Counters of one row of a mart: they have the names of its columns.
        self._clients: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._statuses: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._brands: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._hours: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def add(self, facts: Facts) -> None:
        """Add many lines of one file; their sessions occur in no other file."""
        self._add_events(facts)
        self._add_sessions(facts)
        self._add_clients(facts)
        self._add_brands(facts)
        for status, count in _counted(facts.status).items():
            self._statuses[status]["total_events"] += count
        for campaign, count in _counted(facts.campaign).items():
            self._campaigns[facts.campaigns[campaign]] += count

    def add_event(self, event: Event) -> None:
        """Add one unusual line; its session occurs nowhere else."""
        self._events["all"] += 1
        self._events["views"] += event.views or 0
        self._events["purchases"] += event.purchases or 0
        if event.at is None:
            self._events["without_time"] += 1
        else:
            self._hours[event.at // 3600].update(total_events=1, human_events=1)
        if event.status is not None:
            self._statuses[event.status]["total_events"] += 1
        if event.campaign is not None:
            self._campaigns[event.campaign] += 1
        if event.action is not None:
            self._actions[event.action] += 1
        if event.client is not None:
            client = self._clients[event.client]
            client.update(total_events=1, total_sessions=int(event.session is not None))
        if event.brand is not None:
            self._brands[event.brand].update(
                total_events=1, views=event.views or 0, purchases=event.purchases or 0
            )
        if event.session is not None:
            self._sessions += 1
            self._add_step(event)

    def _add_step(self, event: Event) -> None:
        if event.views is None or event.action is None:
            return
        self._groups[event.views] += 1
        self._group_actions[event.action] += 1
        self._views[event.action] += event.views

    def _add_events(self, facts: Facts) -> None:
        timed = facts.at >= 0
        self._events.update(
            all=len(facts.at),
            bots=int(facts.is_bot.sum()),
            without_time=int((~timed).sum()),
            views=int(facts.views.clip(0).sum()),
            purchases=int(facts.purchases.clip(0).sum()),
        )
        for name, which in (("total_events", timed), ("human_events", timed & ~facts.is_bot)):
            for hour, count in _counted(facts.at[which] // 3600).items():
                self._hours[hour][name] += count
        for action, count in _counted(facts.action).items():
            self._actions[facts.actions[action]] += count

    def _add_sessions(self, facts: Facts) -> None:
        self._sessions += len(np.unique(facts.session[facts.session >= 0]))
        which = (facts.session >= 0) & (facts.views >= 0) & (facts.action >= 0)
        session, action = facts.session[which], facts.action[which]
        keys = (session * len(facts.urls) + facts.url[which]) * len(facts.actions) + action
        groups, members = np.unique(keys, return_inverse=True)
        views = np.bincount(members, weights=facts.views[which]).astype(np.int64)
        for count, number in _counted(views).items():
            self._groups[count] += number
        for index, name in enumerate(facts.actions):
            mine = groups % len(facts.actions) == index
            self._group_actions[name] += int(mine.sum())
            self._views[name] += int(views[mine].sum())

    def _add_clients(self, facts: Facts) -> None:
        for client, events in _counted(facts.client).items():
            self._clients[facts.clients[client]]["total_events"] += events
        pairs = facts.client * (1 << 32) + facts.session
        pairs = np.unique(pairs[(facts.client >= 0) & (facts.session >= 0)])
        for client, sessions in _counted(pairs >> 32).items():
            self._clients[facts.clients[client]]["total_sessions"] += sessions

    def _add_brands(self, facts: Facts) -> None:
        for brand, events in _counted(facts.brand).items():
            which = facts.brand == brand
            self._brands[facts.brands[brand]].update(
                total_events=events,
                views=int(facts.views[which].clip(0).sum()),
                purchases=int(facts.purchases[which].clip(0).sum()),
            )

    def truth(self, files: Mapping[str, FileTruth]) -> dict[str, Any]:
        """Return everything that can be checked, ready for JSON."""
        return {
            "files": {name: files[name].as_row() for name in sorted(files)},
            "totals": _totals(files.values()),
            "formats": _by_format(files.values()),
            "events": {
                **{
                    name: self._events[name]
                    for name in ("all", "bots", "views", "purchases", "without_time")
                },
                "by_action": dict(+self._actions),
                "by_campaign": dict(+self._campaigns),
            },
            "sessions": {
                "all": self._sessions,
                "pages_by_views": {str(k): n for k, n in sorted(self._groups.items())},
            },
            "marts": self._marts(),
        }

    def _marts(self) -> dict[str, Any]:
        hours = {_iso(hour * 3600): cell for hour, cell in self._hours.items()}
        actions = {
            name: {"row_count": count, "number_of_views": self._views[name]}
            for name, count in (+self._group_actions).items()
        }
        return {
            "number_of_views_per_session": {"key": "action", "rows": actions},
            "number_of_sessions_per_ip": _mart(
                "clientip", self._clients, "total_sessions", "total_events"
            ),
            "number_of_events_per_http_response": _mart(
                "status_code", self._statuses, "total_events"
            ),
            "number_of_events_per_brand": _mart(
                "brand", self._brands, "total_events", "views", "purchases"
            ),
            "fct_traffic_hourly": _mart("event_hour", hours, "total_events", "human_events"),
        }


def _mart(key: str, cells: Mapping[Any, Counter[str]], *columns: str) -> dict[str, Any]:
    """Return the truth about a mart that has one row for each value of its `key`."""
    rows = {
        str(value): {"row_count": 1, **{column: cell[column] for column in columns}}
        for value, cell in cells.items()
    }
    return {"key": key, "rows": rows}


def _by_format(files: Collection[FileTruth]) -> dict[str, Any]:
    found = {}
    for kind in sorted({file.kind for file in files}):
        mine = [file for file in files if file.kind == kind]
        sums = {name: sum(file.sums[name] for file in mine) for name in MEASURES}
        found[kind] = {**_totals(mine), **sums}
    return found


def _totals(files: Collection[FileTruth]) -> dict[str, Any]:
    rows = [file.as_row() for file in files]
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row["counts"])
    sums = ("lines_read", *(f"lines_{verdict}" for verdict in VERDICTS), "events")
    return {
        "files": len(rows),
        "files_by_status": dict(Counter(row["file_status"] for row in rows)),
        "counts": dict(counts),
        **{name: sum(row[name] for row in rows) for name in sums},
    }


def _counted(values: Ints) -> dict[int, int]:
    """Return value -> occurrences, without the -1 that stands for none."""
    names, counts = np.unique(values[values >= 0], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _iso(second: int | None) -> str | None:
    return None if second is None else datetime.fromtimestamp(second, UTC).isoformat()
