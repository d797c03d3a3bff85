"""Unusual lines of the access family, with a zone or in the layout of the reference's upstream."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingest.sample.odd import (
    CLIENT,
    FUTURE,
    INVALID_BYTE,
    STALE,
    TOO_BIG,
    TOO_LONG,
    TOO_WIDE,
    WIDTH,
    OddLine,
    Place,
    accepted,
    rejected,
    skipped,
)
from ingest.sample.truth import Event
from ingest.sample.vocabulary import SITE, ZONE, ZONE_SECONDS

_HOSTILE = "/odd/<script>alert(1)</script>{{7*7}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """An access line in its parts."""

    client: str
    time: str
    request: str
    tail: str
    user: str = "-"
    status: str = "200"
    size: str = "120"
    quoted: str = '"-" "Mozilla/5.0 (odd)"'

    @property
    def text(self) -> str:
        return (
            f'{self.client} - {self.user} [{self.time}] "{self.request}" {self.status} '
            f"{self.size} {self.quoted}{self.tail}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """What is usual: the line, what it says, and the codes that every line has."""

    line: _Line
    event: Event
    codes: frozenset[str]
    protocol: str

    def odd(self, *codes: str, says: dict[str, object] | None = None, **parts: str) -> OddLine:
        """Return the usual line with other parts, further codes and other facts."""
        return accepted(
            replace(self.line, **parts).text,
            self.codes | set(codes),
            replace(self.event, **(says or {})),  # type: ignore[arg-type]
        )

    def timed(self, *codes: str, time: str, at: int) -> OddLine:
        """Return the usual line at another time, with these codes only."""
        return accepted(
            replace(self.line, time=time).text, frozenset(codes), replace(self.event, at=at)
        )

    def get(self, target: str, method: str = "GET") -> str:
        return f"{method} {target} {self.protocol}"


def access_oddities(place: Place, *, splunk: bool) -> list[OddLine]:
    """Return the odd lines of combined logs, or (`splunk`) of the upstream's layout."""
    style = _style(place, splunk=splunk)
    return [
        *_unusual_but_fine(style, place),
        *_odd_times(style, place),
        *_warned(style),
        skipped("", "blank"),
        skipped(" \t ", "blank"),
        skipped("# rotated by the log shipper", "comment"),
        rejected('{"level":"error","msg":"of another program"}', "no_match"),
        rejected(replace(style.line, time="31/Feb/2025:09:00:00 +0100").text, "bad_timestamp"),
        rejected(
            replace(style.line, request=style.get(f"/{TOO_LONG}")).text, "line_too_long", once=True
        ),
    ]


def _style(place: Place, *, splunk: bool) -> _Style:
    time = f"{place.day:%d/%b/%Y}:09:00:00"
    protocol = "HTTP 1.1" if splunk else "HTTP/1.1"
    at = place.nine if splunk else place.nine - ZONE_SECONDS
    return _Style(
        line=_Line(
            client=CLIENT,
            time=time if splunk else f"{time} {ZONE}",
            request=f"GET /odd {protocol}",
            tail=" 7" if splunk else "",
        ),
        event=Event(client=CLIENT, url="/odd", status=200, at=at, size=120),
        codes=frozenset({"no_timezone"} if splunk else ()),
        protocol=protocol,
    )


def _unusual_but_fine(style: _Style, place: Place) -> list[OddLine]:
    (product, brand), (item, _) = place.catalog.products[0], place.catalog.items[0]
    goods = f"itemId={item.upper()}&productId={product.upper()}"
    bought = {
        "session": place.session,
        "url": "/cart.do",
        "action": "purchase",
        "brand": brand,
        "views": 0,
        "purchases": 1,
    }
    purchase = f"/cart.do?action=purchase&{goods}&JSESSIONID={place.session}"
    return [
        style.odd(client="2001:DB8:0:0::A1", says={"client": "2001:db8::a1"}),
        style.odd(client="gateway.example.net", says={"client": "gateway.example.net"}),
        style.odd(client=f"shop.example:443 {CLIENT}"),
        style.odd(user="ann lee"),
        style.odd(quoted=r'"-" "odd \"quoted\" \x41gent"'),
        style.odd(request=style.get(_HOSTILE), says={"url": _HOSTILE}),
        style.odd(request=style.get("*", "OPTIONS"), says={"url": None}),
        style.odd(request=style.get(f"{SITE}/odd?x=1")),
        style.odd(request=style.get(purchase, "POST"), says=bought),
        # A CR before the LF belongs to the line end.
        style.odd(tail=f"{style.line.tail}\r"),
    ]


def _odd_times(style: _Style, place: Place) -> list[OddLine]:
    day, nine = f"{place.day:%d/%b/%Y}", place.nine
    cut = replace(
        style.line, client="192.0.2.300", time=f"{day}:09:00:00", quoted='"-" "half', tail=""
    )
    three = frozenset({"invalid_client_ip", "no_timezone", "unterminated_quote"})
    return [
        style.timed("no_timezone", time=f"{day}:09:00:00", at=nine),
        style.timed(time=f"{day}:09:00:00.000 -0530", at=nine + 19_800),
        style.timed(time=f"{place.day:%Y-%m-%d}T09:00:00Z", at=nine),
        style.timed("leap_second", time=f"{day}:08:59:60 +0000", at=nine - 1),
        style.timed("future_timestamp", time="01/Jan/2099:00:00:00 +0000", at=FUTURE),
        style.timed("stale_timestamp", time="01/Jan/1994:00:00:00 +0000", at=STALE),
        accepted(cut.text, three, replace(style.event, client=cut.client, at=nine)),
    ]


def _warned(style: _Style) -> list[OddLine]:
    wide = style.get(f"/odd?utm_source={TOO_WIDE}&utm_medium=email")
    return [
        style.odd(
            "bad_request_line", request=r"\x05\x01", status="400", says={"url": None, "status": 400}
        ),
        style.odd(
            "bad_request_line",
            request="-",
            status="408",
            size="-",
            quoted='"-" "-"',
            says={"url": None, "status": 408, "size": None},
        ),
        style.odd("bytes_overflow", size=TOO_BIG, says={"size": None}),
        style.odd("control_char", quoted='"-" "bell \x07"'),
        style.odd("invalid_client_ip", client="192.0.2.300", says={"client": "192.0.2.300"}),
        style.odd("invalid_status", status="999", says={"status": 999}),
        style.odd("invalid_utf8", quoted=f'"-" "caf{INVALID_BYTE}"'),
        style.odd("missing_fields", quoted=f'"{SITE}/"'),
        style.odd("nul_byte", quoted='"-" "nul \x00"'),
        style.odd(
            "truncated_field", request=wide, says={"campaign": f"{TOO_WIDE[:WIDTH]}/email/-"}
        ),
        style.odd("unterminated_quote", quoted='"-" "half an agent', tail=""),
    ]
