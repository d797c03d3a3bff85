"""The values of lines that a log format string describes: where they are, numbers and times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.contract import EVENTS
from ingest.parse.fields.times import SECOND
from ingest.parse.kernels.any_times import read_any_times
from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.follow import follow
from ingest.parse.kernels.formatted import read_formatted
from ingest.parse.kernels.program import ITEM, ITEM_STOP, program_of
from ingest.parse.kernels.readers import (
    LONGEST_LINE,
    PADDING,
    Referrer,
    Request,
    Span,
    read_referrer,
    read_request,
)
from ingest.parse.kernels.settled import cut_word, drop_same, settle, sum_seconds
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.times import read_clf_times
from ingest.parse.kernels.urls import doubt_escapes, join_queries, read_targets
from ingest.parse.kernels.values import (
    read_numbers,
    read_plain_ports,
    read_seconds,
    read_statuses,
)
from ingest.parse.kernels.words import Bytes, Flags
from ingest.parse.layout.meanings import COLUMNS, ONLY_TOTAL, TOTAL, Meaning
from ingest.parse.layout.places import PARTS, Contest
from ingest.parse.layout.reading import Reading
from ingest.parse.lines import READ_AHEAD
from ingest.parse.model import Lines
from ingest.settings import ParseSettings

_COUNTS: Final = ("response_bytes", ONLY_TOTAL, TOTAL, "request_bytes")
_PORTS: Final = ("server_port", "client_port")
_UNESCAPED_ONCE: Final = ("url", "args", "http_method", "http_version", "referrer")
_MS_PER_SECOND: Final = 1000
# Of longer durations a float in milliseconds does not have all digits.
_MOST_MICROS: Final = 10**12
_QUESTION: Final = ord("?")
_BLANK: Final = ord(" ")
_QUOTE: Final = ord('"')
_HTTP_BYTES: Final = len("HTTP")
# Behind the values: the text behind them, bad requests, and an id of that text.
_MORE: Final = 3

Numbers = npt.NDArray[np.int64]


class Times(NamedTuple):
    """UTC microseconds, and which lines name the zone of their time."""

    micros: Numbers
    zoned: Mask


class Values:
    """The values of some lines; each step clears `plain` where it is not sure.

    Value 3 is in row 3 of the tables of places; in the rows behind the last value are the text
    behind all values, bad requests, and the id of a request of API Gateway.
    """

    def __init__(self, lines: Lines, settings: ParseSettings, reading: Reading) -> None:
        self.reading, self.slots = reading, dict(reading.places.slots)
        self.size = lines.starts.size
        self.directives = reading.layouts[0].directives
        self.tail, self.odd, self._id = range(len(self.directives), len(self.directives) + _MORE)
        self.buffer: Bytes = lines.buffer
        shape = 2, len(self.directives) + _MORE, self.size + PADDING
        # Zeros: places in lines that do not fit are looked at too.
        self.places = np.zeros(shape, dtype=np.uint32)
        begins, stops = self.places
        self.plain: Flags = np.full(self.size, NOT_PLAIN, dtype=np.uint8)
        longest = np.uint64(min(LONGEST_LINE, settings.max_line_bytes))
        for layout in reading.layouts:
            program = program_of(layout)
            follow(
                self.buffer, lines.starts, lines.ends, program.rows, program.texts, program.items,
                begins, stops, self.plain, longest, program.has_tabs, reading.of_gateway,
            )  # fmt: skip
        self.has_tabs = any(program_of(layout).has_tabs for layout in reading.layouts)
        if reading.of_gateway:
            self._take_id()
        self._settle(reading.places.for_targets, unescaped=False)
        self._check_texts()

    def doubt(self, lines: Mask) -> None:
        """Leave `lines` to the reference parser."""
        self.plain[lines] = NOT_PLAIN

    def at(self, slot: int) -> Span:
        """Return where the values number `slot` are."""
        begins, stops = self.places[:, slot, : self.size]
        return begins, stops

    def of(self, targets: Sequence[str]) -> Iterator[tuple[str, Meaning, Span]]:
        """Yield each target that the lines have, its meaning and where its values are."""
        for target in targets:
            if target in self.slots:
                slot = self.slots[target]
                yield target, self.directives[slot].meaning, self.at(slot)

    def span(self, target: str) -> Span:
        """Return where the values of `target` are; all are empty without it."""
        if target in self.slots:
            return self.at(self.slots[target])
        nowhere = np.zeros(self.size, dtype=np.uint32)
        return nowhere, nowhere

    def _take_id(self) -> None:
        """Take the id of the request from the text behind the values."""
        self.slots["native_id"] = self._id
        begins, stops = self.at(self._id)
        cut_word(self.buffer, *self.at(self.tail), self.plain, begins, stops)
        doubt_escapes(self.buffer, begins, stops, self.plain)
        self.doubt((begins != stops) & (self.buffer[begins] == _QUOTE))

    def _settle(self, contests: Sequence[Contest], *, unescaped: bool) -> None:
        for contest in contests:
            settle(
                self.buffer, *self.at(contest.slot), *self.at(contest.other), contest.alike,
                unescaped, self.plain,
            )  # fmt: skip

    def _check_texts(self) -> None:
        """Doubt texts that do not fit their columns, and escapes that a kernel would have to undo.

        Texts of many different values are not undone one by one.
        """
        for _, _, span in self.of(_UNESCAPED_ONCE):
            doubt_escapes(self.buffer, *span, self.plain)
        for target, slot in self.slots.items():
            begins, stops = self.at(slot)
            name = "client_address" if target == "client" else target
            width = (EVENTS.column(name).width if name in COLUMNS else None) or LONGEST_LINE
            if width < LONGEST_LINE:
                self.doubt(stops - begins > width)

    def settle_members(self, request: Request) -> None:
        """Drop what `extra` does not keep: what was logged twice, or is part of the request."""
        if "request" in self.slots:
            self._drop_parts(request)
        self._settle(self.reading.places.for_keys, unescaped=True)
        for slot in self.reading.places.doubted:
            begins, stops = self.at(slot)
            self.doubt(begins != stops)

    def _drop_parts(self, request: Request) -> None:
        target_stops, stops = request.target[1], self.span("request")[1]
        is_request = (request.versions >= 0) & (self.plain != NOT_PLAIN)
        protocol = (np.where(is_request, target_stops + np.uint32(1), stops), stops)
        seen = (request.method, request.target, request.path, request.query, protocol)
        for target, _, span in self.of(PARTS):
            for begins, stops in seen:
                drop_same(self.buffer, *span, begins, stops, self.plain)
            if target == "http_version":  # `HTTP 1.1` is the same as `HTTP/1.1`
                is_odd = ~is_request | (self.buffer[protocol[0] + _HTTP_BYTES] == _BLANK)
                self.doubt(is_odd & (span[0] != span[1]))

    def times(self) -> Times:
        """Return when the requests were."""
        slot = self.slots["event_time"]
        span, meaning = self.at(slot), self.directives[slot].meaning
        micros, zoned = np.zeros(self.size, dtype=np.int64), np.ones(self.size, dtype=np.uint8)
        self.doubt(span[0] == span[1])
        if meaning.time is not None:
            program = program_of(self.reading.layouts[0])
            row = program.rows[slot + 1]
            read_formatted(
                self.buffer, *span, program.items, row[ITEM], row[ITEM_STOP], self.plain, micros,
                zoned,
            )  # fmt: skip
        elif meaning.fits is not None:
            read_any_times(self.buffer, *span, -1, self.plain, micros)
        else:
            read_clf_times(self.buffer, *span, self.plain, micros, zoned)
            micros *= SECOND
        return Times(micros, zoned != 0)

    def counts(self) -> dict[str, Numbers]:
        """Return the numbers by target, -1 for none; durations are in microseconds."""
        found: dict[str, Numbers] = {}
        for target, _, span in self.of(_COUNTS):
            read_numbers(self.buffer, *span, self.plain, self._new(found, target))
        for target, _, span in self.of(_PORTS):
            read_plain_ports(self.buffer, *span, self.plain, self._new(found, target))
        for target, _, span in self.of(("status_code",)):
            statuses = np.full(self.size, -1, dtype=np.int32)
            read_statuses(self.buffer, *span, self.plain, statuses)
            found[target] = statuses.astype(np.int64)
        for target, meaning, span in self.of(("duration_ms",)):
            self._read_duration(meaning, span, self._new(found, target))
        for target, _, span in self.of(("target_duration_ms",)):
            sum_seconds(self.buffer, *span, self.plain, self._new(found, target))
        return found

    def _new(self, found: dict[str, Numbers], target: str) -> Numbers:
        return found.setdefault(target, np.full(self.size, -1, dtype=np.int64))

    def _read_duration(self, meaning: Meaning, span: Span, micros: Numbers) -> None:
        if meaning.unit == _MS_PER_SECOND:
            read_seconds(self.buffer, *span, self.plain, micros)
            return
        read_numbers(self.buffer, *span, self.plain, micros)
        self.doubt(micros > _MOST_MICROS)
        if meaning.unit == 1:
            np.multiply(micros, 1000, out=micros, where=micros > 0)

    def request(self) -> Request:
        """Return the parts of the requests, be they logged as lines or in parts."""
        request = read_request(self.buffer, self.span("request"), self.plain)
        if "request" in self.slots:
            return request
        if "url" in self.slots:
            self._join_queries()
            url = self.span("url")
            self.doubt(url[0] == url[1])
            read_targets(self.buffer, *url, self.plain, request.parts)
        return request._replace(method=self.span("http_method"))

    def _join_queries(self) -> None:
        """Make one text of URL and query where they are logged apart."""
        if "args" not in self.slots:
            return
        url, (begins, stops) = self.span("url"), self.span("args")
        begins += ((begins != stops) & (self.buffer[begins] == _QUESTION)).astype(np.uint32)
        lengths = np.where(self.plain != NOT_PLAIN, stops - begins + url[1] - url[0], 0)
        joined = np.zeros(int(lengths.sum()) + self.size + READ_AHEAD, dtype=np.uint8)
        join_queries(self.buffer, *url, begins, stops, self.plain, joined)
        self.buffer = np.concatenate([self.buffer, joined])

    def referrer(self) -> Referrer:
        """Return the parts of the referrers."""
        return read_referrer(self.buffer, self.span("referrer"), self.plain)
