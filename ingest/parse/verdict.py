"""The verdict on a single line: events, a skip or a reject (section 1 of the specification)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ingest.parse.fields.addresses import MAX_PORT, Client
from ingest.parse.fields.text import is_blank

MAX_BIGINT = 2**63 - 1
_MAX_INT = 2**31 - 1


@dataclass(slots=True)
class Event:
    """What one record says. `values`: column -> value (event_time in UTC microseconds).

    Columns that all events of an object share, and those that follow from others, are not in
    `values`. None and missing mean null. `extra` has no null values.
    """

    values: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: set[str] = field(default_factory=set)

    def put_extra(self, key: str, value: Any) -> None:
        """Keep `value` under `key` of the column `extra`, unless it is None."""
        if value is not None:
            self.extra[key] = value

    def put_bigint(self, column: str, digits: str) -> None:
        """Store `digits` in a BIGINT column: out of its range null, with `bytes_overflow`."""
        number = bounded(digits, MAX_BIGINT)
        if number is None:
            self.warnings.add("bytes_overflow")
        self.values[column] = number

    def put_int(self, column: str, digits: str) -> None:
        """Store `digits` in an INT column: out of its range null, with `invalid_number`."""
        number = bounded(digits, _MAX_INT)
        if number is None:
            self.warnings.add("invalid_number")
        self.values[column] = number

    def put_port(self, key: str, digits: str) -> None:
        """Keep a port under `key` of `extra`; one out of range is lost, with `invalid_number`."""
        port = bounded(digits, MAX_PORT)
        if port is None:
            self.warnings.add("invalid_number")
        self.put_extra(key, port)

    def put_status(self, digits: str) -> None:
        """Store a status of three digits, with `invalid_status` unless it is 000 or 100-599."""
        self.values["status_code"] = self.checked_status(digits)

    def checked_status(self, digits: str) -> int:
        """Return a status of three digits, with `invalid_status` unless it is 000 or 100-599.

        `0` and `-1` are other ways to write that no response was sent.
        """
        status = max(int(digits), 0)
        if status and not 100 <= status <= 599:
            self.warnings.add("invalid_status")
        return status

    def put_client(self, client: Client) -> None:
        """Store who sent the request; with `invalid_client_ip` when that is not a client."""
        if not client.valid:
            self.warnings.add("invalid_client_ip")
        self.values["client_ip"] = client.ip
        self.values["client_address"] = client.address
        self.put_extra("client_port", client.port)


@dataclass(frozen=True, slots=True)
class EventArray:
    """A line that is an array of one or more records: an event for each, in their order."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """A line that is not a record; `reason` from section 1.1."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that was refused; `reason` from section 1.3, `detail` for people or None."""

    reason: str
    detail: str | None = None


class Refused(Exception):
    """The object is refused as a whole; never leaves the reader. `reason` from section 1.4."""

    def __init__(self, reason: str) -> None:
        """`reason` is the file_reason of the status `rejected`."""
        super().__init__(reason)
        self.reason = reason


Verdict = Event | EventArray | Skip | Reject
BLANK = Skip("blank")
COMMENT = Skip("comment")
HEADER = Skip("header")
CONTROL = Skip("control")


def skip_of(raw: bytes) -> Skip | None:
    """Return the verdict on a blank line or a comment, None for a line that may be a record.

    A comment begins with `#`: in the CLF family and the text logs of AWS, not in JSON or CSV.
    """
    if is_blank(raw):
        return BLANK
    return COMMENT if raw.startswith(b"#") else None


def is_no_match(verdict: Verdict) -> bool:
    """Return whether the line has not the shape of its format; that is how `score` tells others."""
    return isinstance(verdict, Reject) and verdict.reason == "no_match"


def warn(verdict: Verdict, code: str) -> None:
    """Add a warning code to all events of `verdict`; a line without events carries none."""
    if isinstance(verdict, Event):
        verdict.warnings.add(code)
    elif isinstance(verdict, EventArray):
        for event in verdict.events:
            event.warnings.add(code)


def bounded(digits: str, largest: int) -> int | None:
    """Return the number of `digits`, None when it is larger than `largest`.

    Python refuses to convert thousands of digits, and needs quadratic time for hundreds.
    """
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(largest)):
        return None
    number = int(significant)
    return number if number <= largest else None
