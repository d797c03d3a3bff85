"""Unusual records of the reference CSV."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

from ingest.sample.lines_csv import CSV_HEADER
from ingest.sample.odd import (
    CLIENT,
    FUTURE,
    INVALID_BYTE,
    STALE,
    TOO_BIG,
    TOO_LONG,
    TOO_WIDE,
    OddLine,
    Place,
    accepted,
    rejected,
    skipped,
)
from ingest.sample.truth import Event
from ingest.sample.vocabulary import SITE

_URL = f"{SITE}/product.screen"
# Our names of the 21 columns, in their order.
_COLUMNS = (
    "action", "duration", "name", "purchases", "response", "percent", "views", "brand", "click",
    "category", "client", "item", "message", "records", "product", "size", "status", "server",
    "session", "time", "url",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """The usual record and what it says; every odd one has a session of its own."""

    columns: dict[str, str]
    event: Event
    numbers: count[int]

    def text(self, **columns: str) -> str:
        return ",".join({**self.columns, **columns}.values())

    def odd(self, *codes: str, says: dict[str, object] | None = None, **columns: str) -> OddLine:
        """Return the usual record with other columns, codes besides `no_timestamp` and facts."""
        return self._accepted(frozenset({"no_timestamp", *codes}), says or {}, columns)

    def timed(self, *codes: str, time: str, at: int) -> OddLine:
        """Return the usual record with its TimeStamp filled, with these codes only."""
        return self._accepted(frozenset(codes), {"at": at}, {"time": time})

    def _accepted(
        self, codes: frozenset[str], says: dict[str, object], columns: dict[str, str]
    ) -> OddLine:
        session = f"{self.columns['session']}-{next(self.numbers)}"
        event = replace(self.event, **{"session": session, **says})  # type: ignore[arg-type]
        return accepted(self.text(session=session, **columns), codes, event)


def csv_oddities(place: Place) -> list[OddLine]:
    """Return the odd records of the reference CSV."""
    style = _style(place)
    return [
        *_unusual_but_fine(style),
        *_odd_times(style, place),
        *_warned(style),
        skipped(CSV_HEADER, "header"),
        skipped("", "blank"),
        rejected("view,1", "wrong_field_count"),
        rejected(style.text(time="2025-02-31T09:00:00Z"), "bad_timestamp"),
        rejected(style.text(name=TOO_LONG), "line_too_long", once=True),
        # Its quote stays open to the end of the file.
        rejected(style.text(name='"never closed'), "bad_csv", once=True, stays_last=True),
    ]


def _style(place: Place) -> _Style:
    (product, brand), (item, name) = place.catalog.products[0], place.catalog.items[0]
    values = (
        "view", "412", name, "0", "Successfull", "0", "1", brand, "Click Here", "", CLIENT, item,
        "", "1", product, "1234", "200", "-", place.session.lower(), "", _URL,
    )  # fmt: skip
    return _Style(
        columns=dict(zip(_COLUMNS, values, strict=True)),
        event=Event(
            client=CLIENT,
            url=_URL,
            action="view",
            status=200,
            brand=brand,
            views=1,
            purchases=0,
            size=1234,
        ),
        numbers=count(1),
    )


def _unusual_but_fine(style: _Style) -> list[OddLine]:
    return [
        style.odd(name='"Lens, ""wide"""'),
        # One record of two physical lines.
        style.odd(name='"Lens\nwide"'),
        style.odd(action="Wishlist", says={"action": "wishlist"}),
        style.odd(client="2001:DB8:0:0::A1", says={"client": "2001:db8::a1"}),
    ]


def _odd_times(style: _Style, place: Place) -> list[OddLine]:
    day, nine = f"{place.day:%Y-%m-%d}", place.nine
    return [
        style.timed(time=f"{day}T09:00:00Z", at=nine),
        style.timed("no_timezone", time=f"{day} 09:00:00", at=nine),
        style.timed("leap_second", time=f"{day}T08:59:60Z", at=nine - 1),
        style.timed("future_timestamp", time="2099-01-01T00:00:00Z", at=FUTURE),
        style.timed("stale_timestamp", time="1994-01-01T00:00:00Z", at=STALE),
    ]


def _warned(style: _Style) -> list[OddLine]:
    cut = ",".join(list(style.columns.values())[:15])
    cut_event = replace(style.event, status=None, url=None, size=None)
    return [
        accepted(cut, frozenset({"missing_fields", "no_timestamp"}), cut_event),
        style.odd("extra_fields", url=f"{_URL},more"),
        style.odd("invalid_number", duration="many"),
        style.odd("invalid_status", status="999", says={"status": 999}),
        style.odd("invalid_status", status="none", says={"status": None}),
        style.odd("invalid_client_ip", client="192.0.2.300", says={"client": "192.0.2.300"}),
        style.odd("bytes_overflow", size=TOO_BIG, says={"size": None}),
        style.odd("control_char", name="bell \x07"),
        style.odd("invalid_utf8", name=f"caf{INVALID_BYTE}"),
        style.odd("nul_byte", name="nul \x00"),
        style.odd("truncated_field", name=TOO_WIDE),
    ]
