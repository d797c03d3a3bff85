"""Unusual lines of logs in columns below a `#Fields:` line."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingest.sample.lines_columns import Layout
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """The usual line of a layout, by the names of its columns, and what it says."""

    layout: Layout
    columns: dict[str, str]
    event: Event

    def text(self, columns: dict[str, str]) -> str:
        return self.layout.delimiter.join({**self.columns, **columns}.values())

    def odd(
        self, columns: dict[str, str], *codes: str, says: dict[str, object] | None = None
    ) -> OddLine:
        """Return the usual line with other columns, these codes and other facts."""
        event = replace(self.event, **(says or {}))  # type: ignore[arg-type]
        return accepted(self.text(columns), frozenset(codes), event)


def columns_oddities(layout: Layout, place: Place) -> list[OddLine]:
    """Return the odd lines of a layout."""
    style = _Style(
        layout=layout,
        columns={
            **layout.columns, "date": f"{place.day:%Y-%m-%d}", "time": "09:00:00", "c-ip": CLIENT
        },
        event=Event(client=CLIENT, url="/odd", status=200, at=place.nine, size=120),
    )  # fmt: skip
    return [
        *_unusual_but_fine(style, place),
        *_odd_times(style, place),
        *_warned(style),
        skipped("", "blank"),
        skipped("# rotated by the log shipper", "comment"),
        skipped("#Version: 1.0", "header"),
        skipped(layout.fields.lower(), "header"),
        rejected('{"level":"error"}', "no_match"),
        rejected(style.text({"date": "last", "time": "week"}), "no_match"),
        rejected(style.text({"date": "2025-02-31"}), "bad_timestamp"),
        rejected(style.text({"cs-uri-stem": f"/{TOO_LONG}"}), "line_too_long", once=True),
    ]


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
    purchase = {
        "cs-method": "POST",
        "cs-uri-stem": "/cart.do",
        "cs-uri-query": f"action=purchase&{goods}&JSESSIONID={place.session}",
    }
    return [
        style.odd({"c-ip": "2001:DB8:0:0::A1"}, says={"client": "2001:db8::a1"}),
        style.odd({"cs-method": "OPTIONS", "cs-uri-stem": "*"}, says={"url": None}),
        style.odd({"cs(User-Agent)": style.layout.agent("odd agent (X11; 100%)")}),
        style.odd({"sc-status": "000", "sc-bytes": "-"}, says={"status": 0, "size": None}),
        style.odd(purchase, says=bought),
        # A CR before the LF belongs to the line end.
        style.odd({"time-taken": f"{style.columns['time-taken']}\r"}),
    ]


def _odd_times(style: _Style, place: Place) -> list[OddLine]:
    return [
        style.odd({"time": "08:59:60"}, "leap_second", says={"at": place.nine - 1}),
        style.odd(
            {"date": "2099-01-01", "time": "00:00:00"}, "future_timestamp", says={"at": FUTURE}
        ),
        style.odd(
            {"date": "1994-01-01", "time": "00:00:00"}, "stale_timestamp", says={"at": STALE}
        ),
        style.odd({"date": "-", "time": "-"}, "no_timestamp", says={"at": None}),
    ]


def _warned(style: _Style) -> list[OddLine]:
    usual, delimiter = style.text({}), style.layout.delimiter
    wide = f"utm_source={TOO_WIDE}&utm_medium=email"
    lines = [
        accepted(f"{usual}{delimiter}more", frozenset({"extra_fields"}), style.event),
        accepted(usual.rpartition(delimiter)[0], frozenset({"missing_fields"}), style.event),
        style.odd({"cs-uri-stem": "-"}, "bad_request_line", says={"url": None}),
        style.odd({"sc-bytes": TOO_BIG}, "bytes_overflow", says={"size": None}),
        style.odd({"cs(User-Agent)": "bell\x07"}, "control_char"),
        style.odd({"c-ip": "192.0.2.300"}, "invalid_client_ip", says={"client": "192.0.2.300"}),
        style.odd({"time-taken": "long"}, "invalid_number"),
        style.odd({"sc-status": "999"}, "invalid_status", says={"status": 999}),
        style.odd({"sc-status": "none"}, "invalid_status", says={"status": None}),
        style.odd({"cs(User-Agent)": f"caf{INVALID_BYTE}"}, "invalid_utf8"),
        style.odd({"cs(User-Agent)": "nul\x00"}, "nul_byte"),
        style.odd(
            {"cs-uri-query": wide},
            "truncated_field",
            says={"campaign": f"{TOO_WIDE[:WIDTH]}/email/-"},
        ),
    ]
    if style.layout.url_escapes:
        lines.append(style.odd({"cs(User-Agent)": "100%"}, "bad_percent_encoding"))
    return lines
