"""What unusual lines of all formats share. The lines are in the other `odd` modules and `kinds`.

Each states its own verdict, written down from the format specification. Bytes that are not
UTF-8 are lone surrogates in the texts (`surrogateescape`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.sample.truth import Event
from ingest.sample.vocabulary import Catalog

CLIENT = "198.51.100.7"
INVALID_BYTE = "\udcff"
# More than 2^63 - 1.
TOO_BIG = "99999999999999999999"
# One byte more than the default of `max_line_bytes`.
TOO_LONG = "x" * ((1 << 20) + 1)
# Campaigns and item names have 256 bytes.
WIDTH = 256
TOO_WIDE = "n" * (WIDTH + 44)
FUTURE = int(datetime(2099, 1, 1, tzinfo=UTC).timestamp())
# Before the default of `min_event_time`, 1995.
STALE = int(datetime(1994, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class OddLine:
    """A line without its line end, its verdict and codes, and the events that it holds.

    `once`: not repeated in big samples. `stays_last`: must be the last line of its file.
    """

    text: str
    verdict: str
    codes: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    once: bool = False
    stays_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where odd lines go: the local day, an id for their sessions, the catalogue."""

    day: datetime
    session: str
    catalog: Catalog

    @property
    def nine(self) -> int:
        """Nine o'clock on that day as if local time were UTC, in epoch seconds."""
        return int((self.day + timedelta(hours=9)).replace(tzinfo=UTC).timestamp())


def skipped(text: str, reason: str) -> OddLine:
    """Return a line that is not a record."""
    return OddLine(text=text, verdict="skip", codes=(reason,))


def rejected(text: str, reason: str, *, once: bool = False, stays_last: bool = False) -> OddLine:
    """Return a line that is refused."""
    return OddLine(text=text, verdict="reject", codes=(reason,), once=once, stays_last=stays_last)


def accepted(text: str, codes: Iterable[str], *events: Event) -> OddLine:
    """Return a line of events, mostly one, with or without warnings."""
    verdict = "warn" if codes else "ok"
    return OddLine(text=text, verdict=verdict, codes=tuple(sorted(codes)), events=events)
