"""What the formats of web requests have in common: requests, URLs, clients, parameters.

Rules: sections 2.4, 3.7 and 3.8 of the format specification.
"""

from __future__ import annotations

from ingest.parse.fields.addresses import Client, choose_client
from ingest.parse.fields.parameters import read_shop
from ingest.parse.fields.text import cut, is_wider, value
from ingest.parse.fields.urls import NO_URL, Url, domain_of, read_request, split_target
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

_REQUEST_LINE_BYTES = 8192


def put_request(event: Event, text: str, *, logged: str | None = None) -> Url:
    """Store the request line `text`, which is unescaped, and return its URL.

    A bad one is kept in `extra` as it was `logged`, None where that is the same.
    """
    request = read_request(text)
    if request is None:
        event.warnings.add("bad_request_line")
        line = value(text if logged is None else logged)
        if line is not None and is_wider(line, _REQUEST_LINE_BYTES):
            event.warnings.add("truncated_field")
            line = cut(line, _REQUEST_LINE_BYTES)
        event.put_extra("request_line", line)
        return NO_URL
    event.values |= {"http_method": request.method, "http_version": request.version}
    return put_url(event, request.target, method=request.method)


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
    if referrer is not None:
        event.values["referrer_domain"] = domain_of(referrer)
    if not settings.keep_cookie:
        event.values["cookie"] = None
