"""Caddy's access log, `caddy_json` (decided here: no specification has it)."""

from __future__ import annotations

from typing import Any

from ingest.parse.fields.addresses import read_address
from ingest.parse.json_keys import Found, find, key, keys
from ingest.parse.json_lines import EMPTY, Shape, register_shape
from ingest.parse.json_object import Members
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

GRAMMAR = """\
ts                          event_time
request.client_ip           client_ip, client_address; else request.remote_ip or .remote_addr
request.remote_ip           extra.peer_address where it is not the client
request.remote_port         extra.client_port, extra.peer_port where the peer is not the client
request.method, .proto      http_method, http_version
request.uri                 url_original, url_path, url_query
request.host                server_name, extra.server_port
request.headers             User-Agent: user_agent; Referer: referrer; Cookie: cookie;
                            X-Forwarded-For: forwarded_for; the others: extra
user_id                     user_name
status                      status_code
size, bytes_read            response_bytes, request_bytes
duration (s)                duration_ms

All else is kept in extra."""
_KEYS = keys(
    event_time="ts",
    client="request.client_ip request.remote_ip request.remote_addr",
    http_method="request.method",
    http_version="request.proto",
    url="request.uri",
    server_name="request.host",
    user_agent="request.headers.User-Agent.0",
    referrer="request.headers.Referer.0",
    cookie="request.headers.Cookie.0",
    forwarded_for="request.headers.X-Forwarded-For.0",
    native_id="request.headers.X-Request-Id.0",
    user_name="user_id",
    status_code="status",
    response_bytes="size",
    request_bytes="bytes_read",
    duration_ms=key("duration", unit="s"),
)
_CLIENT = ("request", "client_ip")
_PEER, _PEER_PORT = ("request", "remote_ip"), ("request", "remote_port")


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object is a request, and not a message of the server."""
    request = value.get("request")
    return (
        isinstance(request, dict)
        and "uri" in request
        and "method" in request
        and "ts" in value
        and "status" in value
    )


def take(event: Event, members: Members, _settings: ParseSettings) -> dict[str, Found]:
    """Take the parts of one request."""
    event.values["bytes_scope"] = "body"
    found = find(members, _KEYS)
    peer, port = members.take(_PEER), members.take(_PEER_PORT)
    client = found.get("client")
    is_client = peer is None or client is None or _same(peer, client.text)
    event.put_extra("peer_address", None if is_client else peer)
    if port is not None:
        found["client_port" if is_client else "peer_port"] = Found(port)
    return found


def _same(first: str, second: str) -> bool:
    return first == second or read_address(first) == read_address(second) is not None


register_shape(
    Shape(
        name="caddy_json",
        rank=7,
        fits=fits,
        needs="ts, status and request (an object with uri and method)",
        take=take,
        nulls=EMPTY,
        alike=(_CLIENT, _PEER),
    ),
    description="Caddy's access log, as JSON lines",
    grammar=GRAMMAR,
)
