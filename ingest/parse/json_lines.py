"""Lines of JSON to events: section 4.3 of the format specification.

A shape says how the objects of one format are recognised and read. `jsonl` asks all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.fields.text import is_blank
from ingest.parse.fields.times import BadTime
from ingest.parse.format import FastPath, Format, Head, ParserOfLines
from ingest.parse.json_keys import Found, put_tracked, put_web_request
from ingest.parse.json_object import Members, Path
from ingest.parse.json_value import BadValue, read_value
from ingest.parse.model import Identity, Lines
from ingest.parse.registry import register
from ingest.parse.skeletons import Plans
from ingest.parse.verdict import BLANK, Event, EventArray, Reject, Verdict
from ingest.settings import ParseSettings

NOTHING = frozenset(("", "-"))
EMPTY = frozenset(("",))
_BEGIN = re.compile(rb"\{|\[[ \t]*\{")
_SHOWN_KEYS = 5
_SHOWN_CHARACTERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The objects of one format.

    `fits` tells them by their keys, which `needs` names for people. Of several shapes that fit, the
    one with the lowest `rank` reads the object. `nulls` are texts that say nothing. Members that
    neither `put` nor `take` takes go to `extra` under their own names.

    `put` stores in an event what the members say; it may raise BadTime. Kernels know nothing of it.

    `take` lets kernels read the usual lines, and mostly needs no `put` beside it. It takes members
    away and returns what `put_web_request` stores of them, by target; what goes with that it may
    store itself. Where a `put` beside it would do something else, it returns None. It is asked once
    for all objects with the same keys, so neither it nor `fits` may look into texts. What it may
    ask: the texts of the names `told_by` in the outermost object, and of `told_inside` in objects
    of arrays; and whether the texts at the two places `alike` are the same.

    `kind` is an event_type that no parameter replaces. With a `finish`, an object without a request
    is no web request: `put_tracked` stores it, and says what `finish` and `reads_campaign` mean.
    Unless it `names_request`, no object has a request or its URL.
    """

    name: str
    rank: int
    fits: Callable[[dict[str, Any]], bool]
    needs: str = ""
    put: Callable[[Event, Members, ParseSettings], None] | None = None
    nulls: frozenset[str] = NOTHING
    take: Callable[[Event, Members, ParseSettings], dict[str, Found] | None] | None = None
    kind: str | None = None
    names_request: bool = True
    finish: Callable[[Event], None] | None = None
    reads_campaign: bool = False
    told_by: tuple[str, ...] = ()
    told_inside: tuple[str, ...] = ()
    alike: tuple[Path, Path] | None = None

    def store(self, event: Event, members: Members, settings: ParseSettings) -> None:
        """Store in `event` what the members say; raises BadTime."""
        if self.put is not None:
            self.put(event, members, settings)
        elif self.take is not None:
            self._store(event, self.take(event, members, settings) or {}, settings)

    def is_request(self, found: Container[str]) -> bool:
        """Return whether an object in which this was `found` is a web request."""
        return self.finish is None or "request" in found or "http_method" in found

    def _store(self, event: Event, found: dict[str, Found], settings: ParseSettings) -> None:
        if self.finish is None:
            put_web_request(
                event, found, settings, kind=self.kind, names_request=self.names_request
            )
        else:
            put_tracked(
                event,
                found,
                settings,
                finish=self.finish,
                reads_campaign=self.reads_campaign,
            )


_shapes: list[Shape] = []


def shapes() -> Sequence[Shape]:
    """Return the shapes that `jsonl` chooses from, in order of rank."""
    return sorted(_shapes, key=lambda shape: shape.rank)


def offer(shape: Shape) -> None:
    """Make the objects of `shape` known to `jsonl`."""
    _shapes.append(shape)


def register_shape(shape: Shape, *, description: str, grammar: str) -> None:
    """Make the objects of `shape` known to `jsonl`, and as a format of their own."""
    offer(shape)
    register(json_format(shape, description=description, grammar=grammar))


def json_format(shape: Shape, *, description: str, grammar: str, **more: Any) -> Format:
    """Return the format of the objects of `shape`; `more` is what a Format may have beside."""
    return Format(
        name=shape.name,
        description=description,
        grammar=grammar,
        splittable=True,
        parser=partial(shape_parser, shape),
        refusal=refuse_pretty_printed,
        **more,
    )


def shape_parser(shape: Shape, identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object whose lines are objects of `shape`."""
    return parser_of((shape,), identity, settings)


def parser_of(
    shapes: Sequence[Shape], identity: Identity, settings: ParseSettings
) -> ParserOfLines:
    """Return the parser of one object, whose lines are of the first of `shapes` that fits."""
    line_parser = partial(read_line, shapes=shapes, settings=settings)
    return ParserOfLines(identity, settings, line_parser, fast_path=fast_objects(shapes, settings))


def fast_objects(shapes: Sequence[Shape], settings: ParseSettings) -> FastPath | None:
    """Return what reads the lines of one object by kernels, None without any that does."""
    # With this setting a client depends on other texts of its line.
    return partial(_parse_fast, Plans(shapes, settings)) if settings.client_from == "host" else None


def _parse_fast(
    plans: Plans, lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    from ingest.parse.kernels.objects import parse_objects

    return parse_objects(lines, identity, settings, plans=plans)


def is_json(line: bytes) -> bool:
    """Return whether the line begins like an object or an array of objects."""
    return _BEGIN.match(line) is not None


def refuse_pretty_printed(head: Head) -> str | None:
    """Return why content is refused whose records stand on several lines each."""
    return "multiline_json" if head.first.strip(b" \t") in (b"{", b"[") else None


def read_line(raw: bytes, shapes: Iterable[Shape], settings: ParseSettings) -> Verdict:
    """Return the verdict on one line, whose objects are read by the first shape that fits."""
    return read_objects(raw, partial(_read_object, shapes=shapes, settings=settings))


def read_objects(raw: bytes, read: Callable[[dict[str, Any]], Event | Reject]) -> Verdict:
    """Return the verdict on a line that is an object, or an array of objects, which `read` reads.

    One bad object rejects the whole line.
    """
    if is_blank(raw):
        return BLANK
    warnings: set[str] = set()
    try:
        value = read_value(raw, warnings)
    except BadValue as error:
        return Reject(error.reason, error.detail)
    elements = value if isinstance(value, list) else [value]
    if set(map(type, elements)) != {dict}:
        return Reject("not_an_object", "neither an object nor an array of objects")
    events: list[Event] = []
    bad_time: Reject | None = None
    for verdict in map(read, elements):
        if isinstance(verdict, Event):
            events.append(verdict)
        elif verdict.reason != "bad_timestamp":
            return verdict  # at once: an array of a megabyte may have as many objects as that
        else:
            bad_time = bad_time or verdict
    if bad_time is not None:
        return bad_time
    for event in events:
        event.warnings |= warnings
    return EventArray(tuple(events)) if isinstance(value, list) else events[0]


def _read_object(
    value: dict[str, Any], shapes: Iterable[Shape], settings: ParseSettings
) -> Event | Reject:
    shape = next((shape for shape in shapes if shape.fits(value)), None)
    if shape is None:
        return Reject("no_match", _unfit(value, list(shapes)))
    event = Event(values={"source_format": shape.name})
    members = Members(value, shape.nulls)
    try:
        shape.store(event, members, settings)
    except BadTime as error:
        return Reject("bad_timestamp", str(error))
    members.put_rest(event)
    return event


def _unfit(value: dict[str, Any], shapes: Sequence[Shape]) -> str:
    """Return why none of `shapes` fits the object."""
    if not value:
        found = "has no keys"
    else:
        keys = [key[:_SHOWN_CHARACTERS] for key in list(value)[:_SHOWN_KEYS]]
        found = f"has the keys {', '.join(keys)}{', ...' if len(value) > _SHOWN_KEYS else ''}"
    if len(shapes) == 1:
        return f"{shapes[0].name} needs {shapes[0].needs}; the object {found}"
    return f"no known object {found}" if value else f"the object {found}"
