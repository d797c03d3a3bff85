"""The fields of lines as a format declares them, and the numbers and times in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ingest.contract import EVENTS
from ingest.parse.fields.times import SECOND
from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.declared import Field, Shape, Value
from ingest.parse.kernels.readers import (
    LONGEST_LINE,
    PADDING,
    Referrer,
    Request,
    Span,
    read_referrer,
    read_request,
)
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN
from ingest.parse.kernels.times import read_clf_times, read_iso_times
from ingest.parse.kernels.urls import doubt_escapes
from ingest.parse.kernels.values import read_numbers, read_ports, read_seconds, read_statuses
from ingest.parse.kernels.walk import walk
from ingest.parse.kernels.words import Bytes, Flags, Positions
from ingest.parse.model import Lines
from ingest.settings import ParseSettings

# Above it, a duration needs a warning.
_MAX_MILLISECONDS = 10**12
COLUMNS = frozenset(EVENTS.names)
DICTIONARIES = frozenset(c.name for c in EVENTS.columns if c.dictionary)

Numbers = npt.NDArray[np.int64]


class Fields:
    """The fields of some lines; each step clears `plain` where it is not sure.

    Positions and numbers are in the row of their field; of the host and the URL the numbers are
    ports. Two more rows of positions are the surplus and bad requests.
    """

    def __init__(self, lines: Lines, settings: ParseSettings, shape: Shape) -> None:
        size, count = lines.starts.size, len(shape.fields)
        self.buffer: Bytes = lines.buffer
        self._size = size
        self.shape = shape
        self.places = np.empty((2, count + 2, size + PADDING), dtype=np.uint32)
        self.numbers = np.empty((count, size + PADDING), dtype=np.int64)
        self.hosts = np.empty(size, dtype=np.uint32)
        self.micros: Numbers = np.empty(size, dtype=np.int64)
        self.plain: Flags = np.empty(size, dtype=np.uint8)
        kinds = np.array([field.written for field in shape.fields], dtype=np.uint64)
        widths = np.uint64(sum(1 << width for width in shape.widths))
        longest = np.uint64(min(LONGEST_LINE, settings.max_line_bytes))
        begins, stops = self.places
        walk(
            self.buffer, lines.starts, lines.ends, kinds, begins, stops, self.plain,
            widths, longest,
        )  # fmt: skip
        if not shape.escapes:
            self._doubt(self.plain & ESCAPED != 0)

    def _doubt(self, lines: Mask) -> None:
        self.plain[lines] = NOT_PLAIN

    def span(self, slot: int) -> Span:
        """Return where the texts of the field number `slot` are."""
        begins, stops = self.places[:, slot, : self._size]
        return begins, stops

    def of(self, *values: Value) -> Iterator[tuple[int, Field]]:
        """Yield number and field of those that hold one of `values`."""
        return ((i, f) for i, f in enumerate(self.shape.fields) if f.value in values)

    def read(self) -> None:
        """Read numbers, times and ports, and doubt texts that do not fit their columns."""
        for slot, field in enumerate(self.shape.fields):
            span, numbers = self.span(slot), self.numbers[slot, : self._size]
            match field.value:
                case Value.COUNT:
                    read_numbers(self.buffer, *span, self.plain, numbers)
                case Value.STATUS:
                    self._read_statuses(span, numbers)
                case Value.SECONDS:
                    read_seconds(self.buffer, *span, self.plain, numbers)
                case Value.MILLISECONDS:
                    read_numbers(self.buffer, *span, self.plain, numbers)
                    self._doubt(numbers >= _MAX_MILLISECONDS)
                    np.multiply(numbers, 1000, out=numbers, where=numbers > 0)
                case Value.ISO_TIME:
                    read_iso_times(self.buffer, *span, self.plain, self.micros)
                case Value.CLF_TIME:
                    self._read_clf_times(span)
                case Value.HOST_PORT:
                    read_ports(self.buffer, *span, self.plain, self.hosts, numbers)
                    self._check_width("client_address", span)
                case Value.CLIENT:
                    self._check_width("client_address", span)
                case Value.TEXT:
                    self._check_text(field, span)

    def _read_statuses(self, span: Span, numbers: Numbers) -> None:
        statuses = np.empty(self._size, dtype=np.int32)
        read_statuses(self.buffer, *span, self.plain, statuses)
        numbers[:] = statuses

    def _read_clf_times(self, span: Span) -> None:
        seconds, zoned = np.empty(self._size, dtype=np.int64), np.ones(self._size, dtype=np.uint8)
        read_clf_times(self.buffer, *span, self.plain, seconds, zoned)
        self._doubt(zoned == 0)
        self.micros = seconds * SECOND

    def _check_text(self, field: Field, span: Span) -> None:
        begins, stops = span
        if field.required:
            self._doubt(begins == stops)
        if field.target in COLUMNS:
            self._check_width(field.target, span)
            if field.target not in DICTIONARIES:
                doubt_escapes(self.buffer, *span, self.plain)

    def _check_width(self, name: str, span: Span) -> None:
        width = EVENTS.column(name).width or 0
        if width < LONGEST_LINE:
            self._doubt(span[1] - span[0] > width)

    def request(self) -> Request:
        """Return the parts of the requests."""
        slot, field = self.request_field()
        begins, stops = span = self.span(slot)
        if field.event_type is not None:  # which an empty text may have too
            self._doubt(begins == stops)
        return read_request(self.buffer, span, self.plain)

    def request_field(self) -> tuple[int, Field]:
        """Return number and field of the request."""
        (found,) = self.of(Value.REQUEST)
        return found

    def referrer(self) -> Referrer:
        """Return the parts of the referrers, nothing where lines have none."""
        for slot, field in self.of(Value.TEXT):
            if field.target == "referrer":
                return read_referrer(self.buffer, self.span(slot), self.plain)
        nowhere = np.zeros(self._size, dtype=np.uint32)
        nothing = (nowhere, nowhere)
        return Referrer(nothing, nothing, np.ones(self._size, dtype=np.bool_))

    def rows(self) -> Positions:
        """Return which lines are still plain: called when all kernels have run."""
        return np.flatnonzero(self.plain).astype(np.uint32)
