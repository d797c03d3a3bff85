"""nginx's access log as JSON, `nginx_json`: section 4.3 of the format specification."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ingest.parse.fields.extra import key_of
from ingest.parse.format import ParserOfLines
from ingest.parse.json_keys import Found, Keys, find, key, keys
from ingest.parse.json_lines import Shape, json_format, offer, shape_parser
from ingest.parse.json_object import Members
from ingest.parse.layout.json_string import is_json, names_of, variables_of
from ingest.parse.layout.strings import problems_of
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

_TIMES = "time time_local time_iso8601 @timestamp timestamp msec ts"
_CLIENTS = "remote_addr client_ip clientip ip"
_TARGETS = "request_uri uri url"
NAMES = keys(
    event_time=_TIMES,
    client=_CLIENTS,
    request="request",
    http_method="request_method method",
    url=_TARGETS,
    args="args query_string",
    http_version="server_protocol protocol",
    status_code="status",
    response_bytes="body_bytes_sent bytes",
    bytes_out_total="bytes_sent",
    request_bytes="request_length",
    duration_ms=key("request_time", unit="s"),
    target_duration_ms=key("upstream_response_time", unit="s"),
    backend_status="upstream_status",
    target="upstream_addr",
    referrer="http_referer referer referrer",
    user_agent="http_user_agent user_agent agent",
    forwarded_for="http_x_forwarded_for x_forwarded_for",
    cookie="http_cookie cookie",
    user_name="remote_user",
    server_name="host http_host server_name vhost",
    native_id="request_id",
    url_scheme="scheme",
)
# Without these a line could be any object.
_NEEDED = ("event_time", "client", "request", "url")
GRAMMAR = "\n".join(
    f"{target:<20} {', '.join('.'.join(path) for one in where for path in one.paths)}"
    for target, where in NAMES.items()
)
# Headers with cookies and credentials, as nginx names them; `extra` hides them as header_x.
_SECRET = re.compile(r"(sent_)?http_((?:set_)?cookie|(?:proxy_)?authorization|x_api_key)")


def fits(value: dict[str, Any]) -> bool:
    """Return whether the object has a time, a client, and a request or its URL."""
    has_time_and_client = any(name in value for name in _TIMES.split()) and any(
        name in value for name in _CLIENTS.split()
    )
    return has_time_and_client and any(
        not isinstance(value[name], dict | list)
        for name in ("request", *_TARGETS.split())
        if name in value
    )


def take(
    event: Event, members: Members, _settings: ParseSettings, *, names: Keys = NAMES
) -> dict[str, Found]:
    """Take the parts of one request, logged under the `names` of nginx's variables."""
    found = find(members, names)
    total = found.pop("bytes_out_total", None)
    if names.keys() & {"response_bytes", "bytes_out_total"}:
        event.values["bytes_scope"] = "body"
    if total is not None and "response_bytes" not in found:
        event.values["bytes_scope"] = "total"
        found["response_bytes"] = total
    elif total is not None:
        found["bytes_out_total"] = total
    _hide_secrets(event, members)
    return found


def _hide_secrets(event: Event, members: Members) -> None:
    for name in [name for name in members.value if "http" in name.lower()]:
        secret = _SECRET.match(key_of(name))
        if secret is not None:
            prefix = "resp_header_" if secret[1] else "header_"
            event.put_extra(f"{prefix}{secret[2]}", members.value.pop(name))


def has_needed(value: dict[str, Any], names: Keys) -> bool:
    """Return whether the object says all of when, who and what that its log format writes."""
    return all(any(name in value for name in where) for where in _needed(names))


def _needed(names: Keys) -> list[list[str]]:
    """Return the names of which each record has one of each list."""
    needed = (names[target] for target in _NEEDED if target in names)
    return [[path[0] for one in where for path in one.paths] for where in needed]


def nginx_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object, whose names are the usual ones or those of the settings."""
    if settings.log_format is None:
        return shape_parser(_USUAL, identity, settings)
    names = names_of(settings.log_format)
    own = Shape(
        name=settings.format,
        rank=_USUAL.rank,
        fits=partial(has_needed, names=names),
        needs=", ".join(" or ".join(where) for where in _needed(names)),
        take=partial(take, names=names),
        names_request=not names.keys().isdisjoint(("request", "url")),
    )
    return shape_parser(own, identity, settings)


def problems(settings: ParseSettings) -> Sequence[str]:
    """Return what is wrong with a log format of the user's own."""
    if settings.log_format is None:
        return []
    if not is_json(settings.log_format):
        return ['nginx_json needs a log_format that writes JSON: \'{"time": "$msec", ...}\'']
    return problems_of(variables_of, settings.log_format)


_USUAL = Shape(
    name="nginx_json",
    rank=8,
    fits=fits,
    needs=f"one of {', '.join(_TIMES.split())}; one of {', '.join(_CLIENTS.split())};"
    f" and one of request, {', '.join(_TARGETS.split())}",
    take=take,
)
offer(_USUAL)
register(
    replace(
        json_format(
            _USUAL,
            description="nginx's access log as JSON lines, under the usual names or your own",
            grammar=GRAMMAR,
        ),
        parser=nginx_parser,
        reads=frozenset(("log_format",)),
        problems=problems,
    )
)
