"""The reference file's CSV, `schematic-csv`: section 4.1 of the format specification."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.collector import Collector
from ingest.parse.fields.csv_records import Physical, Record, RecordReader, open_quote, split_record
from ingest.parse.fields.extra import MOST_NAMES, MOST_SURPLUS, key_of
from ingest.parse.fields.text import is_blank, repair
from ingest.parse.fields.times import BadTime
from ingest.parse.format import FEW_LINES, Format, Head, try_fast
from ingest.parse.guard import guarded
from ingest.parse.lines import CHUNK_LINES, LongLine, part_of
from ingest.parse.merge import with_fast
from ingest.parse.model import Identity, Lines, Parsed
from ingest.parse.place import placed
from ingest.parse.registry import register
from ingest.parse.rows import NO_EVENTS
from ingest.parse.schematic_columns import (
    KNOWN,
    LINES,
    drop_usual_share,
    layout_of,
    put_of,
    shifted,
)
from ingest.parse.separated import Put, Separated
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
# Of the reference file.
_HEADER = b"""\
Action,Bytes,Item ,# Of Purchases,Response,Pct_Purchase,# Of Views,Brand,Clickhere,Category,\
ClientIP,ItemID,Msg,Number of Records,ProductID,Rbytes,Rstat,ServerIp,SessionID,TimeStamp,URL
"""
_REQUIRED = frozenset({"action", "sessionid", "clientip"})
# Lines that are read at once where records may have line breaks.
_WINDOW = 32
# A first line with this many of the known names is a header.
_SIGNATURE_NAMES = 5


def header_names(fields: Iterable[str]) -> list[str]:
    """Return the names of a header as they are compared: trimmed, in lower case."""
    return [field.strip(" \t").lower() for field in fields]


def score(head: Head, _settings: ParseSettings) -> int:
    """Return the number of lines of the sample if the first line looks like the header, else 0.

    At least 1: a header that begins with `# Of Purchases` looks like a comment, so there may be no
    sample.
    """
    names = header_names(head.first.decode(errors="replace").replace('"', "").split(","))
    return max(1, len(head.sample)) * (len(KNOWN.intersection(names)) >= _SIGNATURE_NAMES)


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
        self._names: list[str] = []
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
        return LINES.opening(lines) if is_wanted else np.arange(lines.starts.size)

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
            return Reject("bad_csv", placed("a quote that is never closed", open_quote(content)))
        event = Event()
        if not self._columns and len(content) > MOST_NAMES:
            raise Refused("missing_header")
        text = repair(content, event.warnings)
        fields = split_record(text, event.warnings, len(self._columns) + MOST_SURPLUS)
        if not self._columns:
            self._start(fields)
        if fields == self._header:
            return HEADER
        return self._read(event, fields, text)

    def _start(self, header: list[str]) -> None:
        """Take `header` as the header; raises Refused when a required name is missing."""
        names = header_names(header)
        if not _REQUIRED.issubset(names):
            raise Refused("missing_header")
        self._header = header
        # Of equal names the first is the column, the others are unknown ones.
        first = {name: index for index, name in reversed([*enumerate(names)])}
        known = [name if first[name] == index else "" for index, name in enumerate(names)]
        self._names = known
        self._columns = [
            put_of(name, key_of(title) or f"column_{index}", self._settings)
            for index, (name, title) in enumerate(zip(known, names, strict=True), 1)
        ]
        self._layout = layout_of(header, known, self._columns)

    def _read(self, event: Event, fields: list[str], text: str) -> Verdict:
        declared = len(self._columns)
        if 2 * len(fields) < declared:
            detail = placed(f"{len(fields)} of {declared} fields", len(text))
            return Reject("wrong_field_count", detail)
        odd = None if len(fields) == declared else shifted(self._names, fields)
        if odd is not None:
            return Reject("no_match", f"the column {odd}, and an unusual number of columns")
        if len(fields) < declared:
            event.warnings.add("missing_fields")
        elif len(fields) > declared:
            event.warnings.add("extra_fields")
            event.put_extra("extra_fields", fields[declared:])
        event.values["bytes_scope"] = "body"
        event.values["event_type"] = "other"
        try:
            for put, field in zip(self._columns, fields, strict=False):
                if field and field != "-":
                    put(event, field)
        except BadTime as error:
            return Reject("bad_timestamp", str(error))
        if "event_time" not in event.values:
            event.warnings.add("no_timestamp")
        drop_usual_share(event)
        return event


def _physical(lines: Lines, index: int) -> Physical:
    start, end = int(lines.starts[index]), int(lines.ends[index])
    nuls = 0 if lines.nuls is None else int(lines.nuls[index])
    return Physical(lines.offset + start, bytes(lines.buffer.data[start:end]), nuls)


register(
    Format(
        name="schematic-csv",
        description="the reference file's CSV: one shop event per record, a header is required",
        grammar=GRAMMAR,
        splittable=False,  # the header, and quoted line breaks, reach over the borders of ranges
        parser=SchematicParser,
        score=score,
        rank=3,
        usual_header=_HEADER,
        remedies={
            "missing_header": "the first record must name Action, SessionID and ClientIP",
        },
    )
)
