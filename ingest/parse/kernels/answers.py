"""What the reference parser's functions store of texts, asked once for each different one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.fields.extra import encode_extra
from ingest.parse.fields.times import DAY, BadTime
from ingest.parse.finish import fitting, time_limits
from ingest.parse.kernels.addresses import are_ipv4
from ingest.parse.kernels.columns import Codes, DictionaryColumn, Mask, spread
from ingest.parse.kernels.events import Columns, dates, timestamps
from ingest.parse.kernels.texts import distinct
from ingest.parse.model import Identity
from ingest.parse.rows import Row
from ingest.parse.separated import Put, Unsure
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

Question = TypeVar("Question", bound=Hashable)
_NO_ROW: Row = {}
_CLIENT = frozenset(("client_ip", "client_address"))
_MOST_NUMBERS = 1 << 62
_STATUSES = pa.array(["ok", "warn"])
# Of a column with more different texts, few come again in the next piece.
_MOST_KEPT = 1_024


@dataclass(slots=True)
class WarningCodes:
    """Sets of warning codes as numbers: a bit for each code that was seen."""

    _bits: dict[str, int] = field(default_factory=dict)

    def mask(self, *codes: str) -> int:
        """Return the number of a set of codes."""
        return sum(1 << self._bits.setdefault(code, len(self._bits)) for code in codes)

    def column(self, masks: npt.NDArray[np.int64]) -> DictionaryColumn:
        """Return the column `parse_warnings` of rows with these sets."""
        if not masks.size or (masks == masks[0]).all():
            numbers, sets = np.zeros(masks.size, dtype=np.int32), masks[:1]
        else:
            numbers, sets = distinct(masks)
        return spread(numbers, [",".join(self._codes(mask)) for mask in sets.tolist()])

    def _codes(self, mask: int) -> list[str]:
        return sorted(code for code, bit in self._bits.items() if mask >> bit & 1)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, null where `null` is true."""

    values: npt.NDArray[np.int64]
    null: Mask


@dataclass(frozen=True, slots=True)
class Answers:
    """What was stored of each row; `known` are those that need no other parser."""

    texts: dict[str, DictionaryColumn]
    numbers: dict[str, Numbers]
    warnings: npt.NDArray[np.int64]
    known: Mask

    def at(self, rows: Codes) -> Answers:
        """Return what was stored of these rows, in their order; -1 is the last one."""
        return Answers(
            texts={
                name: DictionaryColumn(texts.codes.take(rows), texts.values)
                for name, texts in self.texts.items()
            },
            numbers={
                name: Numbers(numbers.values.take(rows), numbers.null.take(rows))
                for name, numbers in self.numbers.items()
            },
            warnings=_at(self.warnings, rows),
            known=_at(self.known, rows),
        )


def _at(values: npt.NDArray[Any], rows: Codes) -> npt.NDArray[Any]:
    is_one = (values == values[0]).all()  # as nearly always
    return np.full(rows.size, values[0]) if is_one else values.take(rows)


@dataclass(slots=True)
class Memory:
    """What was stored of the texts of a column, or of several together, which come again."""

    codes: WarningCodes
    _places: dict[object, int] = field(default_factory=dict)
    _rows: list[Row | None] = field(default_factory=list)
    _answers: Answers | None = None

    def ask(
        self,
        questions: Sequence[Question],
        numbers: Codes,
        answer: Callable[[Question], Row | None],
    ) -> Answers:
        """Return what `answer` stores of rows with the `questions` of these `numbers`; -1 = none.

        It is called once for each.
        """
        places = [self._place(question, answer) for question in questions]
        if self._answers is None:
            self._answers = _answers_of(self._rows, self.codes)
        answers = self._answers.at(np.array([*places, -1], dtype=np.int32).take(numbers))
        if len(self._rows) > _MOST_KEPT:
            self._places, self._rows, self._answers = {}, [], None
        return answers

    def _place(self, question: Question, answer: Callable[[Question], Row | None]) -> int:
        place = self._places.get(question)
        if place is None:
            place = self._places[question] = len(self._rows)
            self._rows.append(answer(question))
            self._answers = None
        return place


@dataclass(slots=True)
class Memories:
    """Memories by what they remember; all use the same codes."""

    codes: WarningCodes = field(default_factory=WarningCodes)
    _each: dict[object, Memory] = field(default_factory=dict)

    def of(self, key: object) -> Memory:
        """Return the memory of `key`, one that is empty at first."""
        return self._each.setdefault(key, Memory(self.codes))


def ask_each(texts: DictionaryColumn, put: Put, memory: Memory) -> Answers:
    """Return what `put` stores of each text; rows where that fills `extra` are not known."""
    return memory.ask(texts.values.to_pylist(), texts.codes, partial(_own_row, put))


def ask_clients(tokens: DictionaryColumn, put: Put, codes: WarningCodes) -> Answers:
    """Return what `put` stores of each client, which is asked of all but plain IPv4 addresses.

    Rows are not known where it stores more than the client.
    """
    sent = tokens.values.to_pylist()
    texts: dict[str, list[str | None]] = {name: list(sent) for name in _CLIENT}
    # The last one is that of the rows without a client.
    known = np.ones(len(sent) + 1, dtype=np.bool_)
    warnings = np.zeros(len(sent) + 1, dtype=np.int64)
    for index in np.flatnonzero(~are_ipv4(tokens.values)).tolist():
        row = _own_row(put, sent[index]) or _NO_ROW
        known[index] = _CLIENT.issuperset(_stored(row)) and row != _NO_ROW
        warnings[index] = codes.mask(*row.get("parse_warnings", ()))
        for name in _CLIENT:
            texts[name][index] = row.get(name)
    return Answers(
        texts={
            name: tokens if own == sent else spread(tokens.codes, own)
            for name, own in texts.items()
        },
        numbers={},
        warnings=_at(warnings, tokens.codes),
        known=_at(known, tokens.codes),
    )


def ask_together(
    columns: Sequence[tuple[DictionaryColumn, Put]],
    finish: Callable[[Event], None],
    memory: Memory,
) -> Answers:
    """Return what the columns' `put`s, one after the other, and `finish` store of each row."""
    numbers, firsts = _combined([texts.codes for texts, _ in columns])
    sent = [_texts_at(texts, firsts) for texts, _ in columns]
    puts = [put for _, put in columns]

    def put_all(texts: tuple[str | None, ...], event: Event) -> None:
        for put, text in zip(puts, texts, strict=True):
            if text is not None:
                put(event, text)
        finish(event)

    return memory.ask(
        list(zip(*sent, strict=True)), numbers, lambda texts: row_of(partial(put_all, texts))
    )


def _texts_at(texts: DictionaryColumn, rows: npt.NDArray[np.int64]) -> list[str | None]:
    values = [*texts.values.to_pylist(), None]
    return [values[code] for code in texts.codes[rows].tolist()]


def _own_row(put: Put, text: str) -> Row | None:
    """Return what `put` stores of `text`, None where it is not sure or fills `extra`."""
    row = row_of(partial(_put_text, put, text))
    return row if row is None or row["extra"] is None else None


def _put_text(put: Put, text: str, event: Event) -> None:
    put(event, text)


def _combined(columns: Sequence[Codes]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Return the number of each row's combination of codes, and a row that has each of them."""
    size = columns[0].size
    numbers, width = np.zeros(size, dtype=np.int64), 1
    for codes in columns:
        lowest, kinds = int(codes.min(initial=0)), int(codes.max(initial=-1)) + 2
        if lowest == kinds - 2:  # the same in all rows
            continue
        if width * kinds > _MOST_NUMBERS:
            numbers, width = distinct(numbers)[0].astype(np.int64), size
        numbers, width = numbers * kinds + codes + 1, width * kinds
    combined, _ = distinct(numbers)
    rows = np.zeros(int(combined.max(initial=-1)) + 1, dtype=np.int64)
    rows[combined] = np.arange(size)
    return combined, rows


def row_of(store: Callable[[Event], None]) -> Row | None:
    """Return what `store` stores, with its warnings; None where it is not sure."""
    event = Event()
    try:
        store(event)
    except (Unsure, BadTime):
        return None
    row = fitting(event)
    row["extra"] = encode_extra(event.extra, event.warnings)
    row["parse_warnings"] = event.warnings
    return row


def _answers_of(rows: Sequence[Row | None], codes: WarningCodes) -> Answers:
    """Return `rows` as answers, and behind them that of a row without a text."""
    stored = [*(row or _NO_ROW for row in rows), _NO_ROW]
    everywhere = np.arange(len(stored), dtype=np.int32)
    names = dict.fromkeys(
        name for row in stored for name, value in row.items() if value is not None
    )
    names.pop("parse_warnings", None)
    texts, counts = {}, {}
    for name in names:
        values = [row.get(name) for row in stored]
        if any(isinstance(value, str) for value in values):
            texts[name] = spread(everywhere, values)
        else:
            counts[name] = _numbers(values)
    masks = [codes.mask(*row.get("parse_warnings", ())) for row in stored]
    known = [*(row is not None for row in rows), True]
    return Answers(
        texts=texts, numbers=counts, warnings=np.array(masks, dtype=np.int64), known=np.array(known)
    )


def _stored(row: Row) -> Iterator[str]:
    """Yield the event columns that `row` fills."""
    return (name for name, value in row.items() if value is not None and name != "parse_warnings")


def _numbers(values: Sequence[Any]) -> Numbers:
    return Numbers(
        np.array([value or 0 for value in values], dtype=np.int64),
        np.array([value is None for value in values]),
    )


def merged(columns: Sequence[DictionaryColumn]) -> DictionaryColumn:
    """Return the column of the first text that each row has in one of `columns`."""
    first, *others = columns
    for other in others:
        if not (first.codes < 0).any():
            break
        values = first.values.to_pylist() + other.values.to_pylist()
        shifted = np.where(other.codes < 0, other.codes, other.codes + len(first.values))
        codes = np.where(first.codes < 0, shifted, first.codes).astype(np.int32)
        first = spread(codes, values)
    return first


def filled(texts: DictionaryColumn, usual: str) -> DictionaryColumn:
    """Return `texts` with the text `usual` where there is none."""
    everywhere = np.zeros(texts.codes.size, dtype=np.int32)
    return merged([texts, spread(everywhere, [usual])])


def each(answers: Sequence[Answers], name: str) -> Iterator[DictionaryColumn]:
    """Yield the texts of the event column `name`."""
    return (answer.texts[name] for answer in answers if name in answer.texts)


def warned_times(
    time: Numbers,
    answers: Sequence[Answers],
    codes: WarningCodes,
    identity: Identity,
    settings: ParseSettings,
) -> Columns:
    """Return the columns of times, and of all warnings: those of `answers`, and about the times."""
    limits = time_limits(identity, settings)
    future = ~time.null & (time.values > limits.latest)
    stale = ~time.null & (time.values < limits.earliest)
    days = np.where(time.null | future | stale, limits.ingest_day, time.values // DAY)
    warnings = np.zeros(time.null.size, dtype=np.int64)
    for answer in answers:
        warnings |= answer.warnings
    flags = {"no_timestamp": time.null, "future_timestamp": future, "stale_timestamp": stale}
    for code, flag in flags.items():
        warnings |= flag * np.int64(codes.mask(code))
    columns = {
        "event_date": dates(days),
        "parse_status": DictionaryColumn((warnings != 0).astype(np.int32), _STATUSES).column(),
        "parse_warnings": codes.column(warnings).column(),
    }
    if not time.null.all():
        columns["event_time"] = timestamps(time.values, time.null)
    return columns
