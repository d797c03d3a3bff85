"""AWS WAF's log, `waf`: section 4.10 of the format specification."""

from __future__ import annotations

from typing import Any

from ingest.parse.json_keys import Found, find, key, keys
from ingest.parse.json_lines import Shape, register_shape
from ingest.parse.json_object import Members, path_of
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

GRAMMAR = """\
timestamp (ms)              event_time
action                      event_name; the event_type is firewall
responseCodeSent            status_code
httpRequest.clientIp        client_ip, client_address
httpRequest.httpMethod      http_method
httpRequest.httpVersion     http_version
httpRequest.uri, .args      url_original, url_path, url_query
httpRequest.scheme          url_scheme
httpRequest.requestId       native_id
httpRequest.country         extra.country
httpRequest.headers         Host: server_name; User-Agent: user_agent; Referer: referrer;
                            Cookie: cookie; X-Forwarded-For: forwarded_for

All else is kept in extra."""
_KEYS = keys(
    event_time=key("timestamp", unit="ms"),
    event_name="action",
    status_code="responseCodeSent",
    client="httpRequest.clientIp",
    http_method="httpRequest.httpMethod",
    http_version="httpRequest.httpVersion",
    url="httpRequest.uri",
    args="httpRequest.args",
    url_scheme="httpRequest.scheme",
    native_id="httpRequest.requestId",
    country="httpRequest.country",
)
_HEADERS = {
    "host": "server_name",
    "user-agent": "user_agent",
    "referer": "referrer",
    "cookie": "cookie",
    "x-forwarded-for": "forwarded_for",
}
_PLACE, _VALUE = path_of("httpRequest.headers"), (path_of("value"),)


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object is a decision of the firewall."""
    return isinstance(value.get("httpRequest"), dict) and "webaclId" in value


def take(_event: Event, members: Members, _settings: ParseSettings) -> dict[str, Found]:
    """Take the parts of a decision, which repeats a request that another log has too."""
    found = find(members, _KEYS)
    for name, target in _HEADERS.items():
        text = members.take_entry(_PLACE, ("name", name), _VALUE, fold=True)
        if text is not None:
            found[target] = Found(text)
    return found


register_shape(
    Shape(
        name="waf",
        rank=1,
        fits=fits,
        needs="httpRequest (an object) and webaclId",
        take=take,
        kind="firewall",
        told_inside=("name",),
    ),
    description="AWS WAF's log, as JSON lines",
    grammar=GRAMMAR,
)
