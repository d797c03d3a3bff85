"""What each column of the reference file's CSV stores, and how kernels read it: section 4.1."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ingest.contract import SHOP_ACTIONS
from ingest.parse.fields.addresses import choose_client, read_client
from ingest.parse.fields.times import BadTime, read_time
from ingest.parse.fields.urls import domain_of
from ingest.parse.separated import (
    MOST_COLUMNS,
    Asked,
    AskedClient,
    Count,
    Domain,
    Put,
    Reader,
    Separated,
    Text,
    Together,
    Unsure,
)
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

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


def shifted(names: Sequence[str], texts: Sequence[str]) -> str | None:
    """Return the first of the columns `names` that holds no number although it should, else None.

    In a record with an unusual number of columns it tells that a comma is lost, or not quoted.
    """
    pairs = zip(names, texts, strict=False)
    odd = (name for name, text in pairs if name in _NUMBERS and not _NUMBER.fullmatch(text))
    return next(odd, None)


def put_of(name: str, key: str, settings: ParseSettings) -> Put:
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
    try:
        event.values["event_time"] = read_time(text, event.warnings, timezone=timezone)
    except BadTime as error:
        raise BadTime(text, "TimeStamp") from error


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


def drop_usual_share(event: Event) -> None:
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
_NUMBERS = frozenset({*_BIGINTS, *_INTS, "rstat", "pct_purchase", "number of records"})
_NUMBER = re.compile(r"-?[0-9]*(?:\.[0-9]+)?")
# Columns that store nothing in `extra`, and that no other column changes.
_OWN = frozenset({*_PUTS, "# of views", "timestamp"})
KNOWN = frozenset({*_TEXTS, *_BIGINTS, *_INTS, *_EXTRAS, *_PUTS, "timestamp"})

LINES = Separated(
    delimiter=",",
    width=0,
    widths=frozenset(),
    readers=(),
    quotes=True,
    finish=drop_usual_share,
    usual={"bytes_scope": "body", "event_type": "other"},
)


def layout_of(
    header: Sequence[str], names: Sequence[str], columns: Sequence[Put]
) -> Separated | None:
    """Return how kernels read the records below `header`, None when it has too many columns.

    `columns` store the values of those with these `names`.
    """
    if len(names) > MOST_COLUMNS:
        return None
    each = enumerate(zip(names, columns, header, strict=True))
    readers = tuple((index, reader) for index, column in each for reader in _readers(*column))
    return replace(LINES, width=len(names), widths=frozenset((len(names),)), readers=readers)


def _readers(name: str, put: Put, title: str) -> Iterator[Reader]:
    if name in _TEXTS:
        yield Text(_TEXTS[name])
    elif name in _BIGINTS:
        yield Count(_BIGINTS[name])
    elif name == "url":
        yield from (Text("referrer"), Domain("referrer_domain"))
    elif name == "action":
        yield Asked(partial(_put_unless_header, put, title))
    elif name == "clientip":
        yield AskedClient(put)
    else:
        yield Asked(put) if name in _OWN else Together(put)


def _put_unless_header(put: Put, title: str, event: Event, text: str) -> None:
    """Store an action, unless the record may be another header."""
    if text == title:
        raise Unsure
    put(event, text)
