"""The fast path of lines of JSON: objects with the same skeleton are like lines with columns.

What it handles comes out exactly as from the reference parser, which is its oracle, decides what
each skeleton means, and gets all other lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS, Type
from ingest.parse.fields.addresses import MAX_PORT
from ingest.parse.fields.parameters import CAMPAIGN
from ingest.parse.json_keys import (
    COMPUTED,
    COUNTS,
    DURATIONS,
    PORTS,
    SHOP,
    TOTAL_DURATION,
    Found,
    put_alone,
)
from ingest.parse.kernels import rules
from ingest.parse.kernels.answers import (
    Answers,
    Memories,
    Numbers,
    ask_clients,
    ask_together,
    merged,
    row_of,
    warned_times,
)
from ingest.parse.kernels.columns import (
    DictionaryColumn,
    Mask,
    column,
    constant,
    spread,
)
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.events import (
    SCHEMA,
    Columns,
    in_order,
    place_columns,
    read_pieces,
    shop_columns,
    table_of,
)
from ingest.parse.kernels.grouped import Group, groups_of
from ingest.parse.kernels.leaves import place, write_extra
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.readers import (
    PADDING,
    Encoder,
    Referrer,
    Request,
    Span,
    read_parameters,
    read_referrer,
    read_request,
    version_column,
)
from ingest.parse.kernels.requests import rows_without_session
from ingest.parse.kernels.split import NOT_PLAIN, PLAIN
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.times import read_any_times
from ingest.parse.kernels.urls import METHOD_STOP, join_queries, read_targets
from ingest.parse.kernels.values import read_nanos, read_numbers
from ingest.parse.kernels.words import Flags, Positions
from ingest.parse.lines import READ_AHEAD
from ingest.parse.model import Identity, Lines
from ingest.parse.rows import Row
from ingest.parse.separated import Unsure
from ingest.parse.skeletons import Plans
from ingest.parse.verdict import Event
from ingest.parse.web import put_logged_client
from ingest.settings import ParseSettings

_DECIMALS: Final = {None: -1, "s": 0, "ms": 3, "us": 6, "ns": 9}
# Decimals of a unit that are nanoseconds.
_NANO_DECIMALS: Final = {None: 6, "s": 9, "ms": 6, "us": 3, "ns": 0}
_NANOS_PER_MS: Final = 1e6
_FEW_NANOS: Final = 100
# Few texts in many lines, which have a rule.
_ASKED: Final = frozenset(
    ("status_code", "backend_status", "http_version", "server_name", "url_scheme", "url_domain")
)
_TEXTS: Final = {
    column.name: column.width or 0 for column in EVENTS.columns if column.type is Type.STRING
}
_DICTIONARIES: Final = frozenset(c.name for c in EVENTS.columns if c.dictionary)
_PATH_BYTES: Final = _TEXTS["url_path"]

_OF_TYPES: Final = frozenset(("event_type", "event_name"))
_SESSION_OF: Final = "session_of_visitor"

Numbers64 = npt.NDArray[np.int64]
# A target, and the unit of a number there.
Slot = tuple[str, str | None]


def parse_objects(
    lines: Lines, identity: Identity, settings: ParseSettings, *, plans: Plans
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines whose skeletons have a plan; see `read_pieces`."""
    memories = plans.memory.setdefault(Memories, Memories())
    read = partial(
        _read_piece, identity=identity, settings=settings, plans=plans, memories=memories
    )
    return read_pieces(lines, settings, read)


def _read_piece(
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    plans: Plans,
    memories: Memories,
) -> tuple[Positions, pa.Table]:
    read = [
        _events(group, lines, names, identity=identity, settings=settings, memories=memories)
        for group in groups_of(lines, settings, plans)
    ]
    return in_order(read)


class _Fields:
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
class _Read:
    """What kernels read of the lines, an item each."""

    micros: Numbers64
    has_time: Mask
    counts: dict[str, Numbers64]
    nanos: dict[str, Numbers64]
    request: Request
    referrer: Referrer
    parameters: dict[str, Span]


def _read(fields: _Fields, group: Group, names: dict[str, str]) -> _Read:
    fields.join_queries()
    micros, has_time = _times(fields)
    counts = _numbers(fields, COUNTS | PORTS, _read_count)
    for name in PORTS & counts.keys():
        fields.doubt(counts[name] > MAX_PORT)
    nanos = _numbers(fields, DURATIONS | {TOTAL_DURATION}, _read_nanos)
    for name in COMPUTED & nanos.keys():
        # JSON writes some of these with an exponent.
        fields.doubt((nanos[name] > 0) & (nanos[name] < _FEW_NANOS))
    for target, _, (begins, stops) in fields.named(frozenset(_TEXTS)):
        fields.doubt(stops - begins > _TEXTS[target])
    request = _request(fields, is_needed=group.is_request)
    referrer = read_referrer(fields.texts, fields.span("referrer"), fields.plain)
    return _Read(
        micros=micros,
        has_time=has_time,
        counts=counts,
        nanos=nanos,
        request=request,
        referrer=referrer,
        parameters=_parameters(fields, group, request, referrer, names),
    )


def _parameters(
    fields: _Fields, group: Group, request: Request, referrer: Referrer, names: dict[str, str]
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


def _times(fields: _Fields) -> tuple[Numbers64, Mask]:
    micros = np.zeros(fields.size, dtype=np.int64)
    has_time = np.zeros(fields.size, dtype=np.bool_)
    for _, unit, (begins, stops) in fields.named(frozenset(("event_time",))):
        read_any_times(fields.texts, begins, stops, _DECIMALS[unit], fields.plain, micros)
        has_time |= begins != stops
    return micros, has_time


def _numbers(
    fields: _Fields,
    names: frozenset[str],
    read: Callable[[_Fields, str | None, Span, Numbers64], None],
) -> dict[str, Numbers64]:
    """Return the numbers of those targets among `names` that a line has, -1 for none."""
    found: dict[str, Numbers64] = {}
    for target, unit, span in fields.named(names):
        numbers = np.full(fields.size, -1, dtype=np.int64)
        read(fields, unit, span, numbers)
        found[target] = np.maximum(found.get(target, numbers), numbers)
    return found


def _read_count(fields: _Fields, _unit: str | None, span: Span, numbers: Numbers64) -> None:
    read_numbers(fields.texts, *span, fields.plain, numbers)


def _read_nanos(fields: _Fields, unit: str | None, span: Span, numbers: Numbers64) -> None:
    decimals = np.uint64(_NANO_DECIMALS[unit])
    read_nanos(fields.texts, *span, decimals, fields.plain, numbers)


def _request(fields: _Fields, *, is_needed: bool) -> Request:
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


def _events(
    group: Group,
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    memories: Memories,
) -> tuple[Positions, pa.Table]:
    fields = _Fields(group)
    read = _read(fields, group, names)
    rows = np.flatnonzero(fields.plain).astype(np.uint32)
    encoder = Encoder(fields.texts, rows)
    answers = _answers(fields, group, rows, memories, settings)
    columns = place_columns(group.rows[rows], lines, identity, settings)
    columns["source_format"] = constant(group.shape.name, rows.size)
    columns |= _text_columns(fields, group, rows)
    columns |= _number_columns(read, rows)
    columns |= _answered_columns(answers)
    columns |= _url_columns(fields, read, encoder, answers)
    columns |= _plan_columns(group, rows)
    if group.is_request:
        columns |= _shop_columns(fields, group, read, encoder)
        encoder.valid &= rows_without_session(columns, settings)
    else:
        columns |= _tracked_columns(fields, read, encoder)
    time = Numbers(read.micros[rows], ~read.has_time[rows])
    columns |= warned_times(time, answers, memories.codes, identity, settings)
    numbers, is_right = _extra_numbers(fields, read, answers, encoder)
    columns["extra"] = write_extra(
        group.texts, group.firsts, group.leaves, group.plans, group.plan_of, group.escaped,
        group.lengths, numbers, rows,
    )  # fmt: skip
    valid = encoder.valid & is_right
    for answer in answers:
        valid &= answer.known
    if not settings.keep_cookie:
        columns.pop("cookie", None)
    table = table_of(columns, rows.size)
    if valid.all():
        return group.rows[rows], table
    return group.rows[rows[valid]], table.filter(pa.array(valid))


def _answers(
    fields: _Fields, group: Group, rows: Positions, memories: Memories, settings: ParseSettings
) -> list[Answers]:
    """Return what the reference parser stores of the texts that it is asked about."""
    clients = encode(fields.texts, *fields.span("client"), rows)
    answers = [ask_clients(clients, partial(_put_client, settings), memories.codes)]
    for target, unit, span in fields.named(_ASKED):
        texts = encode(fields.texts, *span, rows)
        memory = memories.of((target, unit))
        stored = partial(_stored, target, unit)
        answers.append(memory.ask(texts.values.to_pylist(), texts.codes, stored))
    if not group.is_request and group.shape.finish is not None:
        columns = [
            (encode(fields.texts, *fields.span(name), rows).or_else(group.known(name, rows)), name)
            for name in _OF_TYPES
        ]
        puts = [(texts, partial(_put_value, name)) for texts, name in columns]
        memory = memories.of(group.shape.name)
        answers.append(ask_together(puts, group.shape.finish, memory))
    return answers


def _put_value(name: str, event: Event, text: str) -> None:
    event.values[name] = text


def _put_client(settings: ParseSettings, event: Event, text: str) -> None:
    put_logged_client(event, text, settings)


def _stored(target: str, unit: str | None, text: str) -> Row | None:
    """Return what is stored of a text, numbers of `extra` as columns; None for other `extra`."""

    def put(event: Event) -> None:
        put_alone(event, target, Found(text, unit))
        if not all(isinstance(value, int) for value in event.extra.values()):
            raise Unsure

    row = row_of(put)
    if row is None:
        return None
    kept: dict[str, Any] = orjson.loads(row["extra"] or "{}")
    return row | kept | {"extra": None}


def _text_columns(fields: _Fields, group: Group, rows: Positions) -> Columns:
    columns: Columns = {}
    others = SHOP if group.is_request else _OF_TYPES
    for target, _, span in fields.named(frozenset(_TEXTS) - _ASKED - others - {"http_method"}):
        if target in _DICTIONARIES:
            columns[target] = encode(fields.texts, *span, rows).column()
        else:
            columns[target] = cut(fields.texts, *span, rows)
    return columns


def _number_columns(read: _Read, rows: Positions) -> Columns:
    columns: Columns = {}
    for name, numbers in read.counts.items():
        if name in SCHEMA.names:
            columns[name] = column(taken := numbers[rows], taken < 0)
    if "duration_ms" in read.nanos:
        nanos = read.nanos["duration_ms"][rows]
        columns["duration_ms"] = column(nanos / _NANOS_PER_MS, nanos < 0)
    return columns


def _answered_columns(answers: Sequence[Answers]) -> Columns:
    columns: Columns = {}
    for answer in answers:
        for name, stored in answer.numbers.items():
            if name in SCHEMA.names:
                array = column(stored.values, stored.null)
                columns[name] = array.cast(SCHEMA.field(name).type)
        for name, texts in answer.texts.items():
            columns[name] = texts.column() if name in _DICTIONARIES else texts.texts()
    return columns


def _answered(answers: Sequence[Answers], name: str) -> list[DictionaryColumn]:
    return [answer.texts[name] for answer in answers if name in answer.texts]


def _url_columns(
    fields: _Fields, read: _Read, encoder: Encoder, answers: Sequence[Answers]
) -> Columns:
    """Return the columns of requests; of what they say too, the URL wins, but for the version."""
    request = read.request
    origins = encoder.texts(request.origin)
    rows = encoder.rows
    schemes, domains = (encoder.ask(origins, rule) for rule in (rules.scheme_of, rules.host_of))
    versions = version_column(request.versions[rows])
    return {
        "http_method": encoder.asked(request.method, rules.method_of).column(),
        "http_version": merged([*_answered(answers, "http_version"), versions]).column(),
        "url_original": cut(fields.texts, *request.target, rows),
        "url_scheme": merged([schemes, *_answered(answers, "url_scheme")]).texts(),
        "url_domain": merged([domains, *_answered(answers, "url_domain")]).texts(),
        "url_path": cut(fields.texts, *request.path, rows),
        "url_query": cut(fields.texts, *request.query, rows),
        "referrer_domain": encoder.asked(read.referrer.origin, rules.host_of).column(),
    }


def _shop_columns(fields: _Fields, group: Group, read: _Read, encoder: Encoder) -> Columns:
    session = read.parameters[SESSION]
    values = {
        name: decoded(encoder.texts(span), escapes=False)
        for name, span in read.parameters.items()
        if name != SESSION
    }
    kind = group.shape.kind
    kinds = None if kind is None else spread(np.zeros(encoder.rows.size, dtype=np.int32), [kind])
    columns = shop_columns(values, kinds)
    columns[SESSION] = cut(fields.texts, *session, encoder.rows)
    if fields.has("event_name"):
        own = encoder.texts(fields.span("event_name"))
        columns["event_name"] = own.column()
        encoder.valid &= own.codes >= 0
    return columns


def _tracked_columns(fields: _Fields, read: _Read, encoder: Encoder) -> Columns:
    """Return the campaign, which the URL may say, and the session with its visitor."""
    columns = {}
    for name, span in read.parameters.items():
        own = encoder.texts(fields.span(name))
        columns[name] = own.or_else(decoded(encoder.texts(span), escapes=False)).column()
    if fields.has(_SESSION_OF):
        visitor, session = fields.span("visitor_id"), fields.span(_SESSION_OF)
        texts = [cut(fields.texts, *span, encoder.rows) for span in (visitor, session)]
        columns[SESSION] = pc.binary_join_element_wise(*texts, ".")
        size = visitor[1] - visitor[0] + session[1] - session[0]
        encoder.valid &= size[encoder.rows] < _TEXTS[SESSION]
    return columns


def _plan_columns(group: Group, rows: Positions) -> Columns:
    """Return the columns of which each plan knows the value."""
    names = dict.fromkeys(name for plan in group.plans for name in plan.values)
    return {name: group.known(name, rows).column() for name in names if name not in _OF_TYPES}


def _extra_numbers(
    fields: _Fields, read: _Read, answers: Sequence[Answers], encoder: Encoder
) -> tuple[dict[str, Numbers64], Mask]:
    """Return the numbers of `extra` by line, and which rows do not have two for one key."""
    rows = encoder.rows
    is_right = np.ones(rows.size, dtype=np.bool_)
    numbers = {
        name: values for name, values in (read.counts | read.nanos).items() if name in COMPUTED
    }
    others = {"url_port": rules.url_ports(encoder.texts(read.request.origin))}
    for answer in answers:
        for name, stored in answer.numbers.items():
            if name not in SCHEMA.names:
                others[name] = np.where(stored.null, -1, stored.values)
    for name, values in others.items():
        known = numbers.setdefault(name, np.full(fields.size, -1, dtype=np.int64))
        is_right &= (known[rows] < 0) | (values < 0)
        known[rows] = np.maximum(known[rows], values)
    for name in COMPUTED:
        numbers.setdefault(name, np.full(fields.size, -1, dtype=np.int64))
    return numbers, is_right
