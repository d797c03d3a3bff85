"""The reference file's CSV, `schematic-csv`: section 4.1 of the format specification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.collector import Collector
from ingest.parse.fields.addresses import choose_client, read_client
from ingest.parse.fields.csv_records import Physical, Record, RecordReader, split_record
from ingest.parse.fields.extra import MOST_SURPLUS, key_of
from ingest.parse.fields.parameters import SHOP_ACTIONS
from ingest.parse.fields.text import is_blank, repair
from ingest.parse.fields.times import BadTime, read_time
from ingest.parse.fields.urls import domain_of
from ingest.parse.format import FEW_LINES, Format, Head, try_fast
from ingest.parse.guard import guarded
from ingest.parse.lines import CHUNK_LINES, LongLine, part_of
from ingest.parse.merge import with_fast
from ingest.parse.model import Identity, Lines, Parsed
from ingest.parse.registry import register
from ingest.parse.rows import NO_EVENTS
from ingest.parse.separated import (
    MOST_COLUMNS,
    Asked,
    AskedClient,
    Count,
    Domain,
    Put,
    Reader,
    Separated,
    Text,
    Together,
    Unsure,
)
from ingest.parse.verdict import BLANK, HEADER, Event, Refused, Reject, Verdict, warn
from ingest.settings import ParseSettings

GRAMMAR = """\
RFC 4180 with a header; names are trimmed and compared without case, in any order.
Required: Action, SessionID, ClientIP. The record counts as one line.

Action             event_name; event_type when it is a shop action, else other
Bytes              duration_other (an integer of unknown meaning, not a size)
Item               item_name
# Of Purchases     purchase_count
# Of Views         view_count
Response           extra.response_text
Brand              brand
Category           category
ClientIP           client_ip, client_address
ItemID             item_id
ProductID          product_id
Rbytes             response_bytes
Rstat              status_code
ServerIp           extra.server_ip
SessionID          session_id
TimeStamp          event_time (empty in the reference file: no_timestamp)
URL                referrer, referrer_domain
Pct_Purchase, Clickhere, Msg, Number of Records and unknown columns
                   extra, under the name in lower case; the usual values are left out"""
_REQUIRED = frozenset({"action", "sessionid", "clientip"})
# Bytes, many times those of the reference file's: each record costs what its header does.
_MOST_HEADER = 16_384
# Lines that are read at once where records may have line breaks.
_WINDOW = 32
# A first line with this many of the known names is a header.
_SIGNATURE_NAMES = 5
_STATUS_DIGITS = 3
_TEXTS = {
    "item": "item_name",
    "brand": "brand",
    "category": "category",
    "itemid": "item_id",
    "productid": "product_id",
    "sessionid": "session_id",
}
_BIGINTS = {"bytes": "duration_other", "rbytes": "response_bytes"}
_INTS = {"# of purchases": "purchase_count", "# of views": "view_count"}
_EXTRAS = {
    "response": "response_text",
    "serverip": "server_ip",
    "pct_purchase": "pct_purchase",
    "clickhere": "clickhere",
    "msg": "msg",
    "number of records": "number_of_records",
}
# Values that nearly every row has: kept only where a row has another one.
_USUAL = {"clickhere": "Click Here", "number_of_records": "1"}


def header_names(fields: Iterable[str]) -> list[str]:
    """Return the names of a header as they are compared: trimmed, in lower case."""
    return [field.strip(" \t").lower() for field in fields]


def score(head: Head, _settings: ParseSettings) -> int:
    """Return the number of lines of the sample if the first line looks like the header, else 0.

    At least 1: a header that begins with `# Of Purchases` looks like a comment, so there may be no
    sample.
    """
    names = header_names(head.first.decode(errors="replace").replace('"', "").split(","))
    return max(1, len(head.sample)) * (len(_KNOWN.intersection(names)) >= _SIGNATURE_NAMES)


class SchematicParser:
    """Parses the records of one object; each counts as one line."""

    def __init__(self, identity: Identity, settings: ParseSettings) -> None:
        """The header is the first record that is not blank."""
        self._identity = identity
        self._settings = settings
        self._records = RecordReader(max_bytes=settings.max_line_bytes)
        self._resume = 0
        self._number: int | None = 1
        self._header: list[str] = []
        self._columns: list[Put] = []
        self._layout: Separated | None = None

    def begin(self, resume: int, first_line: int | None) -> None:
        """Pass over the records before `resume`, but for the header."""
        self._resume = resume
        self._number = first_line

    @property
    def waits_from(self) -> int | None:
        """Content offset of a record whose quote is still open, None without one."""
        return self._records.waits_from

    def parse(self, lines: Lines) -> Parsed:
        """Return the verdicts on the records that end in `lines`.

        Raises Refused when the header is not one of this format.
        """
        collector = self._collector()
        tables = []
        at, size = 0, lines.starts.size
        opening = self._opening(lines)
        while at < size:
            after = self._run_end(opening, at, size)
            if after - at > FEW_LINES:
                tables.append(self._judge_run(collector, part_of(lines, at, after)))
            else:
                after = max(after, min(at + self._window(), size))
                physical = [_physical(lines, index) for index in range(at, after)]
                self._judge(collector, self._records.read(physical))
            at = after
        return with_fast(pa.concat_tables(tables) if tables else NO_EVENTS, collector.parsed())

    def reject_long(self, line: LongLine) -> Parsed:
        """Return the verdicts on the lines that waited, and on a physical line over the limit."""
        collector = self._collector()
        self._judge(collector, self._records.read([], final=True))
        if not self._columns:
            raise Refused("missing_header")
        if line.offset >= self._resume:
            collector.reject_long(replace(line, number=self._next_number()))
        return collector.parsed()

    def finish(self) -> Parsed:
        """Return the verdicts on the lines after a quote that was never closed."""
        collector = self._collector()
        self._judge(collector, self._records.read([], final=True))
        return collector.parsed()

    def _collector(self) -> Collector:
        return Collector(self._identity, self._settings)

    def _next_number(self) -> int | None:
        number = self._number
        self._number = None if number is None else number + 1
        return number

    def _opening(self, lines: Lines) -> npt.NDArray[np.int64]:
        """Return which lines may open a quote, where runs of other lines are looked for."""
        is_wanted = self._settings.fast and lines.starts.size > FEW_LINES
        return _LINES.opening(lines) if is_wanted else np.arange(lines.starts.size)

    def _window(self) -> int:
        """Return how many lines to read record by record before a run is looked for again."""
        if not self._settings.fast or (self._columns and self._layout is None):
            return CHUNK_LINES
        return _WINDOW if self._columns else 1

    def _run_end(self, opening: npt.NDArray[np.int64], at: int, size: int) -> int:
        """Return up to where each line from `at` on is a record, below a header that is known."""
        if self._layout is None or self._records.waits_from is not None:
            return at
        index = int(np.searchsorted(opening, at))
        return int(opening[index]) if index < opening.size else size

    def _judge_run(self, collector: Collector, lines: Lines) -> pa.Table:
        """Return the events of the lines that kernels know; those of others go to `collector`."""
        first = int(np.searchsorted(lines.starts, self._resume - lines.offset))
        if self._layout is None or first == lines.starts.size:
            return NO_EVENTS
        lines = replace(part_of(lines, first, lines.starts.size), first_line=self._number)
        events, handled = try_fast(self._layout.parse, lines, self._identity, self._settings)
        for index in np.flatnonzero(~handled).tolist():
            number = None if lines.first_line is None else lines.first_line + index
            record = Record([_physical(lines, index)], is_closed=True)
            self._judge_record(collector, record, number)
        if self._number is not None:
            self._number += lines.starts.size
        return events

    def _judge(self, collector: Collector, records: Iterable[Record]) -> None:
        for record in records:
            if record.offset < self._resume:
                self._pass_over(record)
            else:
                self._judge_record(collector, record, self._next_number())

    def _judge_record(self, collector: Collector, record: Record, number: int | None) -> None:
        offset = record.offset
        verdict = guarded(self._verdict, record, offset=offset, line=number)
        if record.has_hole:
            warn(verdict, "nul_byte")
        collector.add(verdict, offset=offset, line=number, raw=record.raw)

    def _pass_over(self, record: Record) -> None:
        if not self._columns:
            self._verdict(record)  # which takes the header

    def _verdict(self, record: Record) -> Verdict:
        content = record.content
        if is_blank(content):
            return BLANK
        if not record.is_closed:
            if not self._columns:
                raise Refused("missing_header")
            return Reject("bad_csv", "a quote that is never closed")
        event = Event()
        if not self._columns and len(content) > _MOST_HEADER:
            raise Refused("missing_header")
        most = len(self._columns) + MOST_SURPLUS
        fields = split_record(repair(content, event.warnings), event.warnings, most)
        if not self._columns:
            self._start(fields)
        if fields == self._header:
            return HEADER
        return self._read(event, fields)

    def _start(self, header: list[str]) -> None:
        """Take `header` as the header; raises Refused when a required name is missing."""
        names = header_names(header)
        if not _REQUIRED.issubset(names):
            raise Refused("missing_header")
        self._header = header
        # Of equal names the first is the column, the others are unknown ones.
        first = {name: index for index, name in reversed([*enumerate(names)])}
        known = [name if first[name] == index else "" for index, name in enumerate(names)]
        self._columns = [
            _put_of(name, key_of(title) or f"column_{index}", self._settings)
            for index, (name, title) in enumerate(zip(known, names, strict=True), 1)
        ]
        self._layout = _layout(header, known, self._columns)

    def _read(self, event: Event, fields: list[str]) -> Verdict:
        declared = len(self._columns)
        if 2 * len(fields) < declared:
            return Reject("wrong_field_count", f"{len(fields)} of {declared} fields")
        if len(fields) < declared:
            event.warnings.add("missing_fields")
        elif len(fields) > declared:
            event.warnings.add("extra_fields")
            event.put_extra("extra_fields", fields[declared:])
        event.values["bytes_scope"] = "body"
        event.values["event_type"] = "other"
        try:
            for put, text in zip(self._columns, fields, strict=False):
                if text and text != "-":
                    put(event, text)
        except BadTime as error:
            return Reject("bad_timestamp", str(error))
        if "event_time" not in event.values:
            event.warnings.add("no_timestamp")
        _drop_usual_share(event)
        return event


def _layout(
    header: Sequence[str], names: Sequence[str], columns: Sequence[Put]
) -> Separated | None:
    """Return how kernels read the records below `header`, None when it has too many columns.

    `columns` store the values of those with these `names`.
    """
    if len(names) > MOST_COLUMNS:
        return None
    each = enumerate(zip(names, columns, header, strict=True))
    readers = tuple((index, reader) for index, column in each for reader in _readers(*column))
    return replace(_LINES, width=len(names), widths=frozenset((len(names),)), readers=readers)


def _readers(name: str, put: Put, title: str) -> Iterator[Reader]:
    if name in _TEXTS:
        yield Text(_TEXTS[name])
    elif name in _BIGINTS:
        yield Count(_BIGINTS[name])
    elif name == "url":
        yield from (Text("referrer"), Domain("referrer_domain"))
    elif name == "action":
        yield Asked(partial(_put_unless_header, put, title))
    elif name == "clientip":
        yield AskedClient(put)
    else:
        yield Asked(put) if name in _OWN else Together(put)


def _put_unless_header(put: Put, title: str, event: Event, text: str) -> None:
    """Store an action, unless the record may be another header."""
    if text == title:
        raise Unsure
    put(event, text)


def _physical(lines: Lines, index: int) -> Physical:
    start, end = int(lines.starts[index]), int(lines.ends[index])
    nuls = 0 if lines.nuls is None else int(lines.nuls[index])
    return Physical(lines.offset + start, bytes(lines.buffer.data[start:end]), nuls)


def _put_of(name: str, key: str, settings: ParseSettings) -> Put:
    """Return what stores a value (neither empty nor `-`) of the column `name`.

    A column without a known name goes to `key` of `extra`.
    """
    if name in _TEXTS:
        return partial(_put_text, _TEXTS[name])
    if name in _BIGINTS:
        return partial(_put_count, Event.put_bigint, _BIGINTS[name])
    if name in _INTS:
        return partial(_put_count, Event.put_int, _INTS[name])
    if name == "timestamp":
        return partial(_put_time, settings.timezone)
    return _PUTS.get(name) or partial(_put_extra, _EXTRAS.get(name, key))


def _put_text(column: str, event: Event, text: str) -> None:
    event.values[column] = text


def _put_count(
    put: Callable[[Event, str, str], None], column: str, event: Event, text: str
) -> None:
    if text.isascii() and text.isdigit():
        put(event, column, text)
    else:
        event.warnings.add("invalid_number")


def _put_extra(key: str, event: Event, text: str) -> None:
    if text != _USUAL.get(key):
        event.extra.setdefault(key, text)


def _put_time(timezone: str, event: Event, text: str) -> None:
    event.values["event_time"] = read_time(text, event.warnings, timezone=timezone)


def _put_action(event: Event, text: str) -> None:
    event.values["event_name"] = text
    action = text.lower()
    event.values["event_type"] = action if action in SHOP_ACTIONS else "other"


def _put_client(event: Event, text: str) -> None:
    if "," in text:
        event.values["forwarded_for"] = text
        event.put_client(choose_client(text))
    else:
        event.put_client(read_client(text))


def _put_status(event: Event, text: str) -> None:
    if len(text) == _STATUS_DIGITS and text.isascii() and text.isdigit():
        event.put_status(text)
    else:
        event.warnings.add("invalid_status")


def _put_referrer(event: Event, text: str) -> None:
    event.values["referrer"] = text
    event.values["referrer_domain"] = domain_of(text)


def _drop_usual_share(event: Event) -> None:
    """Drop the percentage of purchases where it says the same as their number."""
    purchases = event.values.get("purchase_count")
    if purchases is not None and event.extra.get("pct_purchase") == str(100 * purchases):
        del event.extra["pct_purchase"]


_PUTS: dict[str, Put] = {
    "action": _put_action,
    "clientip": _put_client,
    "rstat": _put_status,
    "url": _put_referrer,
}
# Columns that store nothing in `extra`, and that no other column changes.
_OWN = frozenset({*_PUTS, "# of views", "timestamp"})
_KNOWN = frozenset({*_TEXTS, *_BIGINTS, *_INTS, *_EXTRAS, *_PUTS, "timestamp"})

_LINES = Separated(
    delimiter=",",
    width=0,
    widths=frozenset(),
    readers=(),
    quotes=True,
    finish=_drop_usual_share,
    usual={"bytes_scope": "body", "event_type": "other"},
)


register(
    Format(
        name="schematic-csv",
        description="the reference file's CSV: one shop event per record, a header is required",
        grammar=GRAMMAR,
        splittable=False,  # the header, and quoted line breaks, reach over the borders of ranges
        parser=SchematicParser,
        score=score,
        rank=3,
        remedies={
            "missing_header": "the first record must name Action, SessionID and ClientIP",
        },
    )
)
