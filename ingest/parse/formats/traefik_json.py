"""Traefik's access log as JSON, `traefik_json` (decided here: no specification has it)."""

from __future__ import annotations

from typing import Any

from ingest.parse.fields.extra import key_of
from ingest.parse.json_keys import Found, find, key, keys
from ingest.parse.json_lines import Shape, register_shape
from ingest.parse.json_object import Members
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

GRAMMAR = """\
StartUTC, else StartLocal       event_time
ClientHost, ClientPort          client_ip, client_address, extra.client_port; else ClientAddr
ClientUsername                  user_name
RequestMethod, RequestProtocol  http_method, http_version
RequestPath                     url_original, url_path, url_query
RequestScheme                   url_scheme
RequestHost, RequestPort        server_name, extra.server_port
DownstreamStatus                status_code; 0 = no response was sent
DownstreamContentSize           response_bytes
RequestContentSize              request_bytes
Duration (ns)                   duration_ms
OriginDuration (ns)             extra.target_duration_ms
OriginStatus, ServiceAddr       extra.backend_status, extra.target
request_User-Agent              user_agent; request_Referer: referrer; request_Cookie: cookie;
                                request_X-Forwarded-For: forwarded_for;
                                request_X-Request-Id: native_id
request_*, downstream_*         extra.header_*, extra.resp_header_*
origin_*                        extra.origin

All else is kept in extra."""
_TIMES = "StartUTC StartLocal"
_KEYS = keys(
    event_time=_TIMES,
    client="ClientHost ClientAddr",
    client_port="ClientPort",
    user_name="ClientUsername",
    http_method="RequestMethod",
    http_version="RequestProtocol",
    url="RequestPath",
    url_scheme="RequestScheme",
    server_name="RequestHost",
    server_port="RequestPort",
    status_code="DownstreamStatus",
    response_bytes="DownstreamContentSize",
    request_bytes="RequestContentSize",
    duration_ms=key("Duration", unit="ns"),
    target_duration_ms=key("OriginDuration", unit="ns"),
    backend_status="OriginStatus",
    target="ServiceAddr",
    user_agent="request_User-Agent",
    referrer="request_Referer",
    cookie="request_Cookie",
    forwarded_for="request_X-Forwarded-For",
    native_id="request_X-Request-Id",
)
_HEADERS = {"request_": "header_", "downstream_": "resp_header_"}
_ORIGIN = "origin_"


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object is a request that Traefik passed on."""
    has_time = any(name in value for name in _TIMES.split())
    return has_time and "RequestMethod" in value and "DownstreamStatus" in value


def take(event: Event, members: Members, _settings: ParseSettings) -> dict[str, Found]:
    """Take the parts of one request."""
    event.values["bytes_scope"] = "body"
    found = find(members, _KEYS)
    _put_headers(event, members)
    return found


def _put_headers(event: Event, members: Members) -> None:
    """Keep headers under the names by which `extra` knows cookies and credentials."""
    origin: dict[str, Any] = {}
    for name in [name for name in members.value if members.kept((name,)) is not None]:
        prefix, _, header = name.partition("_")
        if f"{prefix}_" == _ORIGIN:
            origin[header] = members.value.pop(name)
        elif f"{prefix}_" in _HEADERS:
            event.put_extra(_HEADERS[f"{prefix}_"] + key_of(header), members.value.pop(name))
    event.put_extra("origin", origin or None)


register_shape(
    Shape(
        name="traefik_json",
        rank=6,
        fits=fits,
        needs=f"RequestMethod, DownstreamStatus and one of {', '.join(_TIMES.split())}",
        take=take,
    ),
    description="Traefik's access log, as JSON lines",
    grammar=GRAMMAR,
)
