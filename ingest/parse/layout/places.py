"""Which value of a line goes where, as far as the string says it, for kernels.

What `put.py` decides line by line: which of several values for one target counts, and under which
key of `extra` the others are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from ingest.parse.layout.compiled import Layout
from ingest.parse.layout.meanings import COLUMNS, ONLY_TOTAL, TOTAL, Meaning

# The parts of a request, of which some are logged in other lines than others.
PARTS = ("http_method", "url", "args", "http_version")
# Keys of `extra` that are numbers.
NUMBERS = ("backend_status", TOTAL, "client_port", "server_port", "target_duration_ms", "url_port")
_TIME = "event_time"
# Targets that are neither a column nor a key of `extra`.
_NAMES = frozenset((*PARTS, "client", "request", ONLY_TOTAL))
# What no value that is kept for itself may hide.
_TAKEN = frozenset((*NUMBERS, "request_line", "tail"))


@dataclass(frozen=True, slots=True)
class Contest:
    """Value `other` is dropped where it is the same as value `slot`.

    Where there is none at `slot` it takes its place, but only the reference parser knows what it
    is then unless they are `alike`.
    """

    slot: int
    other: int
    alike: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Values by their number in the string.

    `slots` are those that count for a target, after the contests `for_targets`; `members` are keys
    and values of `extra`, after those `for_keys`. Lines with one of `doubted` that was not dropped
    are left to the reference parser. `quoted` are values without a quote, but for escaped ones.
    """

    slots: Mapping[str, int]
    for_targets: tuple[Contest, ...]
    members: tuple[tuple[str, int], ...]
    for_keys: tuple[Contest, ...]
    doubted: frozenset[int]
    quoted: frozenset[int]


@lru_cache(maxsize=16)
def places_of(layout: Layout) -> Places | None:
    """Return where the values of `layout` go, None when its lines say no time."""
    ranked = sorted(enumerate(layout.directives), key=lambda pair: pair[1].meaning.rank)
    slots: dict[str, int] = {}
    contests, others = [], []
    for slot, directive in ranked:
        meaning = directive.meaning
        first = slots.setdefault(meaning.target, slot)
        if first != slot:
            alike = _are_alike(layout.directives[first].meaning, meaning)
            contests.append(Contest(first, slot, alike))
            others.append((meaning.key, slot))
    if _TIME not in slots:
        return None
    kept = _of_extra(layout, slots)
    members, for_keys, doubted = _members([*kept, *others])
    exchanged = {slot for one in (*contests, *for_keys) for slot in (one.slot, one.other)}
    return Places(
        slots=slots,
        for_targets=tuple(contests),
        members=members,
        for_keys=for_keys,
        doubted=doubted,
        quoted=frozenset(_quoted(layout)) - exchanged,
    )


def _quoted(layout: Layout) -> Iterator[int]:
    closings = [step.closing for step in layout.steps for _ in step.directives]
    return (slot for slot, closing in enumerate(closings) if closing == '"')


def _are_alike(one: Meaning, other: Meaning) -> bool:
    """Return whether a text means the same for both."""
    is_alone = one.target == _TIME or (one.target in PARTS and one.key != other.key)
    return one.unit == other.unit and not is_alone


def _of_extra(layout: Layout, slots: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return key and value of what counts for a target, and is kept in `extra` as a text."""
    kept = []
    if "request" in slots:
        kept = [
            (layout.directives[slots[part]].meaning.key, slots[part])
            for part in PARTS
            if part in slots
        ]
    elif "args" in slots and "url" not in slots:
        kept = [("args", slots["args"])]
    taken = COLUMNS | _NAMES | set(NUMBERS)
    return kept + [(target, slot) for target, slot in slots.items() if target not in taken]


def _members(
    kept: Sequence[tuple[str, int]],
) -> tuple[tuple[tuple[str, int], ...], tuple[Contest, ...], frozenset[int]]:
    """Return the members of `extra`, the contests for their keys, and whose key is another's."""
    members, contests = [], []
    for key, pairs in groupby(sorted(kept, key=itemgetter(0)), key=itemgetter(0)):
        slots = [slot for _, slot in pairs]
        for number, slot in enumerate(slots, 1):
            members.append((key if number == 1 else f"{key}_{number}", slot))
            contests += [Contest(earlier, slot) for earlier in slots[: number - 1]]
    names = [name for name, _ in members]
    doubted = {slot for name, slot in members if name in _TAKEN or names.count(name) > 1}
    free = tuple(member for member in members if member[1] not in doubted)
    return free, tuple(contests), frozenset(doubted)
