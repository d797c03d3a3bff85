"""Unusual requests: what people send is the same in the log of every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ingest.sample.kind import Kind, Style
from ingest.sample.odd import (
    CLIENT,
    FUTURE,
    INVALID_BYTE,
    STALE,
    TOO_BIG,
    TOO_WIDE,
    WIDTH,
    OddLine,
    Place,
    accepted,
    skipped,
)
from ingest.sample.requests import Request
from ingest.sample.vocabulary import PAGES, Page

HOSTILE = "/odd/<script>alert(1)</script>{{7*7}}"
_PURCHASE = next(page for page in PAGES if page.name == "purchase")
_ODD = Page(name="odd", method="GET", path="/odd")


def request_oddities(kind: Kind, place: Place) -> list[OddLine]:
    """Return the odd lines of a kind."""
    style = Style(kind=kind, place=place, request=_usual(place))
    shared = [*_fine(style), *_times(style), *_warned(style)] if kind.shares_odd else []
    return [*shared, *kind.odd(style)]


def _usual(place: Place) -> Request:
    return Request(
        at=place.nine,
        number=0,
        client=CLIENT,
        user="-",
        agent="odd",
        method="GET",
        target="/odd",
        status="200",
        size="120",
        referrer="-",
        page=_ODD,
        session="",
        item=place.catalog.items[0],
        product=place.catalog.products[0],
        campaign=("", "", ""),
    )


def _sent(
    style: Style, *codes: str, says: dict[str, object] | None = None, **parts: object
) -> Iterator[OddLine]:
    """Yield the line of a request with other `parts`, unless its kind logs none of them."""
    if not style.kind.lacks & parts.keys():
        request = replace(style.request, **parts)  # type: ignore[arg-type]
        event = style.kind.event(request, **(says or {}))
        yield accepted(style.kind.write(request), codes, event)


def _fine(style: Style) -> Iterator[OddLine]:
    request = style.request
    goods = f"itemId={request.item[0].upper()}&productId={request.product[0].upper()}"
    session = style.place.session
    yield from _sent(style, client="2001:DB8:0:0::A1", says={"client": "2001:db8::a1"})
    yield from _sent(style, agent='odd "quoted" \\agent')
    yield from _sent(style, target=HOSTILE)
    yield from _sent(style, status="000")
    yield from _sent(
        style,
        method="POST",
        target=f"/cart.do?action=purchase&{goods}&JSESSIONID={session}",
        page=_PURCHASE,
        session=session,
    )
    # A CR before the LF belongs to the line end.
    yield style.line(f"{style.text}\r")
    yield skipped("", "blank")
    yield skipped(" \t ", "blank")


def _times(style: Style) -> Iterator[OddLine]:
    yield from _sent(style, "future_timestamp", at=FUTURE)
    yield from _sent(style, "stale_timestamp", at=STALE)


def _warned(style: Style) -> Iterator[OddLine]:
    wrong = "192.0.2.300"
    yield from _sent(
        style, "invalid_client_ip", client=wrong, says={"client": f"{wrong}{style.kind.port}"}
    )
    yield from _sent(style, "bytes_overflow", size=TOO_BIG)
    yield from _sent(style, "invalid_status", status="999")
    yield from _sent(style, "invalid_utf8", agent=f"caf{INVALID_BYTE}")
    yield from _sent(style, "nul_byte", agent="nul \x00")
    if "campaign" not in style.kind.lacks:
        yield from _sent(
            style,
            "truncated_field",
            target=f"/odd?utm_source={TOO_WIDE}&utm_medium=email",
            campaign=(TOO_WIDE, "email", ""),
            says={"campaign": f"{TOO_WIDE[:WIDTH]}/email/-"},
        )
