"""What the formats of web requests have in common: requests, URLs, clients, parameters.

Rules: sections 2.4, 3.7 and 3.8 of the format specification.
"""

from __future__ import annotations

import re

from ingest.parse.fields.addresses import (
    Client,
    choose_client,
    read_client,
    split_port,
)
from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.parameters import read_shop
from ingest.parse.fields.text import cut, is_wider, value
from ingest.parse.fields.times import read_time
from ingest.parse.fields.urls import NO_URL, Url, domain_of, is_method, read_request, split_target
from ingest.parse.verdict import MAX_BIGINT, Event, bounded
from ingest.settings import ParseSettings

_REQUEST_LINE_BYTES = 8192
_STATUS = re.compile("[0-9]{3}|0|-1")
_VERSION = re.compile(r"(?:HTTP/)?([0-9](?:\.[0-9])?)")
# nginx asks one upstream after the other, and logs what each of them gave.
_BETWEEN_UPSTREAMS = re.compile(", ?| : ")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
# 31 years: the index keeps a duration as nanoseconds in 64 bits.
_MAX_DURATION_MS = 1e12


def put_time(event: Event, text: str, settings: ParseSettings) -> None:
    """Store when the request was, unless nothing is logged; raises BadTime."""
    if value(text) is None:
        event.warnings.add("no_timestamp")
    else:
        event.values["event_time"] = read_time(text, event.warnings, timezone=settings.timezone)


def read_status(event: Event, text: str) -> int | None:
    """Return the status `text`, None when nothing is logged or, with a warning, it is not one."""
    if value(text) is None:
        return None
    if _STATUS.fullmatch(text):
        return event.checked_status(text)
    event.warnings.add("invalid_status")
    return None


def read_count(event: Event, text: str, *, too_big: str = "bytes_overflow") -> int | None:
    """Return the count `text`, None when nothing is logged or it is no count that can be kept.

    The latter warns: with `too_big` when only its size is wrong.
    """
    if value(text) is None:
        return None
    is_count = text.isascii() and text.isdigit()
    count = bounded(text, MAX_BIGINT) if is_count else None
    if count is None:
        event.warnings.add(too_big if is_count else "invalid_number")
    return count


def read_milliseconds(event: Event, text: str, *, unit: float) -> float | None:
    """Return the duration `text`, in units of `unit` ms; None when it is not logged or invalid."""
    if value(text) is None or text == "-1":
        return None
    duration = float(text) * unit if _DECIMAL.fullmatch(text) else _MAX_DURATION_MS
    if duration >= _MAX_DURATION_MS:
        event.warnings.add("invalid_number")
        return None
    return round(duration, 6)


def upstream_entries(text: str) -> list[str]:
    """Return what several upstreams gave, in their order, without those that gave nothing."""
    entries = (entry.strip(" ") for entry in _BETWEEN_UPSTREAMS.split(text, MOST_SURPLUS))
    return [entry for entry in entries if value(entry) is not None]


def last_status(event: Event, text: str) -> int | None:
    """Return the last status of a list, as `read_status` does."""
    entries = upstream_entries(text)
    return read_status(event, entries[-1]) if entries else None


def total_milliseconds(event: Event, text: str, *, unit: float) -> float | None:
    """Return the sum of a list of durations, as `read_milliseconds` does."""
    each = [read_milliseconds(event, entry, unit=unit) for entry in upstream_entries(text)]
    known = [duration for duration in each if duration is not None]
    return round(sum(known), 6) if known else None


def read_version(text: str) -> str | None:
    """Return the version of HTTP in a field of its own, None for another protocol."""
    version = _VERSION.fullmatch(text)
    return None if version is None else version[1]


def put_version(event: Event, text: str) -> None:
    """Store the version of HTTP that a field of its own names; another protocol is kept."""
    version = read_version(text)
    if version is None:
        event.put_extra("protocol", text)
    else:
        event.values["http_version"] = version


def with_args(target: str, args: str) -> tuple[str, str | None]:
    """Return the target and its query, which were logged apart, as one.

    Where the target has another query itself, return it and `args`.
    """
    path, _, query = target.partition("?")
    if not query:
        return f"{path}?{args}", None
    return target, None if query.partition("#")[0] == args else args


def put_request(event: Event, text: str, *, logged: str | None = None) -> Url:
    """Store the request line `text`, which is unescaped, and return its URL.

    A bad one is kept in `extra` as it was `logged`, None where that is the same.
    """
    request = read_request(text)
    if request is None:
        return put_bad_request(event, text if logged is None else logged)
    event.values |= {"http_method": request.method, "http_version": request.version}
    return put_url(event, request.target, method=request.method)


def put_split_request(event: Event, method: str | None, target: str | None) -> Url:
    """Store a request that was logged in parts, None where nothing is; return its URL."""
    if target is None or not (method is None or is_method(method)):
        return put_bad_request(event, " ".join(filter(None, (method, target))))
    event.values["http_method"] = method
    return put_url(event, target, method=method)


def put_bad_request(event: Event, line: str) -> Url:
    """Keep a `line` that is no request as it was logged; it has no URL."""
    event.warnings.add("bad_request_line")
    sent = value(line)
    if sent is not None and is_wider(sent, _REQUEST_LINE_BYTES):
        event.warnings.add("truncated_field")
        sent = cut(sent, _REQUEST_LINE_BYTES)
    event.put_extra("request_line", sent)
    return NO_URL


def put_url(event: Event, target: str, *, method: str | None = None) -> Url:
    """Store a request target or the URL of a page, and return its parts."""
    url = split_target(target, method=method)
    event.put_extra("url_port", url.port)
    event.values |= {
        "url_original": target,
        "url_scheme": url.scheme,
        "url_domain": url.domain,
        "url_path": url.path,
        "url_query": url.query,
    }
    return url


def put_path(event: Event, path: str, query: str | None) -> Url:
    """Store a URL that was logged in parts, and return it: a `?` in the path belongs to it."""
    event.values |= {
        "url_original": path if query is None else f"{path}?{query}",
        "url_path": path,
        "url_query": query,
    }
    return Url(path=path, query=query)


def put_client(
    event: Event, client: Client, settings: ParseSettings, *, from_list: bool = False
) -> None:
    """Store who sent the request; `from_list` = it was chosen from a list of addresses.

    The event's forwarded_for is there already: a setting may choose the client from it.
    """
    forwarded = event.values.get("forwarded_for")
    if settings.client_from == "forwarded_for" and forwarded and not from_list:
        event.put_extra("peer_address", client.address)
        client = choose_client(forwarded)
    event.put_client(client)


def put_logged_client(event: Event, text: str | None, settings: ParseSettings) -> None:
    """Store the client that a field of its own names: an address, a name, or a list of them."""
    if text is None or "," not in text:
        put_client(event, read_client(text or ""), settings)
        return
    event.values["forwarded_for"] = text
    put_client(event, choose_client(text), settings, from_list=True)


def put_logged_port(event: Event, key: str, text: str) -> None:
    """Keep a port under `key` of `extra`; a text that is not one is lost, with `invalid_number`."""
    if text.isascii() and text.isdigit():
        event.put_port(key, text)
    else:
        event.warnings.add("invalid_number")


def put_server(event: Event, text: str) -> None:
    """Store the host that was asked for, and the port behind it."""
    if text.count(":") == 1 or text.startswith("["):  # not an IPv6 address without brackets
        text, port = split_port(text)
        if port is not None:
            event.put_port("server_port", port)
    event.values["server_name"] = text.removeprefix("[").removesuffix("]")


def finish_request(
    event: Event, url: Url, settings: ParseSettings, *, kind: str | None = None
) -> None:
    """Store what follows from URL, referrer and cookie, which are all there; called last.

    `kind` is an event_type that no parameter replaces, such as `storage_op`; it counts nothing.
    """
    cookie, referrer = event.values.get("cookie"), event.values.get("referrer")
    event.values |= read_shop(url, settings, referrer=referrer, cookie=cookie)
    if kind is not None:
        event.values |= {"event_type": kind, "purchase_count": None, "view_count": None}
    event.values["referrer_domain"] = domain_of(referrer)
    if not settings.keep_cookie:
        event.values["cookie"] = None
