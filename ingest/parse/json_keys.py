"""Which member of a JSON object fills which column, as data, and how its text is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.contract import EVENTS
from ingest.parse.fields.parameters import CAMPAIGN, add_action, shop_counts
from ingest.parse.fields.times import BadTime, is_time_text, read_epoch, read_time
from ingest.parse.fields.urls import NO_URL, Url, domain_of, parameters
from ingest.parse.json_object import Members, Path, path_of
from ingest.parse.verdict import Event
from ingest.parse.web import (
    finish_request,
    last_status,
    put_logged_client,
    put_logged_port,
    put_request,
    put_server,
    put_split_request,
    put_url,
    put_version,
    read_count,
    read_milliseconds,
    read_status,
    total_milliseconds,
    with_args,
)
from ingest.settings import ParseSettings

# What is stored together with other texts, and not alone.
TOGETHER = frozenset(
    ("client", "forwarded_for", "request", "http_method", "url", "args", "session_of_visitor")
)
_COLUMNS = frozenset(column.name for column in EVENTS.columns)
# What the parameters of a URL say too.
SHOP = frozenset(
    (
        "event_type", "event_name", "item_id", "product_id", "category", "session_id",
        "purchase_count", "view_count", *CAMPAIGN.values(),
    )
)  # fmt: skip
COUNTS = frozenset(("request_bytes", "response_bytes", "bytes_out_total", "duration_other"))
PORTS = frozenset(("client_port", "peer_port", "server_port", "url_port"))
DURATIONS = frozenset(("duration_ms", "ttfb_ms"))
TOTAL_DURATION = "target_duration_ms"  # of several upstreams
_MILLISECONDS = {"s": 1_000, "ms": 1, "us": 1e-3, "ns": 1e-6}


@dataclass(frozen=True, slots=True)
class Key:
    """Paths of which the first with a text counts, and the unit of a number there, None = any."""

    paths: tuple[Path, ...]
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A text that was found, the unit of a number, and where it was if that is known."""

    text: str
    unit: str | None = None
    path: Path = ()


# Target (a column, a key of `extra`, or one of TOGETHER) -> where it is: the first that is there.
Keys = Mapping[str, Sequence[Key]]


def key(*paths: str, unit: str | None = None) -> Key:
    """Return the key at `paths`, written as for `path_of`."""
    return Key(tuple(map(path_of, paths)), unit)


def keys(**targets: str | Key | Sequence[Key]) -> Keys:
    """Return the table of `targets`; a text is names of members between blanks."""
    return {target: _sequence(where) for target, where in targets.items()}


def _sequence(where: str | Key | Sequence[Key]) -> Sequence[Key]:
    if isinstance(where, str):
        return (key(*where.split()),)
    return (where,) if isinstance(where, Key) else where


def find(members: Members, table: Keys) -> dict[str, Found]:
    """Take the texts of all targets of `table` from `members`; two may be at one place."""
    found: dict[str, Found] = {}
    places: list[Path] = []
    for target, where in table.items():
        for one in where:
            place = members.place(one.paths)
            if place is not None:
                path, text = place
                found[target] = Found(text, one.unit, path)
                places.append(path)
                break
    for path in places:
        members.drop(path)
    return found


def put_web_request(
    event: Event,
    found: Mapping[str, Found],
    settings: ParseSettings,
    *,
    kind: str | None = None,
    names_request: bool = True,
) -> None:
    """Store a web request; `kind` as for `finish_request`. Raises BadTime.

    Unless its log `names_request`, it is no bad one without.
    """
    put_client(event, found, settings)
    text = {target: one.text for target, one in found.items()}
    url = _put_request(event, text, names_request=names_request)
    put_found(event, found, settings)
    finish_with(event, url, settings, found=found, kind=kind)


def finish_with(
    event: Event,
    url: Url,
    settings: ParseSettings,
    *,
    found: Mapping[str, Found],
    kind: str | None = None,
) -> None:
    """Store what follows from a web request; what was `found` of it in the object wins."""
    own = {column: event.values[column] for column in SHOP & found.keys()}
    finish_request(event, url, settings, kind=kind)
    event.values |= own
    if "event_type" in own:
        no_counts = {"purchase_count": None, "view_count": None}
        event.values |= {**no_counts, **shop_counts(own["event_type"]), **own}
    elif own and kind is None:
        add_action(event.values)
        event.values |= own


def put_client(event: Event, found: Mapping[str, Found], settings: ParseSettings) -> None:
    """Store the client and the list of addresses that was logged beside it."""
    if "forwarded_for" in found:
        event.values["forwarded_for"] = found["forwarded_for"].text
    put_logged_client(event, found["client"].text if "client" in found else None, settings)


def _put_request(event: Event, text: Mapping[str, str], *, names_request: bool) -> Url:
    if "request" in text:
        return put_request(event, text["request"])
    target, args = text.get("url"), text.get("args")
    if args is not None:
        target, args = (None, args) if target is None else with_args(target, args)
        event.put_extra("args", args)
    if not names_request:
        event.values["http_method"] = text.get("http_method")
        return NO_URL
    return put_split_request(event, text.get("http_method"), target)


def put_tracked(
    event: Event,
    found: Mapping[str, Found],
    settings: ParseSettings,
    *,
    finish: Callable[[Event], None],
    reads_campaign: bool,
) -> None:
    """Store an event that an app or a site sent, and not a server; raises BadTime.

    `finish` stores what follows from event_type and event_name. `reads_campaign`: what is not found
    of the campaign is in the URL. The number of a session may only be unique for its visitor.
    """
    text = {target: one.text for target, one in found.items()}
    put_client(event, found, settings)
    put_found(event, found, settings)
    if "session_of_visitor" in text:
        event.values["session_id"] = f"{text['visitor_id']}.{text['session_of_visitor']}"
    url = put_page(event, text.get("url"), text.get("referrer"))
    if reads_campaign:
        sent = parameters(url.query)
        for name, column in CAMPAIGN.items():
            event.values[column] = text.get(column) or sent.get(name)
    finish(event)


def put_page(event: Event, url: str | None, referrer: str | None) -> Url:
    """Store the URL of a page and where its visitor came from; return the parts of the URL."""
    event.values["referrer"] = referrer
    event.values["referrer_domain"] = domain_of(referrer)
    return NO_URL if url is None else put_url(event, url)


def is_kept_as_it_is(target: str) -> bool:
    """Return whether `target` is a key of `extra` that takes any value, of any type."""
    return target not in _COLUMNS | TOGETHER | _PUTTERS.keys()


def put_found(event: Event, found: Mapping[str, Found], settings: ParseSettings) -> None:
    """Store each text that stands alone; raises BadTime. Without a time: `no_timestamp`."""
    if "event_time" not in found:
        event.warnings.add("no_timestamp")
    for target, one in found.items():
        if target == "event_time":
            event.values[target] = _time(event, one, settings)
        elif target not in TOGETHER:
            put_alone(event, target, one)


def put_alone(event: Event, target: str, found: Found) -> None:
    """Store a text that stands alone, and is no time."""
    _PUTTERS.get(target, _put_text)(event, target, found)


def _time(event: Event, found: Found, settings: ParseSettings) -> int:
    try:
        if found.unit is None or is_time_text(found.text):
            return read_time(found.text, event.warnings, timezone=settings.timezone)
        return read_epoch(found.text, unit=found.unit)
    except BadTime as error:
        raise BadTime(found.text, ".".join(found.path)) from error


def _put_text(event: Event, target: str, found: Found) -> None:
    _store(event, target, found.text)


def _put_lower(event: Event, target: str, found: Found) -> None:
    if event.values.get(target) is None:  # an absolute URL says it too
        event.values[target] = found.text.lower()


def _put_count(event: Event, target: str, found: Found) -> None:
    _store(event, target, read_count(event, found.text))


def _put_flag(event: Event, target: str, found: Found) -> None:
    if found.text in ("0", "1"):
        event.values[target] = int(found.text)
    else:
        event.warnings.add("invalid_number")


def _put_status(event: Event, target: str, found: Found) -> None:
    _store(event, target, read_status(event, found.text))


def _put_duration(event: Event, target: str, found: Found) -> None:
    unit = _MILLISECONDS[found.unit or "ms"]
    _store(event, target, read_milliseconds(event, found.text, unit=unit))


def _put_port(event: Event, target: str, found: Found) -> None:
    put_logged_port(event, target, found.text)


def _put_version(event: Event, _target: str, found: Found) -> None:
    put_version(event, found.text)


def _put_server(event: Event, _target: str, found: Found) -> None:
    put_server(event, found.text)


def _put_last_status(event: Event, target: str, found: Found) -> None:
    _store(event, target, last_status(event, found.text))


def _put_total_duration(event: Event, target: str, found: Found) -> None:
    unit = _MILLISECONDS[found.unit or "ms"]
    _store(event, target, total_milliseconds(event, found.text, unit=unit))


def _store(event: Event, target: str, value: Any) -> None:
    if target in _COLUMNS:
        event.values[target] = value
    else:
        event.put_extra(target, value)


_PUTTERS: Mapping[str, Callable[[Event, str, Found], None]] = {
    **dict.fromkeys(COUNTS, _put_count),
    **dict.fromkeys(("purchase_count", "view_count"), _put_flag),
    **dict.fromkeys(DURATIONS, _put_duration),
    **dict.fromkeys(PORTS, _put_port),
    **dict.fromkeys(("url_scheme", "url_domain"), _put_lower),
    "status_code": _put_status,
    "backend_status": _put_last_status,
    TOTAL_DURATION: _put_total_duration,
    "http_version": _put_version,
    "server_name": _put_server,
}
# Keys of `extra` that hold numbers, whatever an object has there.
COMPUTED = _PUTTERS.keys() - _COLUMNS
