"""The fast path of lines whose columns are between delimiters, as their format declares them.

What it handles comes out exactly as from the reference parser, which is its oracle and gets all
other lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.contract import EVENTS
from ingest.parse.fields.times import SECOND
from ingest.parse.kernels import rules
from ingest.parse.kernels.answers import (
    Answers,
    Memories,
    Numbers,
    ask_clients,
    ask_each,
    ask_together,
    each,
    filled,
    merged,
    warned_times,
)
from ingest.parse.kernels.any_times import read_any_times
from ingest.parse.kernels.columns import (
    Mask,
    column,
    constant,
)
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.events import (
    SCHEMA,
    Columns,
    count_readable,
    place_columns,
    read_pieces,
    table_of,
)
from ingest.parse.kernels.extra import MILLISECONDS, NUMBER, TEXT, Item, plan_of, write_extra
from ingest.parse.kernels.readers import LONGEST_LINE, PADDING, Span, read_referrer
from ingest.parse.kernels.requests import Requests, read_requests
from ingest.parse.kernels.separate import find_open, split_columns
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.times import read_dates_and_clocks
from ingest.parse.kernels.values import (
    read_numbers,
    read_plain_ports,
    read_seconds,
    read_thousandths,
)
from ingest.parse.kernels.words import Bytes, Flags, Positions
from ingest.parse.model import Identity, Lines
from ingest.parse.separated import (
    Asked,
    AskedClient,
    Count,
    Domain,
    Member,
    Milliseconds,
    PortMember,
    Role,
    SecondsMember,
    Separated,
    Text,
    Together,
)
from ingest.settings import ParseSettings

# Of the years that every engine shows.
_LAST_MS: Final = 253_402_300_799_999
_DASH: Final = ord("-")
_SLASH: Final = ord("/")


def parse_separated(
    lines: Lines, identity: Identity, settings: ParseSettings, *, layout: Separated
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines of a usual shape; see `read_pieces`."""
    read = partial(_read_piece, identity=identity, settings=settings, layout=layout)
    return read_pieces(lines, settings, read)


def _read_piece(
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    layout: Separated,
) -> tuple[Positions, pa.Table]:
    size = lines.starts.size
    fields = Fields(
        lines=lines,
        numbers=np.arange(size, dtype=np.uint32),
        buffer=lines.buffer,
        spans=room_for(layout, size),
        plain=np.empty(size, dtype=np.uint8),
        settings=settings,
        layout=layout,
    )
    usual = np.zeros(layout.width + 1, dtype=np.uint8)
    usual[list(layout.widths)] = True
    split_columns(
        fields.buffer, lines.starts, lines.ends, fields.begins, fields.stops, fields.plain, usual,
        np.uint64(min(LONGEST_LINE, settings.max_line_bytes)),
        np.uint64(ord(layout.delimiter)), layout.quotes, layout.merges,
    )  # fmt: skip
    return read_fields(fields, names, identity)


def room_for(layout: Separated, size: int) -> npt.NDArray[np.uint32]:
    """Return tables for where the columns of so many lines begin and stop, a row each."""
    count = max(layout.width, *(slot + 1 for slot, _ in layout.readers))
    return np.empty((2, count, size + PADDING), dtype=np.uint32)


def read_fields(
    fields: Fields, names: dict[str, str], identity: Identity
) -> tuple[Positions, pa.Table]:
    """Return which lines are handled, and their events; see `ReadPiece`."""
    parts = _read(fields, names)
    table, valid = _events(fields, parts, identity)
    return fields.numbers[parts.rows[valid]], table


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Where in `buffer` the columns of some of `lines` are, which have these `numbers`.

    What reads them clears `plain` where it is not sure.
    """

    lines: Lines
    numbers: Positions
    buffer: Bytes
    spans: npt.NDArray[np.uint32]
    plain: Flags
    settings: ParseSettings
    layout: Separated

    @property
    def memories(self) -> Memories:
        """What is remembered from piece to piece."""
        found: Memories = self.layout.memory.setdefault(Memories, Memories())
        return found

    @property
    def size(self) -> int:
        """The number of lines."""
        return self.plain.size

    @property
    def begins(self) -> npt.NDArray[np.uint32]:
        """Where columns begin, a row each."""
        begins: npt.NDArray[np.uint32] = self.spans[0]
        return begins

    @property
    def stops(self) -> npt.NDArray[np.uint32]:
        """Where columns stop, a row each."""
        stops: npt.NDArray[np.uint32] = self.spans[1]
        return stops

    def doubt(self, lines: Mask) -> None:
        """Leave `lines` to the reference parser."""
        self.plain[lines] = NOT_PLAIN

    def span(self, slot: int) -> Span:
        """Return where column `slot` of each line begins and stops."""
        return self.begins[slot, : self.size], self.stops[slot, : self.size]

    def role(self, role: Role) -> Span | None:
        """Return where the column with `role` is, None without one."""
        slots = [slot for slot, reader in self.layout.of(Role) if reader is role]
        return self.span(slots[0]) if slots else None


@dataclass(slots=True, kw_only=True)
class _Parts:
    """What kernels read; arrays have an item per line, `rows` are the lines that are plain.

    `durations` are thousandths of so many milliseconds.
    """

    rows: Positions
    micros: npt.NDArray[np.int64] | None
    numbers: dict[str, npt.NDArray[np.int64]]
    durations: dict[str, tuple[npt.NDArray[np.int64], int]]
    members: list[Item]
    member_numbers: npt.NDArray[np.int64]
    requests: Requests | None


def _read(fields: Fields, names: dict[str, str]) -> _Parts:
    micros = _micros(fields)
    numbers = {reader.column: _counts(fields, slot) for slot, reader in fields.layout.of(Count)}
    durations = {
        reader.column: (_thousandths(fields, slot), reader.unit)
        for slot, reader in fields.layout.of(Milliseconds)
    }
    members, member_numbers = _members(fields)
    for slot, reader in fields.layout.of(Text):
        begins, stops = fields.span(slot)
        fields.doubt(stops - begins > (EVENTS.column(reader.column).width or 0))
    requests = read_requests(
        fields.buffer, fields.begins, fields.stops, fields.plain, fields.layout, names
    )
    return _Parts(
        rows=np.flatnonzero(fields.plain).astype(np.uint32),
        micros=micros,
        numbers=numbers,
        durations=durations,
        members=members,
        member_numbers=member_numbers,
        requests=requests,
    )


def _micros(fields: Fields) -> npt.NDArray[np.int64] | None:
    """Return the UTC microseconds of the lines, None when no column with a role is a time."""
    date, clock, epoch = map(fields.role, (Role.DATE, Role.CLOCK, Role.EPOCH_MS))
    seconds = fields.role(Role.EPOCH_S)
    micros = None
    if date is not None and clock is not None:
        micros = np.zeros(fields.size, dtype=np.int64)
        read_dates_and_clocks(fields.buffer, *date, *clock, fields.plain, micros)
        micros *= SECOND
    if epoch is not None:
        micros = np.zeros(fields.size, dtype=np.int64)
        read_numbers(fields.buffer, *epoch, fields.plain, micros)
        fields.doubt((micros < 0) | (micros > _LAST_MS))
        micros *= 1000
    if seconds is not None:
        micros = np.zeros(fields.size, dtype=np.int64)
        begins, stops = seconds
        # Dates are no times here.
        is_date = (fields.buffer[begins + 4] == _DASH) | (fields.buffer[begins + 2] == _SLASH)
        fields.doubt((begins == stops) | is_date)
        read_any_times(fields.buffer, begins, stops, 0, fields.plain, micros)
    return micros


def _counts(fields: Fields, slot: int) -> npt.NDArray[np.int64]:
    numbers = np.full(fields.size, -1, dtype=np.int64)
    read_numbers(fields.buffer, *fields.span(slot), fields.plain, numbers)
    return numbers


def _thousandths(fields: Fields, slot: int) -> npt.NDArray[np.int64]:
    numbers = np.full(fields.size, -1, dtype=np.int64)
    read_thousandths(fields.buffer, *fields.span(slot), fields.plain, numbers)
    return numbers


def _members(fields: Fields) -> tuple[list[Item], npt.NDArray[np.int64]]:
    """Return the members of `extra`, and the table of those that are numbers."""
    layout = fields.layout
    ports, seconds = layout.of(PortMember), layout.of(SecondsMember)
    numbers = np.empty((len(ports) + len(seconds), fields.size), dtype=np.int64)
    items = [Item(reader.key, TEXT, slot) for slot, reader in layout.of(Member)]
    for row, (slot, port) in enumerate(ports):
        read_plain_ports(fields.buffer, *fields.span(slot), fields.plain, numbers[row])
        items.append(Item(port.key, NUMBER, row))
    for row, (slot, duration) in enumerate(seconds, len(ports)):
        read_seconds(fields.buffer, *fields.span(slot), fields.plain, numbers[row])
        items.append(Item(duration.key, MILLISECONDS, row))
    return items, numbers


def _events(fields: Fields, parts: _Parts, identity: Identity) -> tuple[pa.Table, Mask]:
    """Return the events of those rows of `parts` that are valid after all, and which they are."""
    layout, rows = fields.layout, parts.rows
    answers = _answers(fields, parts)
    columns = place_columns(fields.numbers[rows], fields.lines, identity, fields.settings)
    columns |= {
        reader.column: _texts(fields, fields.span(slot), rows, reader.column)
        for slot, reader in layout.of(Text)
    }
    columns |= _number_columns(parts, answers)
    valid = np.ones(rows.size, dtype=np.bool_)
    for answer in answers:
        valid &= answer.known
    for slot, reader in layout.of(Domain):
        origins = read_referrer(fields.buffer, fields.span(slot), fields.plain).origin
        domains, is_known = rules.ask(encode(fields.buffer, *origins, rows), rules.host_of)
        columns[reader.column] = domains.column()
        valid &= is_known
    if parts.members:
        columns["extra"], is_sure = write_extra(
            fields.buffer, fields.spans, parts.member_numbers, rows, fields.plain,
            plan_of(parts.members),
        )  # fmt: skip
        valid &= is_sure
    columns |= _text_columns(answers, layout, rows.size)
    time = _times(parts, answers)
    columns |= warned_times(time, answers, fields.memories.codes, identity, fields.settings)
    if parts.requests is not None:
        of_requests, is_right = parts.requests.columns(rows, fields.settings)
        columns |= of_requests
        valid &= is_right
    table = table_of(columns, rows.size)
    return table if valid.all() else table.filter(pa.array(valid)), valid


def _answers(fields: Fields, parts: _Parts) -> list[Answers]:
    layout, rows, memories = fields.layout, parts.rows, fields.memories
    answers = [
        ask_each(
            encode(fields.buffer, *fields.span(slot), rows), reader.put, memories.of(reader.put)
        )
        for slot, reader in layout.of(Asked)
    ]
    answers += [
        ask_clients(encode(fields.buffer, *fields.span(slot), rows), clients.put, memories.codes)
        for slot, clients in layout.of(AskedClient)
    ]
    together = [
        (encode(fields.buffer, *fields.span(slot), rows), reader.put)
        for slot, reader in layout.of(Together)
    ]
    if together:
        answers.append(ask_together(together, layout.finish, memories.of(Together)))
    return answers


def _number_columns(parts: _Parts, answers: list[Answers]) -> Columns:
    columns = {
        name: column(taken := numbers[parts.rows], taken < 0)
        for name, numbers in parts.numbers.items()
    }
    for name, (numbers, unit) in parts.durations.items():
        taken = numbers[parts.rows]
        columns[name] = column(taken / (1000 / unit), taken < 0)
    for answer in answers:
        for name, stored in answer.numbers.items():
            if name != "event_time":
                kind = SCHEMA.field(name).type.to_pandas_dtype()
                columns[name] = column(stored.values.astype(kind, copy=False), stored.null)
    return columns


def _texts(fields: Fields, span: Span, rows: Positions, name: str) -> pa.Array:
    if _is_dictionary(name):
        return encode(fields.buffer, *span, rows).column()
    return cut(fields.buffer, *span, rows)


def _is_dictionary(name: str) -> bool:
    return bool(pa.types.is_dictionary(SCHEMA.field(name).type))


def _text_columns(answers: list[Answers], layout: Separated, size: int) -> Columns:
    columns = {name: constant(text, size) for name, text in layout.usual.items()}
    for name in dict.fromkeys(name for answer in answers for name in answer.texts):
        texts = merged(list(each(answers, name)))
        if name in layout.usual:
            texts = filled(texts, layout.usual[name])
        columns[name] = texts.column() if _is_dictionary(name) else texts.texts()
    return columns


def _times(parts: _Parts, answers: list[Answers]) -> Numbers:
    size = parts.rows.size
    if parts.micros is not None:
        return Numbers(parts.micros[parts.rows], np.zeros(size, dtype=np.bool_))
    for answer in answers:
        if "event_time" in answer.numbers:
            return answer.numbers["event_time"]
    return Numbers(np.zeros(size, dtype=np.int64), np.ones(size, dtype=np.bool_))


def opening_lines(lines: Lines, delimiter: str) -> npt.NDArray[np.int64]:
    """Return the numbers of the lines that end inside a quoted column, and of unreadable ones.

    They are read as if they began outside of one.
    """
    count = count_readable(lines)
    is_open = np.ones(lines.starts.size, dtype=np.uint8)
    find_open(
        lines.buffer, lines.starts[:count], lines.ends[:count], np.uint64(ord(delimiter)),
        is_open[:count],
    )  # fmt: skip
    return np.flatnonzero(is_open)
