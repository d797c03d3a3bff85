"""AWS API Gateway's access log in its usual JSON, `apigw_json`: section 4.11."""

from __future__ import annotations

from typing import Any

from ingest.parse.json_keys import Found, find, key, keys
from ingest.parse.json_lines import Shape, register_shape
from ingest.parse.json_object import Members
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

GRAMMAR = """\
requestTime                 event_time; else requestTimeEpoch (ms)
requestId                   native_id
ip                          client_ip, client_address
user                        user_name
httpMethod, protocol        http_method, http_version
path, else resourcePath     url_original, url_path
status                      status_code
responseLength              response_bytes
responseLatency (ms)        duration_ms
integrationLatency (ms)     extra.target_duration_ms
domainName                  server_name
userAgent                   user_agent

All else is kept in extra. A stage with other names is read by json_mapping."""
_KEYS = keys(
    event_time=(key("requestTime"), key("requestTimeEpoch", unit="ms")),
    native_id="requestId",
    client="ip",
    user_name="user",
    http_method="httpMethod",
    http_version="protocol",
    url="path resourcePath",
    status_code="status",
    response_bytes="responseLength",
    duration_ms="responseLatency",
    target_duration_ms="integrationLatency",
    server_name="domainName",
    user_agent="userAgent",
)
_PLACES = ("routeKey", "resourcePath", "path")


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object is a request to an API."""
    has_ids = "requestId" in value and "httpMethod" in value
    return has_ids and any(name in value for name in _PLACES)


def take(event: Event, members: Members, _settings: ParseSettings) -> dict[str, Found]:
    """Take the parts of one request."""
    event.values["bytes_scope"] = "body"
    return find(members, _KEYS)


register_shape(
    Shape(
        name="apigw_json",
        rank=5,
        fits=fits,
        needs=f"requestId, httpMethod and one of {', '.join(_PLACES)}",
        take=take,
    ),
    description="access log of AWS API Gateway, as JSON lines with the usual names",
    grammar=GRAMMAR,
)
