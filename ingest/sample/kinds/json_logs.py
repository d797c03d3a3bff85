"""Access logs as lines of JSON, and lines that Docker wrapped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ingest.sample.kind import Kind, Style
from ingest.sample.kinds.servers import combined
from ingest.sample.lines_columns import CLOUDFRONT_V2
from ingest.sample.odd import OddLine, rejected
from ingest.sample.requests import Request

_HOST = "shop.example"
_MAPPING = (
    ("client_ip", "who.ip"), ("event_time", "at"), ("extra.node", "node"), ("http_method", "verb"),
    ("referrer", "came_from"), ("response_bytes", "length"), ("status_code", "code"),
    ("url", "what"), ("user_agent", "who.agent"),
)  # fmt: skip


def to_line(**members: Any) -> str:
    """Return an object as servers write it: without blanks, in UTF-8."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def number(text: str) -> int | str:
    """Return the number that a text is, the text when JSON has no such number."""
    return int(text) if text.isdigit() and not text.startswith("00") else text


def _nginx(request: Request) -> str:
    return to_line(
        time_iso8601=f"{request.iso}+00:00", remote_addr=request.client, remote_user=request.user,
        request=f"{request.method} {request.target} HTTP/1.1", status=request.status,
        body_bytes_sent=request.size, request_time="0.012", http_referer=request.referrer,
        http_user_agent=request.agent, pid="7",
    )  # fmt: skip


def _traefik(request: Request) -> str:
    return to_line(
        **{
            "ClientHost": request.client, "ClientPort": "40001", "ClientUsername": request.user,
            "DownstreamContentSize": number(request.size),
            "DownstreamStatus": number(request.status), "Duration": 12_000_000,
            "OriginDuration": 11_000_000, "RequestHost": _HOST, "RequestMethod": request.method,
            "RequestPath": request.target, "RequestProtocol": "HTTP/2.0",
            "StartUTC": f"{request.iso}Z", "entryPointName": "websecure",
            "request_Referer": request.referrer, "request_User-Agent": request.agent,
        }
    )  # fmt: skip


def _caddy(request: Request) -> str:
    headers = {"User-Agent": [request.agent], "Accept": ["*/*"]}
    if request.referrer != "-":
        headers["Referer"] = [request.referrer]
    return to_line(
        level="info", ts=float(request.at), logger="http.log.access.log0", msg="handled request",
        request={
            "remote_ip": request.client, "remote_port": "40001", "client_ip": request.client,
            "proto": "HTTP/2.0", "method": request.method, "host": _HOST, "uri": request.target,
            "headers": headers,
        },
        bytes_read=0, duration=0.012, size=number(request.size), status=number(request.status),
    )  # fmt: skip


def _cloudfront(request: Request) -> str:
    logged = CLOUDFRONT_V2
    return to_line(
        **{
            "timestamp(ms)": f"{request.at}000", "c-ip": request.client,
            "cs-method": request.method, "cs-uri-stem": logged.url(request.path),
            "cs-uri-query": logged.url(request.query) or "-", "sc-status": request.status,
            "sc-bytes": request.size, "cs(Referer)": logged.url(request.referrer),
            "cs(User-Agent)": logged.agent(request.agent), "asn": "64500",
        }
    )  # fmt: skip


def _docker(request: Request) -> str:
    return to_line(log=f"{combined(request)}\n", stream="stdout", time=f"{request.iso}.250000000Z")


def _any(request: Request) -> str:
    """All these servers write into one log."""
    servers = (_nginx, _traefik, _caddy, _cloudfront)
    return servers[request.number % len(servers)](request)


def _own(request: Request) -> str:
    sent = {} if request.referrer == "-" else {"came_from": request.referrer}
    return to_line(
        at=request.at * 1000, who={"ip": request.client, "agent": request.agent},
        verb=request.method, what=request.target, code=number(request.status),
        length=number(request.size), node="web-1", **sent,
    )  # fmt: skip


def odd_objects(style: Style) -> Iterator[OddLine]:
    """Lines of any log of objects: section 4.3."""
    yield style.line(f" \t{style.text} ")
    yield style.line(f'{style.text[:-1]},"zz":1,"zz":2}}', "duplicate_key")
    twice = style.event()
    yield OddLine(
        text=f"[{style.text}, {style.text}]",
        verdict="warn",
        codes=("json_array",),
        events=(twice, twice),
    )
    yield rejected(f"{style.text} // note", "trailing_data")


def _odd_known(style: Style) -> Iterator[OddLine]:
    """Lines of a log of one's own, of which other objects are told by their keys."""
    yield from odd_objects(style)
    yield rejected('{"level":"error","msg":"of another program"}', "no_match")


def _odd_nginx(style: Style) -> Iterator[OddLine]:
    yield from _odd_known(style)
    yield style.swap('"GET /odd HTTP/1.1"', '"-"', "bad_request_line", url=None)
    yield style.swap('"0.012"', '"0.010, 0.002"', "invalid_number")
    yield style.swap("+00:00", "", "no_timezone")
    yield style.swap(f"{style.request.iso}+00:00", "-", "no_timestamp", at=None)
    yield rejected(style.swapped(style.request.iso[:10], "2025-02-31"), "bad_timestamp")


def _odd_any(style: Style) -> Iterator[OddLine]:
    yield from _odd_known(style)
    yield rejected(style.text[:-1], "bad_json")
    yield rejected("[]", "not_an_object")


def _odd_docker(style: Style) -> Iterator[OddLine]:
    """Docker cuts lines of more than 16 kB: nobody knows where these pieces belong."""
    piece = {"stream": "stderr", "time": f"{style.request.iso}Z"}
    yield style.swap('"}', '","attrs":{"tag":"web"}}')
    yield rejected(to_line(log="GET /a", **piece), "no_match")
    yield rejected(to_line(log="nd more of it\n", **piece), "no_match")
    yield rejected(f"[{style.text}]", "not_an_object")


KINDS = (
    Kind(name="nginx_json", write=_nginx, odd=_odd_nginx, found_as="jsonl"),
    Kind(name="traefik_json", write=_traefik, odd=_odd_known, found_as="jsonl"),
    Kind(name="caddy_json", write=_caddy, odd=_odd_known, found_as="jsonl"),
    Kind(name="jsonl", write=_any, odd=_odd_any, found_as="jsonl"),
    Kind(name="docker_json", write=_docker, odd=_odd_docker, found_as="docker_json"),
    Kind(
        name="json_mapping",
        write=_own,
        odd=odd_objects,
        found_as=None,
        settings={"format": "json_mapping", "mapping": _MAPPING, "time_unit": "ms"},
    ),
)
