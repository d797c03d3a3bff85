"""The texts of JSON lines by target, and what kernels read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.contract import EVENTS, Type
from ingest.parse.fields.addresses import MAX_PORT
from ingest.parse.fields.parameters import CAMPAIGN
from ingest.parse.json_keys import COMPUTED, COUNTS, DURATIONS, PORTS, TOTAL_DURATION
from ingest.parse.kernels.any_times import read_any_times
from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.grouped import Group
from ingest.parse.kernels.leaves import place
from ingest.parse.kernels.readers import (
    PADDING,
    Referrer,
    Request,
    Span,
    read_parameters,
    read_referrer,
    read_request,
)
from ingest.parse.kernels.split import NOT_PLAIN, PLAIN
from ingest.parse.kernels.urls import METHOD_STOP, join_queries, read_targets
from ingest.parse.kernels.values import read_nanos, read_numbers
from ingest.parse.kernels.words import Flags
from ingest.parse.lines import READ_AHEAD

_DECIMALS: Final = {None: -1, "s": 0, "ms": 3, "us": 6, "ns": 9}
# Decimals of a unit that are nanoseconds.
_NANO_DECIMALS: Final = {None: 6, "s": 9, "ms": 6, "us": 3, "ns": 0}
_FEW_NANOS: Final = 100
TEXTS: Final = {
    column.name: column.width or 0 for column in EVENTS.columns if column.type is Type.STRING
}
_PATH_BYTES: Final = TEXTS["url_path"]

Numbers64 = npt.NDArray[np.int64]
# A target, and the unit of a number there.
Slot = tuple[str, str | None]


class Fields:
    """The texts of the lines of a group by target; what reads them clears `plain` where unsure."""

    def __init__(self, group: Group) -> None:
        slots = {(fill.target, fill.unit): 0 for plan in group.plans for fill in plan.fills}
        self.slots: dict[Slot, int] = {slot: index for index, slot in enumerate(slots)}
        self.size = group.rows.size
        self.texts = group.texts
        self.plain: Flags = np.full(self.size, PLAIN, dtype=np.uint8)
        fills, starts = [], [0]
        for plan in group.plans:
            fills += [(fill.leaf, self.slots[fill.target, fill.unit]) for fill in plan.fills]
            starts.append(len(fills))
        self._begins, self._stops = np.empty(
            (2, len(slots) + 1, self.size + PADDING), dtype=np.uint32
        )
        place(
            group.firsts, group.plan_of, *group.leaves,
            np.array(fills, dtype=np.uint32).reshape(-1, 2), np.array(starts, dtype=np.uint32),
            self._begins, self._stops,
        )  # fmt: skip

    def doubt(self, lines: Mask) -> None:
        """Leave `lines` to the reference parser."""
        self.plain[lines] = NOT_PLAIN

    def named(self, names: frozenset[str]) -> Iterator[tuple[str, str | None, Span]]:
        """Yield target, unit and place of those targets among `names` that a line has."""
        for (target, unit), slot in self.slots.items():
            if target in names:
                yield target, unit, self._at(slot)

    def _at(self, slot: int) -> Span:
        return self._begins[slot, : self.size], self._stops[slot, : self.size]

    def span(self, target: str) -> Span:
        """Return where the texts of a target without a unit are; all are empty without it."""
        return self._at(self.slots.get((target, None), len(self.slots)))

    def has(self, target: str) -> bool:
        """Return whether a line may have this target."""
        return (target, None) in self.slots

    def join_queries(self) -> None:
        """Make one text of URL and query where they are logged apart."""
        if not self.has("args"):
            return
        url, args, request = self.span("url"), self.span("args"), self.span("request")
        # The request line counts where there is one.
        args[1][:] = np.where(request[0] != request[1], args[0], args[1])
        room = int((args[1] - args[0]).sum() + (url[1] - url[0]).sum()) + self.size
        joined = np.empty(room + READ_AHEAD, dtype=np.uint8)
        join_queries(self.texts, *url, *args, self.plain, joined)
        self.texts = np.concatenate([self.texts, joined])


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What kernels read of the lines, an item each."""

    micros: Numbers64
    has_time: Mask
    counts: dict[str, Numbers64]
    nanos: dict[str, Numbers64]
    request: Request
    referrer: Referrer
    parameters: dict[str, Span]


def read_fields(fields: Fields, group: Group, names: dict[str, str]) -> Read:
    fields.join_queries()
    micros, has_time = _times(fields)
    counts = _numbers(fields, COUNTS | PORTS, _read_count)
    for name in PORTS & counts.keys():
        fields.doubt(counts[name] > MAX_PORT)
    nanos = _numbers(fields, DURATIONS | {TOTAL_DURATION}, _read_nanos)
    for name in COMPUTED & nanos.keys():
        # JSON writes some of these with an exponent.
        fields.doubt((nanos[name] > 0) & (nanos[name] < _FEW_NANOS))
    for target, _, (begins, stops) in fields.named(frozenset(TEXTS)):
        fields.doubt(stops - begins > TEXTS[target])
    request = _request(fields, is_needed=group.is_request)
    referrer = read_referrer(fields.texts, fields.span("referrer"), fields.plain)
    return Read(
        micros=micros,
        has_time=has_time,
        counts=counts,
        nanos=nanos,
        request=request,
        referrer=referrer,
        parameters=_parameters(fields, group, request, referrer, names),
    )


def _parameters(
    fields: Fields, group: Group, request: Request, referrer: Referrer, names: dict[str, str]
) -> dict[str, Span]:
    """Return where the parameters of the URL are that say something of such an event."""
    if group.is_request:
        return read_parameters(fields.texts, fields.plain, request.query, referrer.query, names)
    if not group.shape.reads_campaign:
        return {}
    names = {name: names[name] for name in CAMPAIGN.values()}
    # Of the referrer none counts here.
    nothing = fields.span("args")
    return read_parameters(fields.texts, fields.plain, request.query, nothing, names)


def _times(fields: Fields) -> tuple[Numbers64, Mask]:
    micros = np.zeros(fields.size, dtype=np.int64)
    has_time = np.zeros(fields.size, dtype=np.bool_)
    for _, unit, (begins, stops) in fields.named(frozenset(("event_time",))):
        read_any_times(fields.texts, begins, stops, _DECIMALS[unit], fields.plain, micros)
        has_time |= begins != stops
    return micros, has_time


def _numbers(
    fields: Fields,
    names: frozenset[str],
    read: Callable[[Fields, str | None, Span, Numbers64], None],
) -> dict[str, Numbers64]:
    """Return the numbers of those targets among `names` that a line has, -1 for none."""
    found: dict[str, Numbers64] = {}
    for target, unit, span in fields.named(names):
        numbers = np.full(fields.size, -1, dtype=np.int64)
        read(fields, unit, span, numbers)
        found[target] = np.maximum(found.get(target, numbers), numbers)
    return found


def _read_count(fields: Fields, _unit: str | None, span: Span, numbers: Numbers64) -> None:
    read_numbers(fields.texts, *span, fields.plain, numbers)


def _read_nanos(fields: Fields, unit: str | None, span: Span, numbers: Numbers64) -> None:
    decimals = np.uint64(_NANO_DECIMALS[unit])
    read_nanos(fields.texts, *span, decimals, fields.plain, numbers)


def _request(fields: Fields, *, is_needed: bool) -> Request:
    """Return the requests, be they logged as lines or in parts; others are not plain."""
    lines, method = fields.span("request"), fields.span("http_method")
    request = read_request(fields.texts, lines, fields.plain)
    parts = request.parts
    is_line = lines[0] != lines[1]
    url = fields.span("url")
    read_targets(fields.texts, url[0], np.where(is_line, url[0], url[1]), fields.plain, parts)
    target = request.target
    fields.doubt(target[1] - target[0] > _PATH_BYTES)
    if is_needed:
        fields.doubt(target[0] == target[1])
    methods = (
        np.where(is_line, lines[0], method[0]),
        np.where(is_line, parts[METHOD_STOP, : fields.size], method[1]),
    )
    return request._replace(method=methods)
