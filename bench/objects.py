"""Visits as lines of JSON, as the servers and services write them that users have."""

from __future__ import annotations

import json
from typing import Any

from bench.lines import Visit, combined

_MIXED = 2_654_435_761  # makes numbers of 32 bits look random


def _mixed(visit: Visit) -> int:
    return visit.number * _MIXED % (1 << 32)


def _line(**members: Any) -> str:
    return json.dumps(members, separators=(",", ":")) + "\n"


def _agent(visit: Visit) -> str:
    return visit.agent.replace('\\"', '"')


def nginx_json(visit: Visit) -> str:
    """Return the line of nginx, with escape=json and the usual names."""
    return _line(
        time_iso8601=f"{visit.at:%Y-%m-%dT%H:%M:%S}+00:00", remote_addr=visit.client,
        remote_user="", request=f"GET {visit.target} HTTP/1.1", status=str(visit.status),
        body_bytes_sent=str(visit.size), request_time=f"0.{_mixed(visit) % 1000:03}",
        upstream_response_time=f"0.{_mixed(visit) % 900:03}", upstream_addr="10.0.0.7:8080",
        http_referer=visit.referrer, http_user_agent=_agent(visit), host="shop.example",
        request_id=f"{_mixed(visit):08x}{visit.number:024x}", pid="7",
    )  # fmt: skip


def traefik_json(visit: Visit) -> str:
    """Return the line of Traefik, which writes `&` as an escape."""
    mixed = _mixed(visit)
    line = _line(
        **{
            "ClientAddr": f"{visit.client}:{mixed % 60_000 + 1024}", "ClientHost": visit.client,
            "ClientPort": f"{mixed % 60_000 + 1024}", "ClientUsername": "-",
            "DownstreamContentSize": visit.size, "DownstreamStatus": visit.status,
            "Duration": mixed % 90_000_000, "OriginContentSize": visit.size,
            "OriginDuration": mixed % 80_000_000, "OriginStatus": visit.status,
            "Overhead": mixed % 90_000, "RequestAddr": "shop.example", "RequestContentSize": 0,
            "RequestCount": visit.number, "RequestHost": "shop.example", "RequestMethod": "GET",
            "RequestPath": visit.target, "RequestPort": "-", "RequestProtocol": "HTTP/2.0",
            "RequestScheme": "https", "RetryAttempts": 0, "RouterName": "shop@docker",
            "ServiceAddr": "172.18.0.3:8080", "ServiceName": "shop@docker",
            "StartUTC": f"{visit.at:%Y-%m-%dT%H:%M:%S}.{mixed % 10**9:09}Z",
            "entryPointName": "websecure", "level": "info", "msg": "",
            "request_Referer": visit.referrer, "request_User-Agent": _agent(visit),
            "time": f"{visit.at:%Y-%m-%dT%H:%M:%S}Z",
        }
    )  # fmt: skip
    return line.replace("&", "\\u0026")


def caddy_json(visit: Visit) -> str:
    """Return the line of Caddy, with times as numbers and headers as arrays."""
    mixed = _mixed(visit)
    headers = {
        "User-Agent": [_agent(visit)], "Accept": ["text/html,application/xhtml+xml,*/*;q=0.8"],
        "Accept-Encoding": ["gzip, deflate, br"], "Accept-Language": ["en-GB,en;q=0.5"],
    }  # fmt: skip
    if visit.referrer != "-":
        headers["Referer"] = [visit.referrer]
    return _line(
        level="info", ts=visit.at.timestamp() + mixed % 10**7 / 10**7,
        logger="http.log.access.log0", msg="handled request",
        request={
            "remote_ip": visit.client, "remote_port": f"{mixed % 60_000 + 1024}",
            "client_ip": visit.client, "proto": "HTTP/2.0", "method": "GET",
            "host": "shop.example", "uri": visit.target, "headers": headers,
            "tls": {"resumed": False, "version": 772, "cipher_suite": 4865, "proto": "h2",
                    "server_name": "shop.example"},
        },
        bytes_read=0, user_id="", duration=(mixed % 10**8 + 10**6) / 10**9, size=visit.size,
        status=visit.status,
        resp_headers={"Server": ["Caddy"], "Content-Type": ["text/html; charset=utf-8"]},
    )  # fmt: skip


def apigw_json(visit: Visit) -> str:
    """Return the line of AWS API Gateway."""
    mixed = _mixed(visit)
    return _line(
        requestId=f"{mixed:08x}-{visit.number:028x}", ip=visit.client,
        requestTime=f"{visit.at:%d/%b/%Y:%H:%M:%S} +0000", httpMethod="GET",
        routeKey="GET /{proxy+}", path=visit.target.partition("?")[0], status=str(visit.status),
        protocol="HTTP/1.1", responseLength=str(visit.size), responseLatency=str(mixed % 900),
        integrationLatency=str(mixed % 800), domainName="api.shop.example",
        userAgent=_agent(visit), apiId="a1b2c3d4e5", stage="$default",
    )  # fmt: skip


def waf(visit: Visit) -> str:
    """Return the line of AWS WAF, with the headers of a browser."""
    path, _, query = visit.target.partition("?")
    headers = {
        "Host": "shop.example", "User-Agent": _agent(visit), "Accept": "*/*",
        "Accept-Language": "en", "Referer": visit.referrer,
    }  # fmt: skip
    return _line(
        timestamp=int(visit.at.timestamp() * 1000) + _mixed(visit) % 1000, formatVersion=1,
        webaclId="arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/shop/a1b2",
        terminatingRuleId="Default_Action", terminatingRuleType="REGULAR", action="ALLOW",
        terminatingRuleMatchDetails=[], httpSourceName="ALB",
        httpSourceId="111122223333-app/shop/50dc6c495c0c9188", ruleGroupList=[],
        rateBasedRuleList=[], nonTerminatingMatchingRules=[], requestHeadersInserted=None,
        responseCodeSent=None,
        httpRequest={
            "clientIp": visit.client, "country": "DE",
            "headers": [{"name": name, "value": text} for name, text in headers.items()],
            "uri": path, "args": query, "httpVersion": "HTTP/2.0", "httpMethod": "GET",
            "requestId": f"1-{_mixed(visit):08x}-{visit.number:024x}",
        },
    )  # fmt: skip


def docker_json(visit: Visit) -> str:
    """Return the combined line of `visit` as Docker writes it."""
    return _line(
        log=combined(visit), stream="stdout",
        time=f"{visit.at:%Y-%m-%dT%H:%M:%S}.{_mixed(visit) % 10**9:09}Z",
    )  # fmt: skip
