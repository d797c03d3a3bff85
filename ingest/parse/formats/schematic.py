"""The reference file's CSV, `schematic-csv`: section 4.1 of the format specification."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import repeat

from ingest.parse.collector import Collector
from ingest.parse.fields.addresses import choose_client, read_client
from ingest.parse.fields.csv_records import Physical, Record, RecordReader, split_record
from ingest.parse.fields.extra import key_of
from ingest.parse.fields.parameters import SHOP_ACTIONS
from ingest.parse.fields.text import is_blank, repair
from ingest.parse.fields.times import BadTime, read_time
from ingest.parse.fields.urls import domain_of
from ingest.parse.format import Format, Head
from ingest.parse.guard import guarded
from ingest.parse.lines import LongLine
from ingest.parse.model import Identity, Lines, Parsed
from ingest.parse.registry import register
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

Put = Callable[[Event, str], None]


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
        return self._judged(self._records.read(_physical(lines))).parsed()

    def reject_long(self, line: LongLine) -> Parsed:
        """Return the verdicts on the lines that waited, and on a physical line over the limit."""
        collector = self._judged(self._records.read([], final=True))
        if not self._columns:
            raise Refused("missing_header")
        if line.offset >= self._resume:
            collector.reject_long(replace(line, number=self._next_number()))
        return collector.parsed()

    def finish(self) -> Parsed:
        """Return the verdicts on the lines after a quote that was never closed."""
        return self._judged(self._records.read([], final=True)).parsed()

    def _next_number(self) -> int | None:
        number = self._number
        self._number = None if number is None else number + 1
        return number

    def _judged(self, records: Iterable[Record]) -> Collector:
        collector = Collector(self._identity, self._settings)
        for record in records:
            if record.offset < self._resume:
                self._pass_over(record)
                continue
            offset, number = record.offset, self._next_number()
            verdict = guarded(self._verdict, record, offset=offset, line=number)
            if record.has_hole:
                warn(verdict, "nul_byte")
            collector.add(verdict, offset=offset, line=number, raw=record.raw)
        return collector

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
        fields = split_record(repair(content, event.warnings), event.warnings)
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
        self._columns = [
            _put_of(
                # Of equal names the first is the column, the others are unknown ones.
                "" if name in names[:index] else name,
                key_of(name) or f"column_{index + 1}",
                self._settings,
            )
            for index, name in enumerate(names)
        ]

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


def _physical(lines: Lines) -> list[Physical]:
    data = lines.buffer.tobytes()
    nuls = repeat(0) if lines.nuls is None else lines.nuls.tolist()
    bounds = zip(lines.starts.tolist(), lines.ends.tolist(), nuls, strict=False)
    return [Physical(lines.offset + start, data[start:end], count) for start, end, count in bounds]


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
_KNOWN = frozenset({*_TEXTS, *_BIGINTS, *_INTS, *_EXTRAS, *_PUTS, "timestamp"})


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
