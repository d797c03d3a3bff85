"""The fast path of lines of JSON: objects with the same skeleton are like lines with columns.

What it handles comes out exactly as from the reference parser, which is its oracle, decides what
each skeleton means, and gets all other lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.parse.json_keys import COMPUTED, SHOP, Found, put_alone
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
from ingest.parse.kernels.columns import DictionaryColumn, Mask, column, constant, spread
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
from ingest.parse.kernels.leaves import write_extra
from ingest.parse.kernels.object_fields import TEXTS, Fields, Numbers64, Read, read_fields
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.readers import Encoder, version_column
from ingest.parse.kernels.requests import rows_without_session
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.words import Positions
from ingest.parse.model import Identity, Lines
from ingest.parse.rows import Row
from ingest.parse.separated import Unsure
from ingest.parse.skeletons import Plans
from ingest.parse.verdict import Event
from ingest.parse.web import put_logged_client
from ingest.settings import ParseSettings

_NANOS_PER_MS: Final = 1e6
# Few texts in many lines, which have a rule.
_ASKED: Final = frozenset(
    ("status_code", "backend_status", "http_version", "server_name", "url_scheme", "url_domain")
)
_DICTIONARIES: Final = frozenset(c.name for c in EVENTS.columns if c.dictionary)

_OF_TYPES: Final = frozenset(("event_type", "event_name"))
_SESSION_OF: Final = "session_of_visitor"


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


def _events(
    group: Group,
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    memories: Memories,
) -> tuple[Positions, pa.Table]:
    fields = Fields(group)
    read = read_fields(fields, group, names)
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
    fields: Fields, group: Group, rows: Positions, memories: Memories, settings: ParseSettings
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


def _text_columns(fields: Fields, group: Group, rows: Positions) -> Columns:
    columns: Columns = {}
    others = SHOP if group.is_request else _OF_TYPES
    for target, _, span in fields.named(frozenset(TEXTS) - _ASKED - others - {"http_method"}):
        if target in _DICTIONARIES:
            columns[target] = encode(fields.texts, *span, rows).column()
        else:
            columns[target] = cut(fields.texts, *span, rows)
    return columns


def _number_columns(read: Read, rows: Positions) -> Columns:
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
    fields: Fields, read: Read, encoder: Encoder, answers: Sequence[Answers]
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


def _shop_columns(fields: Fields, group: Group, read: Read, encoder: Encoder) -> Columns:
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


def _tracked_columns(fields: Fields, read: Read, encoder: Encoder) -> Columns:
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
        encoder.valid &= size[encoder.rows] < TEXTS[SESSION]
    return columns


def _plan_columns(group: Group, rows: Positions) -> Columns:
    """Return the columns of which each plan knows the value."""
    names = dict.fromkeys(name for plan in group.plans for name in plan.values)
    return {name: group.known(name, rows).column() for name in names if name not in _OF_TYPES}


def _extra_numbers(
    fields: Fields, read: Read, answers: Sequence[Answers], encoder: Encoder
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
