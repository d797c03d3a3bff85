"""What the objects with one skeleton say, found out once from the first of them.

The functions of the reference parser take an object apart whose texts and numbers stand for those
of any object with the same skeleton; where they end up is where those of all others do. Nothing
here loads numba.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ingest.parse.fields.extra import Number, encoded
from ingest.parse.json_keys import COMPUTED, SHOP, Found, is_kept_as_it_is
from ingest.parse.json_object import Members
from ingest.parse.json_value import BadValue, read_value
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

if TYPE_CHECKING:
    from ingest.parse.json_lines import Shape

# More are forgotten: a log that has as many is made up.
MOST_PLANS = 4096
# What a kernel or a rule may say of a request, besides what the object says.
_OF_REQUESTS = ("server_port", "url_port")
# Kernels read no text with a control character.
_MARK = re.compile(rb'"\\u0001([a-z0-9_]+)\\u0001"|\x01([a-z0-9_]+)\x01')


class Leaf(str):
    """A text that stands for a scalar of the line, by its number among all of them."""

    number: int


def _leaf(number: int, text: str | None = None) -> Leaf:
    leaf = Leaf(f"\x01{number}\x01" if text is None else text)
    leaf.number = number
    return leaf


class Part(IntEnum):
    """What follows a literal of `extra`: a scalar, quoted or not, or a number that was computed.

    Where there is no number, the literal before it is not written either.
    """

    NOTHING = 0
    TEXT = 1
    RAW = 2
    NUMBER = 3
    MILLISECONDS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A literal of `extra` and what follows it: the number of a scalar, or the name of a number."""

    literal: bytes
    part: Part
    name: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """A scalar that fills `target`, in `unit`: what `Found` says."""

    target: str
    unit: str | None
    leaf: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the objects of one skeleton are read, which are of `shape`.

    `fills` says which scalars fill what, `values` are event columns that are the same for all of
    these objects. `extra` is written piece by piece, each member behind a comma. Where the two
    scalars of `pair` are the same text, the line is read as `twin` says instead.
    """

    shape: Shape
    is_request: bool
    fills: tuple[Fill, ...]
    values: dict[str, str]
    extra: tuple[Piece, ...]
    pair: tuple[int, int] | None = None
    twin: Plan | None = None


P = TypeVar("P")


class Known(Generic[P]):
    """The plans of skeletons, each made once, of the first line that has the skeleton."""

    def __init__(self, plan: Callable[[bytes], P | None]) -> None:
        """`plan` makes the plan of a line's skeleton, None = its lines have no fast path."""
        self._plan = plan
        self._plans: dict[int, P | None] = {}

    def __contains__(self, skeleton: int) -> bool:
        """Return whether it was seen before."""
        return skeleton in self._plans

    def of(self, skeleton: int, line: Callable[[], bytes]) -> P | None:
        """Return the plan of `skeleton`, a hash; `line` returns a line that has it."""
        if skeleton not in self._plans:
            if len(self._plans) == MOST_PLANS:
                self._plans.clear()
            self._plans[skeleton] = self._plan(line())
        return self._plans[skeleton]


@dataclass(slots=True)
class Plans:
    """The plans of the skeletons of one object, whose lines are of one of `shapes`.

    `memory` is what kernels remember from piece to piece.
    """

    shapes: Sequence[Shape]
    settings: ParseSettings
    memory: dict[object, Any] = field(default_factory=dict)
    known: Known[Plan] = field(init=False)

    def __post_init__(self) -> None:
        """Know no skeleton."""
        self.known = Known(self._plan)

    def names(self, *, inner: bool) -> list[str]:
        """Return the names of which texts belong to a skeleton; `inner`: in objects of arrays."""
        names = (shape.told_inside if inner else shape.told_by for shape in self.shapes)
        return sorted({name for some in names for name in some})

    def _plan(self, line: bytes) -> Plan | None:
        """Return the plan of the skeleton of `line`, None = the reference parser reads them."""
        warnings: set[str] = set()
        try:
            value = read_value(line, warnings)
        except BadValue:
            return None
        if warnings or not isinstance(value, dict):
            return None
        standing = self._standing(value, count(), told=self.names(inner=False))
        shape = next((shape for shape in self.shapes if shape.fits(standing)), None)
        if shape is None or shape.take is None:
            return None
        pair = _pair(standing, shape)
        plan = _plan_of(standing, shape, self.settings)
        if plan is None or pair is None:
            return plan
        standing = self._standing(value, count(), told=self.names(inner=False))
        return replace(plan, pair=pair, twin=_plan_of(standing, shape, self.settings, same=True))

    def _standing(self, value: Any, numbers: Iterator[int], *, told: Sequence[str]) -> Any:
        """Return `value` with leaves in place of its scalars, but for those that say nothing."""
        if isinstance(value, dict):
            return {
                name: self._scalar(member, next(numbers), told=name in told)
                if not isinstance(member, dict | list)
                else self._standing(member, numbers, told=())
                for name, member in value.items()
            }
        inner = self.names(inner=True)
        return [
            self._standing(element, numbers, told=inner)
            if isinstance(element, dict | list)
            else self._scalar(element, next(numbers), told=False)
            for element in value
        ]

    def _scalar(self, value: Any, number: int, *, told: bool) -> Any:
        if value is None or value == "":
            return value
        if isinstance(value, str):
            return _leaf(number, value if told or value == "-" else None)
        return Number(_leaf(number))


def _pair(value: dict[str, Any], shape: Shape) -> tuple[int, int] | None:
    """Return the texts of which the shape asks whether they are the same, None without both."""
    if shape.alike is None:
        return None
    one, other = (Members(value, shape.nulls).at(path) for path in shape.alike)
    both = isinstance(one, Leaf) and isinstance(other, Leaf)
    return (one.number, other.number) if both else None


def _plan_of(
    value: dict[str, Any],
    shape: Shape,
    settings: ParseSettings,
    *,
    same: bool = False,
) -> Plan | None:
    assert shape.take is not None  # noqa: S101  asked before
    event, members = Event(), Members(value, shape.nulls)
    if same and shape.alike is not None:
        *above, last = shape.alike[1]
        members.at(tuple(above))[last] = members.at(shape.alike[0])
    found = shape.take(event, members, settings)
    if found is None:
        return None
    is_request = shape.is_request(found)
    own = SHOP & found.keys()
    if is_request and own and (shape.kind is None or own != {"event_name"}):
        return None
    fills = [
        Fill(target, one.unit, one.text.number)
        for target, one in found.items()
        if isinstance(one.text, Leaf)
    ]
    if len(fills) < len(found) or event.warnings:
        return None
    _mark(event, found)
    members.put_rest(event)
    # A member that another one hides: its text differs from line to line, the warning does too.
    if event.warnings:
        return None
    return Plan(
        shape=shape,
        is_request=is_request,
        fills=tuple(fill for fill in fills if not is_kept_as_it_is(fill.target)),
        values=event.values,
        extra=tuple(_pieces(event.extra)),
    )


def _mark(event: Event, found: dict[str, Found]) -> None:
    """Keep what is found of `extra` there, and marks for numbers that are still to be computed."""
    for target, one in found.items():
        if target in COMPUTED:
            event.extra[target] = Number(f"\x01{target}\x01")
        elif is_kept_as_it_is(target):
            event.extra[target] = one.text
    for name in _OF_REQUESTS:
        event.extra.setdefault(name, Number(f"\x01{name}\x01"))


def _pieces(extra: dict[str, Any]) -> Iterator[Piece]:
    """Yield the members of `extra` in the order of their keys, cut where a leaf or a mark is."""
    for key in sorted(extra):
        literal, *rest = _MARK.split(b"," + encoded({key: extra[key]})[1:-1])
        for text, raw, behind in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            yield Piece(literal, _part(text, raw), (text or raw).decode())
            literal = behind
        if literal:
            yield Piece(literal, Part.NOTHING)


def _part(text: bytes | None, raw: bytes | None) -> Part:
    if text is not None:
        return Part.TEXT
    name = (raw or b"").decode()
    if name.isdigit():
        return Part.RAW
    return Part.MILLISECONDS if name.endswith("_ms") else Part.NUMBER
